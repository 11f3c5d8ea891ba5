/** What tests of the analysis share: a small journal, a comparison by its names, and what makes a trial or a figure bad. */
import type { Analysis, Comparison, JournalEntry, Trial } from '../model.js'
import { syntheticJournal, type SyntheticOptions } from '../testdata/synthetic-journal.js'

/** Small and clean, so that a test takes milliseconds: 400 requests a trial, no bad trials. */
const small: SyntheticOptions = {
  experiments: ['latency'],
  durationMs: 400,
  invalidShare: 0,
  failedShare: 0,
}
export const smallJournal = (options: SyntheticOptions = {}) => syntheticJournal({ ...small, ...options })

export function comparisonOf(
  analysis: Analysis,
  metric: string,
  arm: string,
  versus: string,
  percentile?: number,
): Comparison {
  const found = analysis.comparisons.find(
    (comparison) =>
      comparison.metric === metric &&
      comparison.arm === arm &&
      comparison.versus === versus &&
      comparison.percentile === percentile,
  )
  if (!found) throw new Error(`no comparison ${metric} ${arm} ${versus}`)
  return found
}

/** Every number in a value that JSON cannot hold. */
export function badNumbers(value: unknown, path = ''): string[] {
  if (typeof value === 'number') return Number.isFinite(value) ? [] : [path]
  if (typeof value !== 'object' || value === null) return []
  return Object.entries(value).flatMap(([key, member]) => badNumbers(member, `${path}.${key}`))
}

/** The same run, whose environment went down before each of these trials and came up again: all that follows has new processes. */
export function cameUpBefore(
  entries: readonly JournalEntry[],
  isFirst: (trial: Trial, before: Trial | undefined) => boolean,
): JournalEntry[] {
  const environment = entries.find(({ type }) => type === 'environment')
  let before: Trial | undefined
  return entries.flatMap((entry) => {
    if (entry.type !== 'trial' || !environment) return [entry]
    const isNew = isFirst(entry, before)
    before = entry
    return isNew ? [environment, entry] : [entry]
  })
}

export function failedTrial(trial: Extract<JournalEntry, { type: 'trial' }>): JournalEntry {
  const { load: _load, usage: _usage, ...rest } = trial
  return { ...rest, state: 'failed', error: { kind: 'hop-died', message: 'gone' } }
}
