/**
 * Counts and histograms in memory that a sender writes and the main thread reads, so that progress, merging and
 * encoding never take a microsecond from the thread that keeps the schedule.
 */
import { bucketCount, bucketHighestUs, bucketIndex, rankOf } from '../../../harness/protocol/histogram.js'
import { type ErrorKind, type Slices, errorKinds } from '../../../harness/protocol/result.js'

const histogramNames = ['response', 'service', 'sendLag', 'connect', 'firstByte'] as const
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

const sliceFields = ['ok', 'failed', 'sumUs', 'maxUs'] as const
const sliceLength = sliceFields.length

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
  /** A row of `sliceFields` for each slice of the window. */
  readonly #slices: Float64Array

  constructor(memory = tallyMemory(0)) {
    this.memory = memory
    this.#counters = new Float64Array(memory, 0, counterNames.length)
    const histogram = (index: number): Uint32Array =>
      new Uint32Array(memory, counterBytes + index * histogramBytes, bucketCount)
    this.response = histogram(0)
    this.service = histogram(1)
    this.sendLag = histogram(2)
    this.connect = histogram(3)
    this.firstByte = histogram(4)
    this.#slices = new Float64Array(memory, counterBytes + histogramNames.length * histogramBytes)
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
    this.#slices.fill(0)
  }

  /** Counts a request that was due in this slice; `us` is its response time, undefined when it failed. */
  addToSlice(slice: number, us: number | undefined): void {
    const at = slice * sliceLength
    if (at < 0 || at >= this.#slices.length) return
    const add = (field: number, amount: number) =>
      void (this.#slices[at + field] = (this.#slices[at + field] as number) + amount)
    if (us === undefined) return add(1, 1)
    add(0, 1)
    add(2, us)
    this.#slices[at + 3] = Math.max(this.#slices[at + 3] as number, us)
  }

  /** Whole µs. */
  readSlices(): Slices['workloads'][number] {
    const column = (field: number) =>
      Array.from({ length: this.#slices.length / sliceLength }, (_, slice) =>
        Math.round(this.#slices[slice * sliceLength + field] as number),
      )
    const ok = column(0)
    return {
      ok,
      failed: column(1),
      meanUs: column(2).map((sum, slice) => Math.round(sum / Math.max(1, ok[slice] ?? 0))),
      maxUs: column(3),
    }
  }
}

/** For counters, histograms, and as many slices. */
export function tallyMemory(slices: number): SharedArrayBuffer {
  const bytes = counterBytes + histogramNames.length * histogramBytes
  return new SharedArrayBuffer(bytes + slices * sliceLength * Float64Array.BYTES_PER_ELEMENT)
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

export function sumOf(tallies: readonly Tally[], name: CounterName): number {
  return tallies.reduce((sum, tally) => sum + tally.get(name), 0)
}

/** What progress tells; the percentile is of this histogram. */
export function soFar(tallies: readonly Tally[], name: HistogramName) {
  const p99Us = percentileUs(tallies, name, 99)
  const counts = { sent: sumOf(tallies, 'sent'), ok: sumOf(tallies, 'ok') }
  return p99Us === undefined ? counts : { ...counts, p99Us }
}

export function errorsOf(tallies: readonly Tally[]): Partial<Record<ErrorKind, number>> {
  return Object.fromEntries(
    errorKinds.map((kind) => [kind, sumOf(tallies, kind)] as const).filter(([, count]) => count > 0),
  )
}

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

/**
 * Percentile in µs of a histogram over several tallies while they go on, undefined while nothing was answered. It reads no
 * further than it has to: the thread that asks shares its cores with the senders.
 */
export function percentileUs(
  tallies: readonly Tally[],
  name: HistogramName,
  percentile: number,
): number | undefined {
  const ok = sumOf(tallies, 'ok')
  const rank = rankOf(percentile, ok)
  let seen = 0
  for (let index = 0; index < bucketCount && ok > 0; index++) {
    for (const tally of tallies) seen += tally[name][index] as number
    if (seen >= rank) return bucketHighestUs(index)
  }
  return undefined
}
