import { describe, expect, it } from 'vitest'
import { nextKneeStep, type KneeEstimate, type KneeProbe, type KneeSettings } from './knee.js'
import { randomStream, type RandomStream } from '../random.js'

const settings: KneeSettings = {
  startPerSecond: 1000,
  minPerSecond: 100,
  maxPerSecond: 100_000,
  precision: 0.05,
  maxProbes: 40,
}

/** Searches on a path whose knee is known; near it, trials pass or fail by chance. */
function search(
  knee: number,
  slope: number,
  stream: RandomStream,
  lapse = 0,
): { estimate: KneeEstimate; probes: KneeProbe[] } {
  const probes: KneeProbe[] = []
  for (;;) {
    const step = nextKneeStep(probes, settings)
    if (step.estimate) return { estimate: step.estimate, probes }
    const lucky = knee * Math.exp(slope * stream.normal())
    const passed = stream.real() < lapse ? stream.real() < 0.5 : step.next <= lucky
    probes.push({ ratePerSecond: step.next, passed })
  }
}

describe('nextKneeStep', () => {
  it('starts where it is told, doubles while it passes, halves while it fails', () => {
    expect(nextKneeStep([], settings)).toEqual({ next: 1000 })
    expect(nextKneeStep([{ ratePerSecond: 1000, passed: true }], settings)).toEqual({ next: 2000 })
    expect(nextKneeStep([{ ratePerSecond: 1000, passed: false }], settings)).toEqual({ next: 500 })
  })

  it('finds a sharp knee to the precision asked for, in few probes', () => {
    const { estimate, probes } = search(7350, 0, randomStream(1, 'knee'))
    expect(estimate.end).toBe('precise')
    expect(probes.length).toBeLessThan(20)
    expect(Math.abs(estimate.ratePerSecond / 7350 - 1)).toBeLessThan(0.05)
    expect((estimate.high - estimate.low) / 2 / estimate.ratePerSecond).toBeLessThanOrEqual(0.05)
  })

  it('holds the true knee in its interval in nearly all noisy searches', () => {
    const stream = randomStream(2, 'knee')
    const searches = Array.from({ length: 30 }, () => {
      const knee = 500 * 60 ** stream.real()
      const { estimate, probes } = search(knee, 0.03, stream, 0.02)
      return { held: estimate.low <= knee && knee <= estimate.high, probes: probes.length }
    })
    const held = searches.filter((search) => search.held).length / searches.length
    expect(held).toBeGreaterThan(0.82)
    expect(searches.reduce((sum, { probes }) => sum + probes, 0) / searches.length).toBeLessThan(25)
  })

  it('recovers from one unlucky failure far below the knee', () => {
    const probes: KneeProbe[] = [{ ratePerSecond: 1000, passed: false }]
    for (;;) {
      const step = nextKneeStep(probes, settings)
      if (step.estimate) {
        expect(Math.abs(step.estimate.ratePerSecond / 8000 - 1)).toBeLessThan(0.1)
        return
      }
      probes.push({ ratePerSecond: step.next, passed: step.next <= 8000 })
    }
  })

  it('says when the knee lies beyond the rates allowed', () => {
    const stream = randomStream(3, 'knee')
    expect(search(1e9, 0, stream).estimate).toMatchObject({ end: 'above', ratePerSecond: 100_000 })
    expect(search(1, 0, stream).estimate).toMatchObject({ end: 'below', low: 0, high: 100 })
  })

  it('gives no figure when the probes run out and all of them passed, or failed', () => {
    const run = (passed: boolean, ...rates: number[]) =>
      nextKneeStep(
        rates.map((ratePerSecond) => ({ ratePerSecond, passed })),
        { ...settings, maxProbes: rates.length },
      ).estimate
    expect(run(false, 2000, 1000, 500)).toMatchObject({ end: 'below', ratePerSecond: 500, low: 0, high: 500 })
    expect(run(true, 1000, 2000, 4000)).toMatchObject({ end: 'above', ratePerSecond: 4000, low: 4000 })
  })

  it('ends when the probes run out, with what it knows', () => {
    const probes = Array.from({ length: 40 }, (_, index) => ({
      ratePerSecond: 5000,
      passed: index % 2 === 0,
    }))
    expect(nextKneeStep(probes, { ...settings, precision: 0.0001 }).estimate?.end).toBe('probes')
  })
})
