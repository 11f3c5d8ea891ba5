/** What is made of a journal: every figure that a report prints. */
import type { BillCategory, Layer, Path } from './paths.js'
import type { Arm, KneeSearch, LoadSpec, MetricId, ResolvedConfig, Threshold } from './plan.js'
import type { Component, Fact, ProofCheck, TrialError } from './running.js'
import type { Fingerprint, Trial } from './journal.js'

/** A figure with its uncertainty. `low` and `high` bound it at `level`. */
export interface Estimate {
  readonly value: number
  readonly unit:
    'ms' | 'us' | 'ratio' | 'req/s' | 'MiB' | 'share' | 'vCPU' | 'currency' | 'count' | 'Gb/s' | 's'
  readonly low: number
  readonly high: number
  /**
   * Present where only one side is known: the truth lies at or above `value`, or below it, and the bound on that side
   * means nothing.
   */
  readonly beyond?: 'above' | 'below'
  /** For example 0.95. */
  readonly level: number
  /** Rounds that the figure rests on. */
  readonly n: number
  /** For example `paired Hodges-Lehmann, bootstrap BCa, 2000 resamples`. */
  readonly method: string
  /** Cells of the journal that it was computed from. */
  readonly cells: readonly string[]
}

export type Verdict = 'better' | 'worse' | 'inconclusive'

/** One metric of one cell against the cell of its baseline (or of another arm), paired by round. */
export interface Comparison {
  readonly id: string
  readonly metric: MetricId
  readonly percentile?: number
  readonly experiment: string
  readonly loadLabel: string
  readonly arm: string
  readonly versus: string
  readonly difference: Estimate
  readonly ratio: Estimate
  /** Lower is better but for throughput. */
  readonly verdict: Verdict
  /** Adjusted for the family of comparisons it belongs to. */
  readonly pValue: number
  /** Smallest difference, in the difference's unit, that this run would have found with 80 % power. */
  readonly detectable: number
}

export interface CurvePoint {
  /** Percentile, 0 < p < 100. */
  readonly percentile: number
  readonly ms: number
  readonly lowMs?: number
  readonly highMs?: number
}

/** One row of the bill, CPU in ms per 1 000 requests and memory in MiB. */
export interface BillRow {
  readonly component: string
  readonly category: BillCategory | 'unaccounted' | 'orchestrator'
  readonly layer?: Layer
  readonly hop?: string
  readonly cpu: Estimate
  readonly cpuUserShare?: number
  /** Resident memory; its proportional part (shared pages divided by those who share them); the most there ever was. */
  readonly memory?: Estimate
  readonly memoryPss?: Estimate
  readonly memoryPeak?: Estimate
  /** Context switches per 1 000 requests, voluntary and not. */
  readonly contextSwitches?: Estimate
  /** Calls of the read(2) and write(2) families per 1 000 requests; not recv, send or epoll. */
  readonly readSyscalls?: Estimate
  readonly writeSyscalls?: Estimate
  /** Of long transfers: CPU seconds per GiB of payload. */
  readonly cpuPerGib?: Estimate
  /** Where the CPU was read, for example `cgroup-v1`, `schedstat`, `ticks`; and the finest step of that. */
  readonly source?: string
  readonly resolutionNs?: number
}

/** One trial of a search. */
export interface KneeTrial {
  readonly round: number
  readonly ratePerSecond: number
  readonly passed: boolean
  /** Response time at the search's percentile; absent when nothing was answered. */
  readonly latencyMs?: number
  readonly unsent: number
  readonly errors: number
}

/** How the search for a cell's knee went; the knee itself is the cell's `throughput`. */
export interface KneeAnalysis {
  readonly search: KneeSearch
  readonly trials: readonly KneeTrial[]
  /**
   * `precise`: as wanted; `probes`: the trials ran out before; `above` and `below`: the knee lies beyond the rates that
   * were tried; `unfinished`: the run ended before the search.
   */
  readonly end: 'precise' | 'probes' | 'above' | 'below' | 'unfinished'
  /** The generator was out of CPU where trials failed: the arm may carry more. */
  readonly generatorLimited: boolean
}

/** What a new connection costs. Both times start when the connection was begun. */
export interface ConnectAnalysis {
  /** percentile as text → ms until the connection stood: on a mesh, with the first hop. */
  readonly time: Readonly<Record<string, Estimate>>
  /** percentile as text → ms until the first byte of the reply: what opening costs along the whole path. */
  readonly firstByte: Readonly<Record<string, Estimate>>
  /** 0: the hops pool what they encrypt, or encrypt nothing; 1: each connection of the client cost a handshake on one leg. */
  readonly handshakesPerConnection?: Estimate
  /** The share of these that resumed an earlier session instead of proving identities anew. */
  readonly resumptionsPerConnection?: Estimate
}

/** What moving bytes costs. */
export interface StreamAnalysis {
  /** Gb/s (10⁹ bits) of payload. */
  readonly throughput: Estimate
  /** Attributed CPU, as in `CellAnalysis.cpu`, in seconds per GiB (2³⁰ bytes) of payload. */
  readonly cpuPerGib?: Estimate
}

/** Estimates of one cell. */
export interface CellAnalysis {
  readonly cell: string
  readonly experiment: string
  readonly arm: string
  readonly load: LoadSpec
  readonly loadLabel: string
  readonly trials: { readonly ok: number; readonly invalid: number; readonly failed: number }
  /** percentile as text (`50`, `90`, `99`, `99.9`) → ms. */
  readonly response?: Readonly<Record<string, Estimate>>
  readonly service?: Readonly<Record<string, Estimate>>
  /** Percentile curve of all valid trials' merged histograms. */
  readonly curve?: readonly CurvePoint[]
  /** Answered requests a second; where the knee was searched, the largest rate that kept the promise. */
  readonly throughput: Estimate
  /** Present where the knee was searched. Figures at one rate are absent then: the trials had different ones. */
  readonly knee?: KneeAnalysis
  /**
   * Attributed CPU, in ms per 1 000 requests: what the counters of the hops, the application and the control plane
   * show. Generator and orchestrator are left out, and so is what no component accounts for (softirq, kernel workers,
   * other people's work): that is the bill's row `unaccounted`.
   */
  readonly cpu?: Estimate
  /** The same of the hops alone. */
  readonly hopCpu?: Estimate
  /** Resident memory of the hops, MiB. */
  readonly hopMemory?: Estimate
  /** Of an experiment that opens a connection for every request. */
  readonly connect?: ConnectAnalysis
  /** Of an experiment with long transfers. */
  readonly stream?: StreamAnalysis
  readonly bill: readonly BillRow[]
  /** Components + unaccounted − host total, as a share of the host total. */
  readonly billGapShare?: number
  /** Part of the host total that no component, generator and orchestrator included, accounts for. */
  readonly unaccountedShare?: number
  readonly errorShare: number
  /** What the engine that drove it cannot give, in words. */
  readonly engineLimits?: readonly string[]
}

/** What one layer of hops adds, from the increments between paths. */
export interface Increment {
  readonly title: string
  readonly fromArm: string
  readonly toArm: string
  readonly latencyP50: Estimate
  readonly cpu: Estimate
}

export type ClaimId = 'C1' | 'C2' | 'C3' | 'C4' | 'C5' | 'C6' | 'C7' | 'C8' | 'C9' | 'C10' | 'C11' | 'C12'

export interface ClaimAnalysis {
  readonly id: ClaimId
  readonly claim: string
  readonly verdict: 'supported' | 'refuted' | 'inconclusive' | 'no data'
  /** Plain sentence with figures and intervals. */
  readonly sentence: string
  readonly figures: readonly { readonly label: string; readonly estimate: Estimate }[]
  /** What would decide it, when it is inconclusive or has no data. */
  readonly next?: string
}

export interface ThresholdVerdict {
  readonly threshold: Threshold
  readonly state: 'pass' | 'fail' | 'inconclusive' | 'no data'
  readonly expected: string
  readonly actual?: Estimate
  readonly sentence: string
}

/** The A/A comparison: how far two measurements of the same thing lie apart. */
export interface NoiseFloor {
  readonly environment: string
  readonly loadLabel: string
  readonly experiment: string
  readonly latencyP50: Estimate
  readonly latencyP99: Estimate
  readonly cpu?: Estimate
  /** True when the two differ significantly: the run cannot be trusted to its printed precision. */
  readonly differs: boolean
}

/** A trial without its histograms, for tables and strips. */
export interface TrialSummary {
  readonly index: number
  readonly round: number
  readonly cell: string
  readonly arm: string
  readonly experiment: string
  readonly attempt: number
  readonly state: Trial['state']
  readonly startedAt: string
  /** Of a search's trial: the rate it was asked for. */
  readonly ratePerSecond?: number
  readonly p50Ms?: number
  readonly p99Ms?: number
  readonly achievedRatePerSecond?: number
  readonly cpuMsPer1000?: number
  readonly connectP50Ms?: number
  readonly connectP99Ms?: number
  readonly firstByteP50Ms?: number
  readonly firstByteP99Ms?: number
  readonly gigabitsPerSecond?: number
  readonly cpuSecondsPerGib?: number
  readonly sendLagP99Us?: number
  /** CPU of the generator as a share of what it may use: a core for each worker of each generator. */
  readonly generatorCpuShare?: number
  readonly sent?: number
  readonly unsent?: number
  readonly errors?: number
  readonly reasons: readonly string[]
  readonly warnings: readonly string[]
  readonly error?: TrialError
  readonly proofFailures: readonly ProofCheck[]
}

/** Everything a report shows. A pure function of the journal. */
export interface Analysis {
  readonly schema: 1
  readonly version: string
  readonly runId: string
  readonly startedAt: string
  readonly endedAt: string
  readonly outcome: 'complete' | 'precise' | 'budget' | 'interrupted' | 'failed' | 'unfinished'
  readonly command: readonly string[]
  readonly planHash: string
  readonly config: ResolvedConfig
  readonly host: Fingerprint
  readonly facts: readonly Fact[]
  readonly arms: readonly Arm[]
  readonly paths: readonly Path[]
  readonly components: readonly Component[]
  readonly cells: readonly CellAnalysis[]
  readonly comparisons: readonly Comparison[]
  readonly noise: readonly NoiseFloor[]
  readonly increments: readonly Increment[]
  readonly claims: readonly ClaimAnalysis[]
  readonly thresholds: readonly ThresholdVerdict[]
  readonly trials: readonly TrialSummary[]
  /** arm → checks: those made once, and a count of those made at each trial. */
  readonly proofs: Readonly<Record<string, readonly (ProofCheck & { readonly trials?: number })[]>>
  readonly failures: Readonly<Record<string, TrialError>>
  readonly rounds: { readonly planned: number; readonly done: number }
  readonly warnings: readonly string[]
}
