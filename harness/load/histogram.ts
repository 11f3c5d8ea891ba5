/** Reads, merges and writes the histograms of a journal; percentiles come from counts and are never averaged. */
import {
  bucketCount,
  bucketHighestUs,
  bucketIndex,
  decodeCounts,
  encodeCounts,
  rankOf,
} from '../protocol/histogram.js'
import { messageOf } from '../model/errors.js'
import type { Histogram } from '../model.js'

/** One step of a distribution: values that the histogram cannot tell apart (three significant digits). */
export interface Bucket {
  /** Highest value in µs that falls into this bucket. */
  readonly us: number
  readonly count: number
}

/** Histograms never change, so what was decoded stays decoded as long as the histogram lives. */
const decoded = new WeakMap<Histogram, readonly Bucket[]>()

/** The histogram's buckets that hold something, ascending. Throws when the data is not what its encoding says. */
export function bucketsOf(histogram: Histogram): readonly Bucket[] {
  const known = decoded.get(histogram)
  if (known) return known
  let counts: Float64Array
  try {
    counts = decodeCounts(histogram)
  } catch (error) {
    throw new Error(`a histogram cannot be decoded: ${messageOf(error)}`, { cause: error })
  }
  const buckets: Bucket[] = []
  counts.forEach((count, index) => {
    if (count > 0) buckets.push({ us: bucketHighestUs(index), count })
  })
  const total = counts.reduce((sum, count) => sum + count, 0)
  if (total !== histogram.count) {
    throw new Error(`a histogram holds ${total} values but says ${histogram.count}`)
  }
  decoded.set(histogram, buckets)
  return buckets
}

/** Makes a histogram of µs from counts. Values are rounded to whole µs and kept to three significant digits. */
export function histogramOf(buckets: Iterable<Bucket>): Histogram {
  const counts = new Float64Array(bucketCount)
  for (const { us, count } of buckets) {
    const index = bucketIndex(us)
    counts[index] = (counts[index] as number) + count
  }
  return encodeCounts(counts)
}

/** Adds counts. An empty list gives an empty histogram. */
export function mergeHistograms(histograms: readonly Histogram[]): Histogram {
  const [first] = histograms
  if (first && histograms.length === 1) return first
  return histogramOf(histograms.flatMap(bucketsOf))
}

/**
 * Smallest recorded value in µs that at least `percentile` per cent (0 < p ≤ 100) of the values do not exceed; 0 when
 * the histogram is empty. Right to one part in a thousand.
 */
export function percentileUs(histogram: Histogram, percentile: number): number {
  const buckets = bucketsOf(histogram)
  const rank = rankOf(percentile, histogram.count)
  let seen = 0
  for (const { us, count } of buckets) {
    seen += count
    if (seen >= rank) return us
  }
  return buckets.at(-1)?.us ?? 0
}

/** Largest value in µs; 0 when empty. */
export function maxUs(histogram: Histogram): number {
  return bucketsOf(histogram).at(-1)?.us ?? 0
}

/** How many values lie above `us`, within the histogram's resolution. */
export function countAbove(histogram: Histogram, us: number): number {
  return bucketsOf(histogram).reduce((sum, bucket) => sum + (bucket.us > us ? bucket.count : 0), 0)
}
