/** Tells a running measurement that more rounds would tell no more than was asked for. */
import { metrics } from '../../scenarios/registry.js'
import type { Comparison, JournalEntry, ResolvedConfig } from '../model.js'
import { isLook } from '../stats/sequential.js'
import { compareCells } from './comparisons.js'
import { searchGoesOn } from './cells/knees.js'
import { cellGroups, indexJournal, type CellGroup, type Run } from './readings.js'

/**
 * True when every comparison's ratio is known to ± `rounds.untilEffect`, in the environment that was measured last.
 *
 * Looks are few and fixed, and the intervals are those of a run that may stop early; see harness/stats/sequential.ts.
 * What counts is what the metrics say: p90 lies between p50 and p99, p99.9 would need more requests rather than more
 * rounds, and memory hardly varies. Experiments whose rounds are all done cannot become more precise and do not hold the run up.
 */
export function precisionReached(
  entries: readonly JournalEntry[],
  config: Pick<ResolvedConfig, 'rounds' | 'seed'>,
): boolean {
  const last = entries.findLast((entry) => entry.type === 'trial')
  if (!last || !isLook(last.round + 1, config.rounds)) return false
  const run = indexJournal(entries)
  const environment = run.armOf.get(run.cellOf.get(last.cell)?.arm ?? '')?.environment
  const open = cellGroups(run).filter(
    (group) =>
      group.environment === environment &&
      !group.cells[0]?.search &&
      plannedRounds(run, group) > last.round + 1,
  )
  // A search has an end of its own: a run that stops before it would tell half of a knee.
  const searched = run.plan.cells.filter(
    (cell) => cell.search && run.armOf.get(cell.arm)?.environment === environment,
  )
  if (searched.some((cell) => searchGoesOn(run, cell))) return false
  const settings = { seed: config.seed, rounds: config.rounds }
  const judged = compareCells(run, open, settings).filter(isAwaited)
  return (
    judged.length > 0 &&
    judged.every((comparison) => relativeHalfWidth(comparison) <= config.rounds.untilEffect)
  )
}

function plannedRounds(run: Run, group: CellGroup): number {
  const cells = new Set(group.cells.map(({ id }) => id))
  return run.plan.order.reduce(
    (most, { cell, round }) => (cells.has(cell) ? Math.max(most, round + 1) : most),
    0,
  )
}

/** Whether a run goes on for it, as its metric says. */
function isAwaited({ metric, percentile }: Comparison): boolean {
  const awaited = metrics.get(metric)?.awaited
  return awaited === true || (awaited?.some((at) => at === percentile) ?? false)
}

/** Half the interval as a share of the ratio itself. One round has no interval. */
function relativeHalfWidth({ ratio: { value, low, high, n } }: Comparison): number {
  return n < 2 || value <= 0 ? Infinity : (high - low) / 2 / value
}
