import { describe, expect, it } from 'vitest'
import { mean, median } from './averages.js'

describe('median', () => {
  it('takes the middle, or the mean of the two middles', () => {
    expect(median([3, 1, 2])).toBe(2)
    expect(median([4, 1, 3, 2])).toBe(2.5)
  })
})

it('nothing has no average', () => {
  expect([mean([]), median([])]).toEqual([Number.NaN, Number.NaN])
})
