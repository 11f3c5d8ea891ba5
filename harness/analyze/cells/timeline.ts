/** How a trial went over its window, slice by slice, over all rounds: what is drawn of experiments that act on hops. */
import type { Timeline, Trial } from '../../model.js'
import { median } from '../../protocol/averages.js'

/**
 * Medians of each slice's mean over the rounds that answered in it, 0 where none did, and sums of what failed; undefined
 * where the load was not sliced.
 */
export function timelineOf(trials: readonly Trial[]): Timeline | undefined {
  const sliced = trials.flatMap(({ load }) => load?.slices ?? [])
  const [first] = sliced
  if (!first) return undefined
  const slices = Math.min(...sliced.map(({ workloads }) => workloads[0]?.ok.length ?? 0))
  const over = (value: (trial: (typeof sliced)[number]) => number) => sliced.map(value)
  return {
    sliceMs: first.ms,
    rounds: sliced.length,
    workloads: first.workloads.map((_, workload) => ({
      meanMs: Array.from({ length: slices }, (_, slice) =>
        medianOrNothing(
          sliced.flatMap(({ workloads }) => {
            const { ok, meanUs } = workloads[workload] ?? {}
            return (ok?.[slice] ?? 0) > 0 ? (meanUs?.[slice] ?? 0) / 1000 : []
          }),
        ),
      ),
      failed: Array.from({ length: slices }, (_, slice) =>
        over(({ workloads }) => workloads[workload]?.failed[slice] ?? 0).reduce(
          (sum, count) => sum + count,
          0,
        ),
      ),
    })),
    events: eventsOf(trials),
  }
}

const medianOrNothing = (values: readonly number[]) => (values.length === 0 ? 0 : median(values))

/** When each action of the script began and ended, at the median. */
function eventsOf(trials: readonly Trial[]): Timeline['events'] {
  const all = trials.flatMap(({ events }) => (events ? [events] : []))
  return (all[0] ?? []).map(({ action }, index) => ({
    action,
    startedMs: median(all.flatMap((events) => events[index]?.startedMs ?? [])),
    endedMs: median(all.flatMap((events) => events[index]?.endedMs ?? [])),
  }))
}
