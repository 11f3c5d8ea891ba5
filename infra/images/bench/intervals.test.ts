/** The bench's intervals of known ratios. */
import { describe, expect, it } from 'vitest'
import { pairedRatio } from './intervals.js'

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
