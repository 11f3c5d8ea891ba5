/** Reads, merges and writes the histograms of a journal; percentiles come from counts and are never averaged. */
import {
  bucketCount,
  bucketHighestUs,
  bucketIndex,
  decodeCounts,
  encodeCounts,
  percentileOfCounts,
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
const decoded = new WeakMap<Histogram, Float64Array>()

/** Throws when the data is not what its encoding says. */
function countsOf(histogram: Histogram): Float64Array {
  const known = decoded.get(histogram)
  if (known) return known
  let counts: Float64Array
  try {
    counts = decodeCounts(histogram)
  } catch (error) {
    throw new Error(`a histogram cannot be decoded: ${messageOf(error)}`, { cause: error })
  }
  const total = counts.reduce((sum, count) => sum + count, 0)
  if (total !== histogram.count) {
    throw new Error(`a histogram holds ${total} values but says ${histogram.count}`)
  }
  decoded.set(histogram, counts)
  return counts
}

/** The histogram's buckets that hold something, ascending. Throws likewise. */
export function bucketsOf(histogram: Histogram): readonly Bucket[] {
  return [...countsOf(histogram)].flatMap((count, index) =>
    count > 0 ? [{ us: bucketHighestUs(index), count }] : [],
  )
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
  return percentileOfCounts(countsOf(histogram), percentile) ?? 0
}

/** Largest value in µs; 0 when empty. */
export function maxUs(histogram: Histogram): number {
  return bucketsOf(histogram).at(-1)?.us ?? 0
}

/** How many values lie above `us`, within the histogram's resolution. */
export function countAbove(histogram: Histogram, us: number): number {
  return bucketsOf(histogram).reduce((sum, bucket) => sum + (bucket.us > us ? bucket.count : 0), 0)
}
