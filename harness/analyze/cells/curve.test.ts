/** The percentile curve beside the percentiles that tables have. */
import { expect, test } from 'vitest'
import { analyze } from '../analyze.js'
import { smallJournal } from '../../testing/analysis.js'

test('requests that failed are in the curve as they are in the table: each took the time-out', () => {
  const entries = smallJournal({ rounds: 3, arms: ['l4-only'] }).map((entry) => {
    if (entry.type !== 'trial' || !entry.load) return entry
    const { load } = entry
    return { ...entry, load: { ...load, sent: load.sent + 20, errors: { timeout: 20 } } }
  })
  const [cell] = analyze(entries).cells
  const at = (percentile: number) => cell?.curve?.find((point) => point.percentile === percentile)?.ms ?? 0
  expect(cell?.response?.['99']?.value).toBe(cell?.load.timeoutMs)
  expect(at(99) / (cell?.load.timeoutMs ?? 0)).toBeCloseTo(1, 2)
  // Of those that were answered, little changes.
  expect(at(50)).toBeCloseTo(cell?.response?.['50']?.value ?? 0, 1)
})
