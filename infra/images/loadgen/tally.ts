/**
 * Counts and histograms in memory that a sender writes and the main thread reads, so that progress, merging and
 * encoding never take a microsecond from the thread that keeps the schedule.
 *
 * Buckets are those of an HDR histogram with three significant digits of whole µs: up to 2047 µs each value has its
 * own; above, each doubling is cut into 1024.
 */
import { build, encodeIntoCompressedBase64 } from 'hdr-histogram-js'
import { type EncodedHistogram, type ErrorKind, errorKinds } from './events.js'

const highestUs = 2 ** 31 - 1
const bucketCount = 22 * 1024

/** Index of the bucket for a time in µs; negative times count as 0. */
export function bucketIndex(us: number): number {
  const value = us >= highestUs ? highestUs : us > 0 ? Math.round(us) : 0
  if (value < 2048) return value
  const shift = 21 - Math.clz32(value)
  return (shift << 10) + (value >>> shift)
}

/** Highest whole µs that falls into a bucket. */
export function bucketHighestUs(index: number): number {
  if (index < 2048) return index
  const shift = (index >>> 10) - 1
  return (index - shift * 1024 + 1) * 2 ** shift - 1
}

export const histogramNames = ['response', 'service', 'sendLag', 'connect', 'firstByte'] as const
export type HistogramName = (typeof histogramNames)[number]

const counterNames = [
  'sent',
  'ok',
  ...errorKinds,
  'unsent',
  'bodyBytes',
  'connectionsOpened',
  'lastSentUs',
  'lastReplyUs',
] as const
type CounterName = (typeof counterNames)[number]

const counterBytes = counterNames.length * Float64Array.BYTES_PER_ELEMENT
const histogramBytes = bucketCount * Uint32Array.BYTES_PER_ELEMENT

/** One sender's tally. One thread writes; others may read at any time and see values that were true a moment ago. */
export class Tally {
  readonly memory: SharedArrayBuffer
  readonly #counters: Float64Array
  readonly response: Uint32Array
  readonly service: Uint32Array
  readonly sendLag: Uint32Array
  readonly connect: Uint32Array
  readonly firstByte: Uint32Array

  constructor(memory = new SharedArrayBuffer(counterBytes + histogramNames.length * histogramBytes)) {
    this.memory = memory
    this.#counters = new Float64Array(memory, 0, counterNames.length)
    const histogram = (index: number): Uint32Array =>
      new Uint32Array(memory, counterBytes + index * histogramBytes, bucketCount)
    this.response = histogram(0)
    this.service = histogram(1)
    this.sendLag = histogram(2)
    this.connect = histogram(3)
    this.firstByte = histogram(4)
  }

  get(name: CounterName): number {
    return this.#counters[counterIndex[name]] as number
  }

  add(name: CounterName, amount = 1): void {
    const index = counterIndex[name]
    this.#counters[index] = (this.#counters[index] as number) + amount
  }

  set(name: CounterName, value: number): void {
    this.#counters[counterIndex[name]] = value
  }

  /** Forgets everything but the connections opened. */
  startPhase(): void {
    const opened = this.get('connectionsOpened')
    this.#counters.fill(0)
    this.set('connectionsOpened', opened)
    for (const name of histogramNames) this[name].fill(0)
  }
}

const counterIndex = Object.fromEntries(counterNames.map((name, index) => [name, index])) as Record<
  CounterName,
  number
>

/** Adds one value in µs to a histogram of a tally. */
export function record(histogram: Uint32Array, us: number): void {
  const index = bucketIndex(us)
  histogram[index] = (histogram[index] as number) + 1
}

/** Sum of a counter over several tallies. */
export function sumOf(tallies: readonly Tally[], name: CounterName): number {
  return tallies.reduce((sum, tally) => sum + tally.get(name), 0)
}

/** Errors by kind, those that happened. */
export function errorsOf(tallies: readonly Tally[]): Partial<Record<ErrorKind, number>> {
  return Object.fromEntries(
    errorKinds.map((kind) => [kind, sumOf(tallies, kind)] as const).filter(([, count]) => count > 0),
  )
}

/** Adds the counts of one histogram over several tallies. */
export function mergeCounts(tallies: readonly Tally[], name: HistogramName): Float64Array {
  const sum = new Float64Array(bucketCount)
  for (const tally of tallies) {
    const counts = tally[name]
    for (let index = 0; index < bucketCount; index++) {
      const count = counts[index] as number
      if (count > 0) sum[index] = (sum[index] as number) + count
    }
  }
  return sum
}

/** Percentile of merged counts in µs, or undefined when there are none. */
export function percentileOf(counts: Float64Array, percentile: number): number | undefined {
  const total = counts.reduce((sum, count) => sum + count, 0)
  if (total === 0) return undefined
  const rank = Math.max(1, Math.ceil((percentile / 100) * total - 1e-6))
  let seen = 0
  for (let index = 0; index < counts.length; index++) {
    seen += counts[index] as number
    if (seen >= rank) return bucketHighestUs(index)
  }
  return undefined
}

/** Encodes merged counts as the harness reads them. */
export function encodeCounts(counts: Float64Array): EncodedHistogram {
  const hdr = build({
    bitBucketSize: 64,
    lowestDiscernibleValue: 1,
    highestTrackableValue: highestUs,
    numberOfSignificantValueDigits: 3,
  })
  for (let index = 0; index < counts.length; index++) {
    const count = counts[index] as number
    if (count > 0) hdr.recordValueWithCount(bucketHighestUs(index), count)
  }
  return {
    unit: 'us',
    encoding: 'hdr-v2-deflate-base64',
    data: encodeIntoCompressedBase64(hdr),
    count: hdr.totalCount,
  }
}
