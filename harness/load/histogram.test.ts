import { describe, expect, it } from 'vitest'
import { bucketsOf, countAbove, histogramOf, maxUs, mergeHistograms, percentileUs } from './histogram.js'

const uniform = (from: number, to: number) =>
  histogramOf(Array.from({ length: to - from + 1 }, (_, i) => ({ us: from + i, count: 1 })))

describe('histograms', () => {
  it('give percentiles by rank', () => {
    const histogram = uniform(1, 1000)
    expect(histogram.count).toBe(1000)
    expect([50, 90, 99, 99.9, 100].map((p) => percentileUs(histogram, p))).toEqual([500, 900, 990, 999, 1000])
    expect(percentileUs(histogram, 0.01)).toBe(1)
  })

  it('keep three significant digits of large values', () => {
    const histogram = histogramOf([{ us: 1_234_567, count: 3 }])
    expect(Math.abs(maxUs(histogram) - 1_234_567)).toBeLessThan(1235)
    expect(bucketsOf(histogram)).toHaveLength(1)
  })

  it('merge by adding counts: the sum has percentiles that no part has', () => {
    const fast = histogramOf([{ us: 100, count: 99 }])
    const slow = histogramOf([{ us: 10_000, count: 101 }])
    const merged = mergeHistograms([fast, slow, fast])
    expect(merged.count).toBe(299)
    expect(percentileUs(merged, 50)).toBe(100)
    expect(percentileUs(merged, 67)).toBeGreaterThan(9_990)
    expect(mergeHistograms([uniform(1, 10)])).toEqual(uniform(1, 10))
  })

  it('count what lies above a limit', () => {
    expect(countAbove(uniform(1, 1000), 990)).toBe(10)
    expect(countAbove(uniform(1, 1000), 1000)).toBe(0)
  })

  it('may be empty', () => {
    const empty = mergeHistograms([])
    expect(empty.count).toBe(0)
    expect(percentileUs(empty, 99)).toBe(0)
    expect(maxUs(empty)).toBe(0)
    expect(countAbove(empty, 0)).toBe(0)
  })

  it('keep the zeros', () => {
    const histogram = histogramOf([
      { us: 0, count: 3 },
      { us: 5, count: 1 },
    ])
    expect(bucketsOf(histogram)).toEqual([
      { us: 0, count: 3 },
      { us: 5, count: 1 },
    ])
    expect(percentileUs(histogram, 75)).toBe(0)
  })

  it('refuse data that is broken or holds another count', () => {
    expect(() => bucketsOf({ ...uniform(1, 10), data: 'AAAA' })).toThrow(/cannot be decoded/)
    expect(() => bucketsOf({ ...uniform(1, 10), count: 11 })).toThrow(/holds 10 values but says 11/)
  })
})
