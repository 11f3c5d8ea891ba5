import { describe, expect, it } from 'vitest'
import type { JournalEntry } from '../model.js'
import { syntheticJournal, type SyntheticOptions } from '../testdata/synthetic-journal.js'
import { precisionReached } from './precision.js'

const rounds = { min: 8, max: 40, untilEffect: 0.5, budgetMinutes: 60 }
const journal = (options: SyntheticOptions = {}) =>
  syntheticJournal({
    experiments: ['latency'],
    arms: ['l4-only', 'l7-per-node'],
    durationMs: 300,
    rounds: 8,
    plannedRounds: 40,
    invalidShare: 0,
    failedShare: 0,
    roundsConfig: rounds,
    ...options,
  })
/** p99 of 300 requests is a coarse thing; known to a factor of a few is already something. */
const loose = 3
const config = (untilEffect: number) => ({ seed: 1, rounds: { ...rounds, untilEffect } })

function whole(entries: readonly JournalEntry[]): readonly JournalEntry[] {
  return entries.filter(({ type }) => type !== 'end')
}

describe('precisionReached', () => {
  it('stops when every ratio is known well enough, and not before', () => {
    const entries = whole(journal())
    expect(precisionReached(entries, config(loose))).toBe(true)
    expect(precisionReached(entries, config(0.001))).toBe(false)
  })

  it('looks only at rounds of its schedule', () => {
    expect(precisionReached(whole(journal({ rounds: 9 })), config(loose))).toBe(false)
    expect(precisionReached(whole(journal({ rounds: 10 })), config(loose))).toBe(true)
  })

  it('has nothing to stop by when nothing was compared', () => {
    const failures = Object.fromEntries(
      ['reference/l4-only', 'reference/l7-per-node'].map((arm) => [arm, 'never came up']),
    )
    expect(precisionReached(whole(journal({ armFailures: failures })), config(loose))).toBe(false)
    expect(precisionReached([], config(loose))).toBe(false)
  })

  it('is not held up by an experiment whose rounds are all done', () => {
    // Saturation has three rounds only, far too few for its ratios.
    const entries = whole(journal({ experiments: ['latency', 'saturation'] }))
    expect(precisionReached(entries, config(loose))).toBe(true)
  })
})
