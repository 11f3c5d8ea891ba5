/** What is known of every arm while rounds go on: the median of its trials' medians, with an interval. */
import { latencyMs } from '../analyze/readings.js'
import type { Arm, Trial } from '../model.js'
import { ascending, median } from '../protocol/averages.js'

/** Of one arm under the load that is being measured. */
export interface RunningMedian {
  readonly arm: string
  readonly valid: number
  readonly trials: number
  /** ms; absent before the first valid trial with times. */
  readonly medianMs?: number
  /** 95 % interval of the median from order statistics; absent below six trials, which have none. */
  readonly interval?: readonly [number, number]
}

interface Seen {
  trials: number
  valid: number
  /** Medians of those that are valid. */
  readonly ms: number[]
}

export function createRunningMedians() {
  const loads = new Map<string, Map<string, Seen>>()
  let latest = ''
  return {
    add({ id }: Arm, loadLabel: string, trials: readonly Trial[]): void {
      latest = loadLabel
      const arms = loads.get(loadLabel) ?? new Map<string, Seen>()
      loads.set(loadLabel, arms)
      const seen = arms.get(id) ?? { trials: 0, valid: 0, ms: [] }
      arms.set(id, seen)
      for (const trial of trials) {
        seen.trials++
        if (trial.state !== 'ok') continue
        seen.valid++
        const ms = latencyMs(trial, 'response', 50) ?? latencyMs(trial, 'service', 50)
        if (ms !== undefined) seen.ms.push(ms)
      }
    },
    /** The arms of the load that was measured last, in the order in which they came. */
    rows: (): readonly RunningMedian[] =>
      [...(loads.get(latest) ?? [])].map(([arm, { trials, valid, ms }]) => ({
        arm,
        trials,
        valid,
        ...medianOf(ms),
      })),
  }
}

/**
 * Median and the interval between the order statistics that the binomial distribution puts outside of it with at most
 * 2.5 % on each side (J. D. Gibbons, S. Chakraborti, Nonparametric Statistical Inference, 5.2).
 */
export function medianOf(values: readonly number[]): Pick<RunningMedian, 'medianMs' | 'interval'> {
  const sorted = ascending(values)
  const n = sorted.length
  if (n === 0) return {}
  const medianMs = median(values)
  let [tail, share, rank] = [0, 0.5 ** n, -1]
  for (let k = 0; k < n && tail + share <= 0.025; k++) {
    tail += share
    share *= (n - k) / (k + 1)
    rank = k
  }
  const [low, high] = [sorted[rank], sorted[n - 1 - rank]]
  return rank < 0 || low === undefined || high === undefined
    ? { medianMs }
    : { medianMs, interval: [low, high] }
}
