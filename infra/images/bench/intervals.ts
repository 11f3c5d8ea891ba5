/** Ratios of paired rounds with bootstrap intervals, so that the bench's verdicts carry their uncertainty. */
import { ascending, median } from '../../../harness/protocol/averages.js'
import { seededRandom } from '../../../harness/protocol/random.js'

export interface Interval {
  readonly value: number
  /** Bounds of the 95 % interval. */
  readonly low: number
  readonly high: number
}

/** Percentile bootstrap of the median over rounds. Needs at least one value; with few the interval is their range. */
export function bootstrapMedian(values: readonly number[], seed = 1, resamples = 2000): Interval {
  const random = seededRandom(seed)
  const medians = ascending(
    Array.from({ length: resamples }, () =>
      median(values.map(() => values[Math.floor(random() * values.length)] as number)),
    ),
  )
  const at = (share: number): number => medians[Math.round(share * (resamples - 1))] as number
  return { value: median(values), low: at(0.025), high: at(0.975) }
}

/** Median of `a[i] / b[i]`, the rounds paired. */
export function pairedRatio(a: readonly number[], b: readonly number[]): Interval {
  return bootstrapMedian(a.map((value, i) => value / (b[i] as number)))
}
