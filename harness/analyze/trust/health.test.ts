import { expect, it } from 'vitest'
import { smallJournal } from '../../testing/analysis.js'
import { cellGroups, indexJournal } from '../readings.js'
import { driftWarnings } from './health.js'

/** Whether CPU is said to drift in six rounds of which each takes more than the one before under the first load. */
function isDriftTold(ratesPerSecond: readonly number[]): boolean {
  const entries = smallJournal({
    ...{ rounds: 6, arms: ['l4-only'], durationMs: 100, ratesPerSecond },
    noise: { drift: 0, roundSigma: 0, trialSigma: 0.001, burstShare: 0 },
  }).map((entry) => {
    if (entry.type !== 'trial' || !entry.usage || !entry.cell.includes('|200/s')) return entry
    const components = entry.usage.components.map((row) => ({
      ...row,
      cpuNs: row.cpuNs * (1 + entry.round / 10),
    }))
    return { ...entry, usage: { ...entry.usage, components } }
  })
  const run = indexJournal(entries)
  return driftWarnings(run, cellGroups(run)).some((text) => /CPU drifted .*200\/s/.test(text))
}

it('takes a drift for what it is under one load, and for chance under one of many', () => {
  expect(isDriftTold([200])).toBe(true)
  expect(isDriftTold([200, 300, 400, 500, 600, 700])).toBe(false)
})
