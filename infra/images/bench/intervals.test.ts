/** The bench's intervals of known ratios. */
import { describe, expect, it } from 'vitest'
import { median, pairedRatio } from './intervals.js'

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
