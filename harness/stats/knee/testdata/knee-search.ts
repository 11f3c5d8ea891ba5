/** A search for a knee that is known, by a host that is noisy. */
import { nextKneeStep, type KneeProbe, type KneeSettings } from '../knee.js'
import { randomStream } from '../../random.js'

export const kneeSettings: KneeSettings = {
  startPerSecond: 1000,
  minPerSecond: 100,
  maxPerSecond: 100_000,
  precision: 0.03,
  maxProbes: 16,
}

export function searchKnee(knee: number, spread: number, seed: number): KneeProbe[] {
  const stream = randomStream(seed, `knee ${knee}`)
  const probes: KneeProbe[] = []
  for (;;) {
    const step = nextKneeStep(probes, kneeSettings)
    if (step.estimate) return probes
    const passed = step.next <= knee * Math.exp(spread * stream.normal())
    probes.push({ ratePerSecond: step.next, passed })
  }
}

