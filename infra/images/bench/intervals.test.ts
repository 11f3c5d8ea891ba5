/** The bench's intervals: known ratios, and coverage that is near what they claim. */
import { describe, expect, it } from 'vitest'
import { bootstrapMedian, createRandom, median, pairedRatio } from './intervals.js'

describe('median', () => {
  it('takes the middle, or the mean of the two middles', () => {
    expect(median([3, 1, 2])).toBe(2)
    expect(median([4, 1, 3, 2])).toBe(2.5)
  })
})

describe('pairedRatio', () => {
  it('cancels drift that both sides share', () => {
    const drift = [1, 1.5, 2, 3, 0.7]
    const ratio = pairedRatio(
      drift.map((d) => 12 * d),
      drift.map((d) => 10 * d),
    )
    expect(ratio.value).toBeCloseTo(1.2)
    expect(ratio.low).toBeCloseTo(1.2)
    expect(ratio.high).toBeCloseTo(1.2)
  })
})

describe('bootstrapMedian', () => {
  it('covers the true median in about 95 % of cases', () => {
    const random = createRandom(7)
    let covered = 0
    for (let i = 0; i < 300; i += 1) {
      // Sum of three uniforms: symmetric around 1.5.
      const { low, high } = bootstrapMedian(
        Array.from({ length: 15 }, () => random() + random() + random()),
        i,
        300,
      )
      if (low <= 1.5 && 1.5 <= high) covered += 1
    }
    expect(covered / 300).toBeGreaterThan(0.88)
    expect(covered / 300).toBeLessThan(1)
  })
})
