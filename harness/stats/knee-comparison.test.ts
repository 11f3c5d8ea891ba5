import { describe, expect, it } from 'vitest'
import { compareKnees } from './knee-comparison.js'
import { nextKneeStep, type KneeProbe, type KneeSettings } from './knee.js'
import { randomStream } from './random.js'

const settings: KneeSettings = {
  startPerSecond: 1000,
  minPerSecond: 100,
  maxPerSecond: 100_000,
  precision: 0.03,
  maxProbes: 16,
}

function search(knee: number, spread: number, seed: number): KneeProbe[] {
  const stream = randomStream(seed, `knee ${knee}`)
  const probes: KneeProbe[] = []
  for (;;) {
    const step = nextKneeStep(probes, settings)
    if (step.estimate) return probes
    const passed = step.next <= knee * Math.exp(spread * stream.normal())
    probes.push({ ratePerSecond: step.next, passed })
  }
}

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

  it('does not tell a knee from itself, and seldom from another search for it', () => {
    const same = search(4000, 0.02, 3)
    expect(compareKnees(same, same, settings).pValue).toBeGreaterThan(0.9)
    const different = Array.from({ length: 40 }, (_, seed) =>
      compareKnees(search(4000, 0.03, seed), search(4000, 0.03, 100 + seed), settings),
    ).filter(({ pValue }) => pValue < 0.05)
    expect(different.length).toBeLessThan(8)
  })

  it('says what it could have found, which grows as fewer probes tell less', () => {
    const probes = search(4000, 0.02, 5)
    const all = compareKnees(probes, probes, settings).detectable(0.05)
    const few = compareKnees(probes.slice(0, 4), probes.slice(0, 4), settings).detectable(0.05)
    expect(all).toBeGreaterThan(0)
    expect(few).toBeGreaterThan(all)
  })
})
