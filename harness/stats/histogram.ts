/** Reads the journal's histograms: exact merging by adding counts, percentiles finer than a bucket. */
import { bucketHighestUs, bucketIndex, bucketLowestUs, decodeCounts } from '../protocol/histogram.js'
import type { Histogram } from '../model.js'

/** Buckets that hold something, in ascending order of value. */
export interface Buckets {
  /** Lowest and highest whole µs that a bucket stands for. */
  readonly low: Float64Array
  readonly high: Float64Array
  readonly count: Float64Array
  readonly total: number
}

/** Throws when the data is damaged, or of another encoding. */
export function decodeHistogram(histogram: Histogram): Buckets {
  const low: number[] = []
  const high: number[] = []
  const count: number[] = []
  let total = 0
  decodeCounts(histogram).forEach((held, index) => {
    if (held === 0) return
    low.push(bucketLowestUs(index))
    high.push(bucketHighestUs(index))
    count.push(held)
    total += held
  })
  return {
    low: Float64Array.from(low),
    high: Float64Array.from(high),
    count: Float64Array.from(count),
    total,
  }
}

/**
 * Percentile (0 < p < 100) in µs; NaN of an empty histogram.
 *
 * Values were rounded to whole µs, and to three digits above 2 ms, so a bucket stands for everything from half a µs
 * below its lowest to half a µs above its highest. Values are taken to lie evenly within: a difference of a few µs
 * between two paths would otherwise jump by whole buckets.
 */
export function percentileOf({ low, high, count, total }: Buckets, percentile: number): number {
  if (total === 0) return NaN
  // 99.99 % of 20 000 is 19 998, not a hair more: rounding must not reach for the next value.
  const target = (percentile / 100) * total * (1 - 1e-12)
  let below = 0
  for (let index = 0; index < count.length; index++) {
    const held = count[index] as number
    if (below + held >= target) {
      const from = Math.max(0, (low[index] as number) - 0.5)
      const to = (high[index] as number) + 0.5
      return from + (to - from) * ((target - below) / held)
    }
    below += held
  }
  return (high[high.length - 1] as number) + 0.5
}

/** With so many more that took `us`, or as long as the slowest where that took longer. */
export function withSlowest({ low, high, count, total }: Buckets, us: number, more: number): Buckets {
  const index = bucketIndex(us)
  const isBeyond = bucketLowestUs(index) > (low.at(-1) ?? -1)
  const append = (values: Float64Array, value: number) => Float64Array.from([...values, value])
  const last = count.length - 1
  return {
    low: isBeyond ? append(low, bucketLowestUs(index)) : low,
    high: isBeyond ? append(high, bucketHighestUs(index)) : high,
    count: isBeyond ? append(count, more) : count.map((held, at) => (at === last ? held + more : held)),
    total: total + more,
  }
}

/** Histograms over one common set of buckets, so that any mixture of them is a sum of rows. */
export interface BucketTable {
  readonly low: Float64Array
  readonly high: Float64Array
  readonly rows: readonly Float64Array[]
  readonly totals: readonly number[]
}

export function alignBuckets(histograms: readonly Buckets[]): BucketTable {
  const highOf = new Map<number, number>()
  for (const { low, high } of histograms)
    low.forEach((value, index) => highOf.set(value, Math.max(highOf.get(value) ?? 0, high[index] as number)))
  const low = Float64Array.from(highOf.keys()).sort()
  const position = new Map([...low].map((value, index) => [value, index]))
  const rows = histograms.map((histogram) => {
    const row = new Float64Array(low.length)
    histogram.low.forEach((value, index) => {
      row[position.get(value) as number] = histogram.count[index] as number
    })
    return row
  })
  return {
    low,
    high: Float64Array.from(low, (value) => highOf.get(value) as number),
    rows,
    totals: histograms.map(({ total }) => total),
  }
}

/** Adds the counts of rows, each as often as `times` says. */
export function mergeRows({ low, high, rows, totals }: BucketTable, times: ArrayLike<number>): Buckets {
  const count = new Float64Array(low.length)
  let total = 0
  rows.forEach((row, index) => {
    const weight = times[index] ?? 0
    if (weight === 0) return
    total += weight * (totals[index] as number)
    for (let bucket = 0; bucket < count.length; bucket++)
      count[bucket] = (count[bucket] as number) + weight * (row[bucket] as number)
  })
  return { low, high, count, total }
}
