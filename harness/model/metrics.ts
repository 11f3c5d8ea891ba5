/** What a metric says of itself, so that whoever compares, judges, draws or prints it asks the metric and no list of names. */
import type { CellAnalysis, Estimate } from './analysis.js'
import type { Trial } from './journal.js'

/** Histograms of a trial that tell how long something took. */
export type Timing = 'response' | 'service' | 'connect' | 'firstByte'

/** The bill of one trial, in ns of CPU. */
export interface TrialBill {
  readonly orchestratorNs: number
  readonly hopsNs: number
  /** Components of other arms: idle, and there only because arms are measured side by side. */
  readonly bystandersNs: number
  /** Busy time of the host that none of these accounts for; may be below zero by the probes' resolution. */
  readonly unaccountedNs: number
  readonly hostBusyNs: number
  /**
   * Hops, application and control plane: what can be charged to an arm. What nobody accounts for is a row of its own,
   * since on a shared host it is mostly other people's work.
   */
  readonly attributedNs: number
  /** The finest step of `attributedNs`: that of all counters that it is the sum of. Likewise of the others. */
  readonly attributedStepNs: number
  readonly hopsStepNs: number
  readonly bystandersStepNs: number
  readonly unaccountedStepNs: number
  /** As the kernel splits `hopsNs` by sampling; undefined where it does not. */
  readonly hopsUserNs: number | undefined
  readonly hopsSystemNs: number | undefined
  readonly hopsRssBytes: number | undefined
  /** Undefined unless every hop has it. */
  readonly hopsPssBytes: number | undefined
  readonly applicationRssBytes: number | undefined
  /** Proportional set size where the kernel tells it of all that is counted, else resident; undefined where there is nothing. */
  readonly applicationMemoryBytes: number | undefined
  /** Of the hops that work at L7 alone. */
  readonly l7MemoryBytes: number | undefined
  /** How many those are. */
  readonly l7Hops: number
  readonly l7Ns: number
}

/** A trial with what has to be worked out of it before it can be read. */
export interface TrialReading {
  readonly trial: Trial
  /** Undefined when the trial has no usage. */
  readonly bill: TrialBill | undefined
  /** Percentile in ms; undefined when the trial has no such times. */
  percentileMs(kind: Timing, percentile: number): number | undefined
}

export type ByPercentile = Readonly<Record<string, Estimate>>

interface Described<Id extends string> {
  /** How configs, thresholds and analyses name it. */
  readonly id: Id
  /** In words, at the start of a sentence. */
  readonly title: string
  readonly unit: Estimate['unit']
  readonly better: 'less' | 'more'
  /** Of times: those that are compared. Absent: it takes no percentile. */
  readonly percentiles?: readonly number[]
  /** Figures for whose precision a run goes on: all, or these percentiles. Absent: a run does not wait for it. */
  readonly awaited?: true | readonly number[]
  /** An absolute limit on it means the same on every host. */
  readonly travels?: true
  /** What a gate asks of it where a config says nothing: the smallest relative change that matters. */
  readonly gate?: { readonly practical: number; readonly percentile?: number }
}

export interface ReadMetric<Id extends string = string> extends Described<Id> {
  /** Undefined when the trial cannot tell. Of times, `percentile` is one of `percentiles`. */
  read(reading: TrialReading, percentile: number): number | undefined
  /** The finest step that the figure can take in this trial, in its unit: of a clock, a page, a tick, one request. */
  resolution(reading: TrialReading, percentile: number): number
  /**
   * How many things the figure of a trial was counted over, each by itself. It is exact then, so that no rounding by its
   * resolution hides anything: how sure rounds are that all agree is by the number of things. Absent: it is read, not counted.
   */
  counts?(reading: TrialReading): number
  /** What one sample is: each round gives another, or one process lives through all rounds, so that they are not independent. */
  readonly sample: 'round' | 'process'
  /** Counted over a cell's trials rather than estimated over rounds: arms are not compared by it. */
  readonly counted?: true
  /** What stands in for it where an engine cannot know it. */
  readonly substitute?: ReadMetric
  /** Where a cell's estimates are kept; absent: in its `figures`. */
  ofCell?(cell: CellAnalysis): Estimate | ByPercentile | undefined
  /** Its family in OpenMetrics, in base units. Absent: it is not exported. */
  readonly openMetrics?: {
    readonly name: string
    readonly unit?: 'seconds' | 'bytes'
    readonly help: string
    readonly factor: number
  }
}

/** What an arm adds to its baseline: a difference of two trials, so that no single trial has a value of it. */
export interface AddedMetric<Id extends string = string> extends Described<Id> {
  readonly addedTo: ReadMetric
}

export type Metric<Id extends string = string> = ReadMetric<Id> | AddedMetric<Id>
