/** A search for a knee that only ever passes, or only ever fails, so that what is said of it can be tested. */
import type { JournalEntry } from '../model.js'

/** The journal of a search with an arm's outcomes replaced: rates double and all pass, or halve and all fail. */
export function oneSidedSearch(
  entries: readonly JournalEntry[],
  arm: string,
  beyond: 'above' | 'below',
): JournalEntry[] {
  const isOwn = (cell: string) => cell.split('|')[1] === arm
  // The first rate is far below every knee.
  const first = entries.find((entry) => entry.type === 'trial' && isOwn(entry.cell))
  const load = first?.type === 'trial' ? first.load : undefined
  if (!load) throw new Error(`${arm} has no trial`)
  return entries.map((entry) =>
    entry.type === 'trial' && isOwn(entry.cell)
      ? {
          ...entry,
          ratePerSecond: 2000 * (beyond === 'above' ? 2 : 0.5) ** entry.round,
          load: beyond === 'above' ? load : { ...load, ok: 0, errors: { '5xx': load.sent } },
        }
      : entry,
  )
}
