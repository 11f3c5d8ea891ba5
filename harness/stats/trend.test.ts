import { describe, expect, it } from 'vitest'
import { randomStream } from './random.js'
import { autocorrelation, mannKendall, robustScores, theilSen } from './trend.js'

describe('mannKendall', () => {
  it('finds a rise and a fall, and not a constant', () => {
    const rise = Array.from({ length: 10 }, (_, index) => index)
    // S = 45, Var = 125: z = 44 / √125, two-sided p = 8.3e-5.
    expect(mannKendall(rise)).toBeCloseTo(8.3e-5, 6)
    expect(mannKendall([...rise].reverse())).toBeCloseTo(8.3e-5, 6)
    expect(mannKendall(rise.map(() => 3))).toBe(1)
    expect(mannKendall([1, 2, 3])).toBe(1)
  })

  it('warns of independent noise in about one case of twenty', () => {
    const stream = randomStream(3, 'mann-kendall')
    const found = Array.from({ length: 2000 }, () =>
      mannKendall(Array.from({ length: 12 }, () => stream.normal())),
    )
    const share = found.filter((pValue) => pValue < 0.05).length / found.length
    expect(share).toBeGreaterThan(0.03)
    expect(share).toBeLessThan(0.065)
  })
})

describe('theilSen', () => {
  it('gives the slope in spite of an outlier', () => {
    expect(theilSen([0, 2, 4, 600, 8, 10, 12])).toBe(2)
    expect(theilSen([5])).toBe(0)
  })
})

describe('autocorrelation', () => {
  it('is negative for what alternates, and 0 for what does not vary', () => {
    expect(autocorrelation([1, -1, 1, -1, 1, -1])).toBeLessThan(-0.8)
    expect(autocorrelation([2, 2, 2, 2])).toBe(0)
  })
})

describe('robustScores', () => {
  it('scores an outlier high, and is not fooled by it', () => {
    const scores = robustScores([10, 10.1, 9.9, 10.2, 9.8, 20])
    expect(scores[5]).toBeGreaterThan(20)
    expect(Math.max(...scores.slice(0, 5).map(Math.abs))).toBeLessThan(2)
    expect(robustScores([1, 1, 1, 9])).toEqual([0, 0, 0, 0])
  })
})
