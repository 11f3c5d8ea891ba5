/** Where things run, and what a run hands to whoever brings them up. */
import type { z } from 'zod'
import type { ResolvedConfig } from '../config.js'
import type { Downloads, NeededDownloads } from '../downloads.js'
import type { Path } from '../paths.js'
import type { Arm } from '../plan.js'
import type { Change } from '../script.js'
import type { TrialError } from './faults.js'
import type { Fact, HostReading, UsageReading } from './readings.js'
import type { Command, Component, Deployed, Endpoint, Running, Workload } from './workloads.js'

/** Registers what must be undone; see harness/process/scope.ts. */
export interface Scope {
  readonly runId: string
  /** Aborted on interrupt. */
  readonly signal: AbortSignal
  defer(title: string, undo: () => Promise<void> | void): void
  /** Where the run keeps what it may need again or must clean up later. */
  readonly stateDir: string
  /** Folder for evidence of failures that outlives the run, beside its journal; made when there is some. */
  readonly evidenceDir?: string
}

/** A need that the host does not meet, with its remedy. */
export interface Unmet {
  readonly need: string
  readonly found: string
  readonly remedy: string
}

/** Shows visible steps to the person who waits. */
export interface Progress {
  /** `done` is the title once it has been run, where that depends on what came of it. */
  step<T>(title: string, run: () => Promise<T>, done?: (value: T) => string): Promise<T>
  note(text: string): void
}

export interface EnvironmentRequest {
  /** Environment id of the plan, for example `local`, or `kind/istio-ambient`. */
  readonly id: string
  readonly config: ResolvedConfig
  readonly arms: readonly Arm[]
  readonly paths: readonly Path[]
}

/**
 * What a mesh can live on: hops that Meshbench starts itself, network namespaces whose rules it may set, a Kubernetes
 * cluster, or one that was made for it.
 */
export type Ground = 'own-hops' | 'namespaces' | 'cluster' | 'new-cluster'

/** Where things run. One file each in infra/platforms. */
export interface Platform {
  readonly name: string
  readonly summary: string
  readonly offers: readonly Ground[]
  /** `shared`: all meshes live in one environment and are compared directly; `per-mesh`: one environment each. */
  readonly environments: 'shared' | 'per-mesh'
  /** Arms that are measured here beside those of a config, unless a flag chooses arms: mesh → paths. */
  readonly addsArms?: Readonly<Record<string, readonly string[]>>
  /** How another build of this repository's programs is given here: as a bundle, or as a container image. */
  readonly builds: 'bundle' | 'image'
  /** Copies of an arm can be units of L7 capacity; see `copySchema`. */
  readonly hasUnits?: true
  /** Its hosts have `change`: hops can be ended, paused and started while load runs. */
  readonly changesHops?: {
    /** How much longer than a program of this machine a hop may take to come back; windows are that much longer for each start. */
    readonly restartMs: number
  }
  /** It deploys what is no hop of a path, so that functions which call a service find one. */
  readonly raisesServices?: true
  /** For the estimate of a plan: measured on two cores that do nothing else. */
  readonly times: PlatformTimes
  /** Arms that are brought up at a time, where that is mostly waiting; default 1. */
  readonly armsAtOnce?: number
  /** Its part of the config's `platformSettings`, with defaults; absent: nothing can be set. */
  readonly settings?: z.ZodType
  /** Switches among its settings that have a flag of the command line (`allowThis` is `--allow-this`), and what they do. */
  readonly flags?: Readonly<Record<string, string>>
  /** What it downloads with these settings, beside what the meshes of the run need. */
  downloads?(settings: unknown, meshes: readonly Downloads[]): readonly NeededDownloads[]
  /** What runs that were killed left on it, of one run or of all; the caller knows which runs are still alive. */
  leftovers?(runId?: string): Promise<readonly PlatformLeftover[]>
  /** All unmet needs at once; creates nothing. */
  check(request: EnvironmentRequest): Promise<readonly Unmet[]>
  create(request: EnvironmentRequest, scope: Scope, progress: Progress): Promise<Host>
}

/** Something of one run that can be removed. */
export interface PlatformLeftover {
  readonly runId: string
  /** For example `2 containers and 3 networks`. */
  readonly title: string
  /** Rejects with what could not be removed. */
  remove(): Promise<void>
}

/** What a platform takes beyond warm-ups and windows. */
export interface PlatformTimes {
  /** Bringing one environment up and taking it down, without its arms. */
  readonly environmentMs: number
  /** Bringing up one arm without its hops. */
  readonly armMs: number
  readonly hopMs: number
  /** Starting the generator, connecting, reading the edges: once for each trial. */
  readonly trialMs: number
  /** Reading one hop, once for each trial, whether it carries it or not. Default: 0. */
  readonly trialHopMs?: number
}

/**
 * A duplex stream of bytes: `Duplex` of Node's streams. The model names no type of Node, so that a config type-checks
 * in projects that have none of them.
 */
export interface ByteStream {
  readonly readable: boolean
  readonly writable: boolean
  destroy(error?: Error): unknown
}

/** A platform that is up, before any mesh. Everything it creates is undone through the scope it was created with. */
export interface Host {
  readonly facts: readonly Fact[]
  /** What the platform itself runs beside the components, where its usage can be read; category `platform`. */
  readonly components?: readonly Component[]
  /** Starts (or returns) the application server of an arm, as its last hop reaches it. */
  startApplication(arm: Arm, path: Path): Promise<Deployed>
  /** Starts a workload and waits until it is ready; throws with the end of its output when it is not. */
  deploy(workload: Workload): Promise<Deployed>
  /** Removes what an arm that failed has left, so that it is in nobody's way; absent where nothing stays. */
  takeDown?(arm: Arm): Promise<void>
  /** Keeps what explains what went wrong, if something did, before anything is taken away; absent where there is nothing to keep. */
  keepEvidence?(): Promise<void>
  /** Runs a command where this arm's client lives. For the bundled generator, `argv` starts with `loadgen`. */
  exec(arm: Arm, command: Command): Running
  /** GETs a path of a component's admin listener, from wherever it can be reached. */
  fetchAdmin(component: string, path: string): Promise<string>
  /**
   * Opens a TCP connection to an endpoint from wherever it can be reached, for proofs: a duplex stream that the caller
   * destroys. One that cannot be opened fails, or ends without a byte.
   */
  connect(endpoint: Endpoint): ByteStream
  readUsage(components: readonly Component[]): Promise<Readonly<Record<string, UsageReading>>>
  readHost(): Promise<HostReading>
  /**
   * A trial begins: what was replaced before is none of its concern, what is replaced from now on has failed it. Absent
   * where nothing is ever replaced.
   */
  beginTrial?(): void
  /**
   * Starts, stops, kills, pauses, resumes or scales a component, and resolves when that is done. Throws where this
   * platform cannot; absent where it can do nothing of the kind.
   */
  change?(component: string, change: Change): Promise<void>
  /** Why a component cannot go on; undefined when it is well. */
  health(component: string): TrialError | undefined
  /** How long `health` may take to tell of a death, on a busy machine; absent: two seconds. */
  readonly deathNoticedMs?: number
}
