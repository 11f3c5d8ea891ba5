/** What a run writes down, one line for each thing that happened. */
import type { BillCategory } from './paths.js'
import type { Plan } from './plan.js'
import type { Component, Fact, ProofCheck, TrialError, UsageReading } from './running.js'

/** HDR histogram of microseconds, three significant digits, whole. */
export interface Histogram {
  readonly unit: 'us'
  readonly encoding: 'hdr-v2-deflate-base64'
  readonly data: string
  readonly count: number
}

export type ErrorKind = 'connect' | 'timeout' | 'reset' | '4xx' | '5xx' | 'mismatch' | 'other'

/** What a load engine reports of one measured window. */
export interface LoadResult {
  readonly engine: string
  /** Generators that shared the load; absent: one. */
  readonly generators?: number
  /** Requests sent in the window; `sent = ok + sum(errors)`. */
  readonly sent: number
  readonly ok: number
  readonly errors: Readonly<Partial<Record<ErrorKind, number>>>
  /** Due in the window but never sent. */
  readonly unsent: number
  /** Length of the window as it was, from the first due instant to the last reply. */
  readonly windowMs: number
  /**
   * Requests answered `ok`, for each second of the time that sending them took: an open loop's counts from the first due
   * instant to the last sent request, a closed loop's to the last reply, both for as long as was asked at least. Engines
   * of others have their own clock.
   */
  readonly achievedRatePerSecond: number
  /** Connections opened from the start of warm-up to the end of the window. */
  readonly connectionsOpened: number
  /** Requests sent before the window, so that hop counters can be reconciled to the request. */
  readonly warmupSent: number
  /** Most requests that may have reached the server beyond those that are counted; absent: none. */
  readonly uncounted?: number
  /** Bytes of reply bodies received in the window. */
  readonly bodyBytes: number
  /** Response time, from due; absent for engines that know no due time. */
  readonly response?: Histogram
  /** Service time, from sent. */
  readonly service?: Histogram
  /** Sent − due; absent for closed loop. */
  readonly sendLag?: Histogram
  /** The generator's own CPU in the window. */
  readonly generatorCpuUs: number
  /** Time to connect, for engines that open connections in the window. */
  readonly connect?: Histogram
  /** From when a connection was begun to the first byte of the reply on it, for the same engines. */
  readonly firstByte?: Histogram
  /** Figures that this engine does not know: `unsent` is then 0 for want of anything better, the others are absent. */
  readonly unknown?: readonly ('response' | 'service' | 'sendLag' | 'unsent')[]
  /** What this engine cannot give, in words for the report. */
  readonly limits?: readonly string[]
}

/** What one component used over one window. */
export interface ComponentUsage extends Omit<UsageReading, 'throttledNs'> {
  readonly component: string
  readonly category: BillCategory
}

/** The bill of one window. `host` is not the sum of `components`: the difference is what nobody accounts for. */
export interface Usage {
  readonly windowMs: number
  readonly cpus: number
  readonly hostBusyNs: number
  readonly hostSoftirqNs: number
  readonly hostStealNs: number
  readonly orchestratorNs: number
  readonly components: readonly ComponentUsage[]
}

/** One trial as the journal keeps it. Nothing is dropped: `invalid` and `failed` trials stay, with reasons. */
export interface Trial {
  readonly type: 'trial'
  readonly index: number
  readonly round: number
  readonly cell: string
  /** 0 for the first attempt; an invalid trial is run once more. */
  readonly attempt: number
  /** Rate that a search asked this trial for; other trials have that of their cell's load. */
  readonly ratePerSecond?: number
  readonly state: 'ok' | 'invalid' | 'failed'
  readonly startedAt: string
  readonly elapsedMs: number
  readonly load?: LoadResult
  readonly usage?: Usage
  /** Mutual TLS handshakes that the arm’s hops began in warm-up and window; absent where no hop tells. */
  readonly tlsHandshakes?: number
  /** Those of them that resumed a session. */
  readonly tlsResumptions?: number
  readonly proof: readonly ProofCheck[]
  /** Why the trial is invalid. */
  readonly reasons: readonly string[]
  /** Oddities that do not make it invalid. */
  readonly warnings: readonly string[]
  readonly error?: TrialError
}

/** First line of a journal. */
export interface RunHeader {
  readonly type: 'run'
  readonly schema: 1
  readonly runId: string
  readonly version: string
  readonly startedAt: string
  readonly command: readonly string[]
  /** Flags that shaped the plan, so that a resumed run can tell whether config and flags still make the same one. */
  readonly flags?: Readonly<Record<string, unknown>>
  readonly plan: Plan
  readonly host: Fingerprint
}

/** Where a run was measured. Absolute figures are comparable only under an equal `hostKey`. */
export interface Fingerprint {
  /** Hash over CPU model, CPU count, memory and kernel. */
  readonly hostKey: string
  readonly cpuModel: string
  readonly cpus: number
  readonly memoryBytes: number
  readonly kernel: string
  readonly os: string
  readonly arch: string
  readonly cgroup: string
  readonly node: string
  readonly loadAverage1m: number
  /** image name → SHA-256 of its bundle. */
  readonly bundles: Readonly<Record<string, string>>
}

export type JournalEntry =
  | RunHeader
  | Trial
  | {
      readonly type: 'environment'
      readonly environment: string
      readonly at: string
      readonly facts: readonly Fact[]
      readonly components: readonly Component[]
      /** arm → checks made once, when the arm came up. */
      readonly proofs: Readonly<Record<string, readonly ProofCheck[]>>
      /** arm → why it did not come up. */
      readonly failures: Readonly<Record<string, TrialError>>
    }
  | { readonly type: 'resume'; readonly at: string; readonly command: readonly string[] }
  | { readonly type: 'note'; readonly at: string; readonly text: string }
  | {
      readonly type: 'end'
      readonly at: string
      readonly outcome: 'complete' | 'precise' | 'budget' | 'interrupted' | 'failed'
      readonly message?: string
    }
