import { describe, expect, it } from 'vitest'
import { asGiven, figure, moreRounds, withInterval } from './words.js'

describe('figure', () => {
  it.each([
    [0, '0'],
    [0.31234, '0.312'],
    [0.0012345, '0.00123'],
    [41.25, '41.3'],
    [1.5, '1.50'],
    [123.4, '123'],
    [1044, '1 040'],
    [1_234_567, '1 230 000'],
    [-0.5, '−0.500'],
    [-1e-12, '0'],
    [NaN, 'unknown'],
  ])('writes %f as %s', (value, text) => expect(figure(value)).toBe(text))
})

describe('withInterval', () => {
  it('gives a figure with its bounds', () => {
    const estimate = {
      value: 0.312,
      low: 0.28,
      high: 0.344,
      unit: 'ms',
      level: 0.95,
      n: 10,
      method: '',
      cells: [],
    } as const
    expect(withInterval(estimate, 'ms')).toBe('0.31 ms (0.28 to 0.34)')
    expect(withInterval({ ...estimate, unit: 'share' })).toBe('31 % (28 to 34)')
    expect(withInterval({ ...estimate, n: 1, beyond: 'above' })).toBe('≥ 0.312 ms')
  })
})

describe('asGiven', () => {
  it.each([
    [0.1, '0.1'],
    [1.005, '1.005'],
    [1044, '1 044'],
    [1_000_000, '1 000 000'],
    [0.07 * 100, '7'],
    [1 + 0.1 + 0.2, '1.3'],
    [-2.5, '−2.5'],
    [0, '0'],
  ])('writes %f as %s', (value, text) => expect(asGiven(value)).toBe(text))
})

describe('moreRounds', () => {
  it('counts by the square of the width', () => {
    expect(moreRounds(10, 2, 1)).toBe('about 30 more rounds')
    expect(moreRounds(10, 1.2, 1)).toBe('about 5 more rounds')
    expect(moreRounds(1, 2, 1)).toBe('at least 8 rounds')
    // Wide and small alike: it says nothing of the difference, which may be large.
    expect(moreRounds(10, 2, 0.01)).toContain('over 2 000')
    expect(moreRounds(10, 2, 0.01)).not.toMatch(/nothing|small/)
  })
})
