import { expect, test } from 'vitest'
import type { JournalEntry } from '../model.js'
import { syntheticJournal } from '../testdata/synthetic-journal.js'
import { indexJournal } from './readings.js'
import { proofsOf } from './trials.js'

const unheld = { name: 'requests at waypoint', ok: false, expected: '400', actual: '-12' }

/** Proofs of a journal whose first trial ended so, with a check that did not hold. */
function proofsWith(state: 'ok' | 'failed') {
  const journal = syntheticJournal({
    experiments: ['latency'],
    durationMs: 400,
    invalidShare: 0,
    failedShare: 0,
  })
  const first = journal.findIndex(({ type }) => type === 'trial')
  const changed = journal.map((entry, index): JournalEntry =>
    index === first && entry.type === 'trial' ? { ...entry, state, proof: [unheld] } : entry,
  )
  return Object.values(proofsOf(indexJournal(changed))).flat()
}

test('a check that did not hold is told where it failed its trial, and not where counters could prove nothing', () => {
  expect(proofsWith('failed').filter(({ ok }) => !ok)).toMatchObject([unheld])
  expect(proofsWith('ok').filter(({ ok }) => !ok)).toEqual([])
})
