import { describe, expect, it } from 'vitest'
import { compareKnees } from './knee-comparison.js'
import { kneeSettings as settings, searchKnee as search } from './testdata/knee-search.js'

describe('compareKnees', () => {
  it('finds that one path carries half of another', () => {
    const { ratio, difference, pValue } = compareKnees(search(3000, 0.02, 1), search(6000, 0.02, 2), settings)
    expect(ratio.value).toBeGreaterThan(0.45)
    expect(ratio.value).toBeLessThan(0.55)
    expect(ratio.low).toBeLessThanOrEqual(ratio.value)
    expect(ratio.high).toBeGreaterThanOrEqual(ratio.value)
    expect(difference.high).toBeLessThan(-2000)
    expect(pValue).toBeLessThan(0.01)
  })

  it('does not tell a knee from itself', () => {
    const same = search(4000, 0.02, 3)
    expect(compareKnees(same, same, settings).pValue).toBeGreaterThan(0.9)
  })

  it('says what it could have found, which grows as fewer probes tell less', () => {
    const probes = search(4000, 0.02, 5)
    const all = compareKnees(probes, probes, settings).detectable(0.05)
    const few = compareKnees(probes.slice(0, 4), probes.slice(0, 4), settings).detectable(0.05)
    expect(all).toBeGreaterThan(0)
    expect(few).toBeGreaterThan(all)
  })
})
