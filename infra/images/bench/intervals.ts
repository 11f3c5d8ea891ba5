/** Ratios of paired rounds with bootstrap intervals, so that the bench's verdicts carry their uncertainty. */

export interface Interval {
  readonly value: number
  /** Bounds of the 95 % interval. */
  readonly low: number
  readonly high: number
}

/** Small seeded generator (mulberry32), so that a printed interval can be had again from the same rounds. */
export function createRandom(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length >>> 1
  const upper = sorted[middle] ?? NaN
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? NaN) + upper) / 2
}

/** Percentile bootstrap of the median over rounds. Needs at least one value; with few the interval is their range. */
export function bootstrapMedian(values: readonly number[], seed = 1, resamples = 2000): Interval {
  const random = createRandom(seed)
  const medians = Array.from({ length: resamples }, () =>
    median(values.map(() => values[Math.floor(random() * values.length)] as number)),
  ).sort((a, b) => a - b)
  const at = (share: number): number => medians[Math.round(share * (resamples - 1))] as number
  return { value: median(values), low: at(0.025), high: at(0.975) }
}

/** Median of `a[i] / b[i]`, the rounds paired. */
export function pairedRatio(a: readonly number[], b: readonly number[], seed = 1): Interval {
  return bootstrapMedian(
    a.map((value, i) => value / (b[i] as number)),
    seed,
  )
}
