import { describe, expect, it } from 'vitest'
import { holm } from './families.js'

describe('holm', () => {
  it('multiplies the smallest by m, the next by m − 1, and never lets the order turn', () => {
    const adjusted = holm([0.01, 0.04, 0.03, 0.005])
    ;[0.03, 0.06, 0.06, 0.02].forEach((expected, index) => expect(adjusted[index]).toBeCloseTo(expected, 12))
  })

  it('is at most 1, and leaves one p-value alone', () => {
    expect(holm([0.6, 0.9])).toEqual([1, 1])
    expect(holm([0.03])).toEqual([0.03])
    expect(holm([])).toEqual([])
  })
})
