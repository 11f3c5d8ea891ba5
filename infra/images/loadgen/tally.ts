/**
 * Counts and histograms in memory that a sender writes and the main thread reads, so that progress, merging and
 * encoding never take a microsecond from the thread that keeps the schedule.
 */
import { bucketCount, bucketIndex } from '../../../harness/protocol/histogram.js'
import { type ErrorKind, errorKinds } from '../../../harness/protocol/result.js'

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
