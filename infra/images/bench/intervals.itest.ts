/** Coverage of the bench's intervals, by simulation: too long for a unit test. */
import { describe, expect, it } from 'vitest'
import { seededRandom } from '../../../harness/protocol/random.js'
import { bootstrapMedian } from './intervals.js'

describe('bootstrapMedian', () => {
  it('covers the true median in about 95 % of cases', () => {
    const random = seededRandom(7)
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
