import { describe, expect, it } from 'vitest'
import { shareBounds, studentQuantile, studentTwoSidedP } from './student.js'

// Values from printed tables of the t distribution (for example NIST/SEMATECH e-Handbook, 1.3.6.7.2).
describe('studentQuantile', () => {
  it.each([
    [0.975, 1, 12.706],
    [0.975, 9, 2.262],
    [0.995, 5, 4.032],
    [0.95, 30, 1.697],
    [0.975, 1000, 1.962],
  ])('of %f with %i degrees of freedom is %f', (probability, df, expected) => {
    expect(studentQuantile(probability, df)).toBeCloseTo(expected, 3)
    expect(studentQuantile(1 - probability, df)).toBeCloseTo(-expected, 3)
  })
})

describe('studentTwoSidedP', () => {
  it('is the inverse of the quantile', () => {
    for (const df of [1, 2, 7, 40, 300])
      expect(studentTwoSidedP(studentQuantile(0.999, df), df)).toBeCloseTo(0.002, 8)
  })

  it('has the closed form of one and two degrees of freedom', () => {
    expect(studentTwoSidedP(1, 1)).toBeCloseTo(0.5, 10)
    expect(studentTwoSidedP(2, 2)).toBeCloseTo(1 - 2 / Math.sqrt(6), 10)
  })

  it('is 1 at zero and 0 at infinity', () => {
    expect(studentTwoSidedP(0, 5)).toBe(1)
    expect(studentTwoSidedP(Infinity, 5)).toBe(0)
  })
})

// Of none, or all, of n the bound is α/2 to the power of 1/n, in closed form; the others from printed tables of Clopper and Pearson's limits.
describe('shareBounds', () => {
  it.each([
    [36, 36, 0.025 ** (1 / 36), 1],
    [0, 9, 0, 1 - 0.025 ** (1 / 9)],
    [5, 10, 0.1871, 0.8129],
    [1, 20, 0.0013, 0.2487],
  ])('of %i of %i', (hits, things, low, high) => {
    const bounds = shareBounds(hits, things, 0.95)
    expect(bounds.low).toBeCloseTo(low, 4)
    expect(bounds.high).toBeCloseTo(high, 4)
  })
})
