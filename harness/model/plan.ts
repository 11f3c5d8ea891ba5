/** What a run is asked to do: arms, loads, rounds, limits. */
import type { Path, Protocol } from './paths.js'

/**
 * One column of a comparison. `id` is `mesh/path`, with `@variant` for a build or setting under test; the A/A twin of
 * a baseline is `none/baseline-twin`.
 */
export interface Arm {
  readonly id: string
  readonly mesh: string
  readonly path: string
  readonly variant?: string
  /** Arm id of the same path that a variant is judged against; absent for what is not judged. */
  readonly control?: string
  /** `twin` is the baseline measured a second time under another name: its difference is the noise floor. */
  readonly role: 'baseline' | 'twin' | 'subject'
  /** Environment that this arm runs in; arms are compared only within one environment. */
  readonly environment: string
  /** Arm id that this arm is compared with; a baseline names itself. */
  readonly baseline: string
}

/** Load that one trial drives. */
export interface LoadSpec {
  /** Name in the load engine registry. */
  readonly engine: string
  /** `open`: requests are due on a schedule; `closed`: each connection sends as soon as it may. */
  readonly model: 'open' | 'closed'
  readonly protocol: Protocol
  /** Open loop only. */
  readonly ratePerSecond?: number
  readonly arrival?: 'uniform' | 'poisson'
  readonly connections: number
  readonly warmupMs: number
  readonly durationMs: number
  /** Bytes of the reply's body. */
  readonly payloadBytes: number
  /** After this a request counts as a `timeout` error. */
  readonly timeoutMs: number
  /** Processes or threads that share the load; their histograms are merged. */
  readonly workers?: number
  /** Fields of every request beyond the usual ones: lower-case name → value. */
  readonly headers?: Readonly<Record<string, string>>
}

/** How the largest rate at which an arm still keeps its promise is searched: its trials' rates are decided as it goes. */
export interface KneeSearch {
  /** A trial passes when this percentile of its response times is at most `latencyMs` and no request failed or was left. */
  readonly percentile: number
  readonly latencyMs: number
  /** First rate to try. */
  readonly startPerSecond: number
  readonly minPerSecond: number
  readonly maxPerSecond: number
  /** The search ends when the interval is within ± this share of the knee. */
  readonly precision: number
  /** Most trials of one arm. */
  readonly maxProbes: number
}

/** One arm under one load: the unit that gets estimates. */
export interface Cell {
  /** `experiment|arm|load label`, unique in the plan. */
  readonly id: string
  readonly experiment: string
  readonly arm: string
  readonly load: LoadSpec
  /** Label of the load without the arm, shared by all cells that are compared, for example `1000/s c16 1024B http1`. */
  readonly loadLabel: string
  /** Absent: every trial has the load as it is. Else `load` has no rate, and each trial has one of its own. */
  readonly search?: KneeSearch
}

/** One planned trial. */
export interface TrialSpec {
  /** Position in the plan's order, from 0. */
  readonly index: number
  /** Arms are compared within a round. Rounds count from 0 within an experiment's load. */
  readonly round: number
  readonly cell: string
}

/** Everything that will be done, before anything is done. Pure function of the config. */
export interface Plan {
  readonly schema: 1
  /** SHA-256 over config, arms, cells and order: two runs with one hash did the same work. */
  readonly hash: string
  readonly config: ResolvedConfig
  readonly arms: readonly Arm[]
  readonly paths: readonly Path[]
  readonly cells: readonly Cell[]
  readonly order: readonly TrialSpec[]
  readonly estimateMs: number
}

/** The config after defaults, profile and flags. Serialisable: it is written into the journal. */
export interface ResolvedConfig {
  readonly seed: number
  readonly profile: string
  readonly platform: string
  /** mesh → paths, baseline left out (it is always there). */
  readonly arms: Readonly<Record<string, readonly string[]>>
  /** experiment name → its settings after defaults. */
  readonly experiments: Readonly<Record<string, unknown>>
  /** experiment name → load engine that drives it, for those that are not driven by their own. */
  readonly engines?: Readonly<Record<string, string>>
  readonly rounds: {
    readonly min: number
    readonly max: number
    /** Stop early when every paired ratio is known to ± this share, for example 0.05. */
    readonly untilEffect: number
    readonly budgetMinutes: number
    /** How often environments that cannot stand side by side (clusters) take turns; absent: each is measured at one go. */
    readonly blocks?: number
  }
  readonly thresholds: readonly Threshold[]
  /** Builds and settings that are measured side by side; see harness/config/variants.ts. */
  readonly variants?: readonly Variant[]
  /** How variants are judged; absent in journals from before there were any. */
  readonly gate?: GatePolicy
  readonly cost: { readonly perVcpuHour: number; readonly perGibHour: number; readonly currency: string }
  /** A mesh's own settings, by mesh name, for example the tunnel's pool size. */
  readonly meshSettings: Readonly<Record<string, unknown>>
  /** A platform's own settings, by platform name, for example the base image of containers. */
  readonly platformSettings: Readonly<Record<string, unknown>>
  readonly validity: ValidityLimits
  readonly outDir: string
}

/** Programs of this repository that hops run. */
export type OwnProgram = 'proxy' | 'tunnel'

/** Another build of a program: a bundle by the hash of its content, or a container image that holds it. */
export type ProgramBuild = { readonly sha256: string } | { readonly reference: string }

/** A build or a setting under test. Every arm is measured with each variant, interleaved in the same rounds. */
export interface Variant {
  readonly name: string
  /** Where it came from, in words for the report. */
  readonly source: string
  /** Laid over the settings of the arm's mesh, key by key. */
  readonly settings: Readonly<Record<string, unknown>>
  readonly builds: Readonly<Partial<Record<OwnProgram, ProgramBuild>>>
  /** The one function of an L7 hop that it turns on, by its name in scenarios/functions.ts. */
  readonly function?: string
  /** What requests must carry for it; the requests of every arm of the run do. */
  readonly requestHeaders?: Readonly<Record<string, string>>
}

/** One metric that a variant is judged by. */
export interface GateCheck {
  readonly metric: MetricId
  readonly percentile?: number
  /** Smallest relative change that matters, for example 0.05. */
  readonly practical: number
}

/** How `meshbench gate` judges variants. */
export interface GatePolicy {
  readonly checks: readonly GateCheck[]
  /** What an undecided check does to the exit code. */
  readonly inconclusive: 'pass' | 'fail'
}

/** Limits beyond which a trial is `invalid`. */
export interface ValidityLimits {
  /** Share of achieved over asked rate, for example 0.98. */
  readonly minAchievedShare: number
  readonly maxSendLagP99Us: number
  /** Share of one core that one generator worker may use, for example 0.9. */
  readonly maxGeneratorCpuShare: number
  readonly maxErrorShare: number
  readonly maxStealShare: number
  /** CPU used by processes that are not part of the run, as a share of the host. */
  readonly maxForeignCpuShare: number
}

/** A figure that arms are compared by. */
export type MetricId =
  | 'latency.response'
  | 'latency.service'
  | 'latency.added'
  | 'throughput'
  | 'cpu.per1000Requests'
  | 'cpu.added'
  | 'memory.rss'
  | 'memory.added'
  | 'errors.share'
  | 'connect.time'
  | 'connect.firstByte'
  | 'stream.throughput'
  | 'cpu.perGib'

/** A condition that decides the exit code. */
export interface Threshold {
  readonly metric: MetricId
  /** For `latency.*`: 50, 90, 99, 99.9. */
  readonly percentile?: number
  readonly arm: string
  /** Compare with this arm instead of the arm's baseline. */
  readonly relativeTo?: string
  readonly experiment?: string
  /** Upper limit in the metric's unit; with `relativeTo`, of the ratio. */
  readonly max?: number
  readonly min?: number
  /** Absolute figures do not travel between hosts: they need to be marked as meant. */
  readonly absolute?: boolean
}
