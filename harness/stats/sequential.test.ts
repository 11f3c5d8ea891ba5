import { describe, expect, it } from 'vitest'
import { degreesOfFreedom, firstLook, isLook, lookRounds } from './sequential.js'

describe('lookRounds', () => {
  it('looks first at the fewest rounds, then at a quarter more each time, never at the last', () => {
    expect(lookRounds({ min: 20, max: 60 })).toEqual([20, 25, 32, 40, 50])
  })

  it('does not stop on fewer than 8 rounds, whatever the config says', () => {
    expect(firstLook({ min: 3, max: 40 })).toBe(8)
    expect(isLook(3, { min: 3, max: 40 })).toBe(false)
  })

  it('has no look when the rounds are fixed', () => {
    expect(lookRounds({ min: 10, max: 10 })).toEqual([])
  })
})

describe('degreesOfFreedom', () => {
  it('is n − 1 for a fixed number of rounds', () => {
    expect(degreesOfFreedom(10, { min: 10, max: 10 })).toBe(9)
    expect(degreesOfFreedom(1, { min: 10, max: 10 })).toBe(1)
  })

  it('grows more slowly after the first look when the run could have stopped there', () => {
    expect(degreesOfFreedom(15, { min: 20, max: 200 })).toBe(14)
    expect(degreesOfFreedom(20, { min: 20, max: 200 })).toBe(19)
    expect(degreesOfFreedom(120, { min: 20, max: 200 })).toBe(48)
    expect(degreesOfFreedom(30, { min: 3, max: 40 })).toBe(14)
  })
})
