/** What carries the traffic, and what trials run against. */
import type { z } from 'zod'
import type { OwnProgram } from '../config.js'
import type { Downloads } from '../downloads.js'
import type { Hop, Path } from '../paths.js'
import type { Arm } from '../plan.js'
import type { Change } from '../script.js'
import type { TrialError } from './faults.js'
import type { EnvironmentRequest, Ground, Host, Platform, Progress, Scope, Unmet } from './platform.js'
import type { Edge, Fact, HopCounters, ProofCheck } from './readings.js'
import type { ClusterCommands, Command, Component, Endpoint, Running } from './workloads.js'

/** What a cluster must be like before anything is installed on it; known before it is created. */
export interface ClusterNeeds {
  /** False: nodes stay NotReady until the mesh brings its CNI; create the cluster without waiting for them. */
  readonly defaultCni: boolean
  readonly kubeProxy: boolean
}

/** What carries the traffic. One file each in infra/meshes. */
export interface Mesh {
  readonly name: string
  readonly summary: string
  /** The product that it is one way of running: claims set the architectures of one product against each other. */
  readonly family?: string
  /** Paths that this mesh can form. */
  readonly paths: readonly string[]
  /** What the platform must offer. */
  readonly livesOn: Ground
  /**
   * Programs of this repository among its hops, which a variant may build otherwise. Absent where settings hold for
   * the whole mesh, so that one arm cannot have others than the next.
   */
  readonly varies?: readonly OwnProgram[]
  /** Keys of `settings` that a variant may change, the others being of the whole mesh. Absent: all, if `varies` is given. */
  readonly variesIn?: readonly string[]
  /**
   * Why an arm on a path cannot have settings, or have them laid over its own, in better words than a schema has; undefined
   * where it can. Absent: the schema says it all.
   */
  whyNot?(settings: Readonly<Record<string, unknown>>, path: Path): string | undefined
  /** Where on a path it does what settings turn on, in words. Absent, or undefined: on each hop of the layer. */
  placeOf?(settings: Readonly<Record<string, unknown>>, path: Path): string | undefined
  /** Programs of others that its hops run, by name; absent: none. */
  readonly programs?: readonly string[]
  /** Its part of the config's `meshSettings`, with defaults; absent: nothing can be set. */
  readonly settings?: z.ZodType
  /** What has to be downloaded for arms on these paths, with its settings; absent: nothing. */
  downloads?(paths: readonly Path[], settings?: unknown): Downloads
  /** What its settings lay over the installation, for plans; throws a `UserError` for what cannot be read. */
  overlays?(settings: unknown, paths: readonly Path[]): readonly Fact[]
  /** What a cluster that is made for arms on these paths must be like; absent: as it comes. */
  clusterNeeds?(paths: readonly Path[], settings?: unknown): ClusterNeeds
  /** Roles of hops that are one program for all arms of a node. Absent: none. */
  readonly nodeWide?: readonly Hop['role'][]
  /** Whether the counters of several client pods add up. Absent: where the client has no sidecar of its own. */
  readonly manyClients?: 'always' | 'never'
  /** Unmet needs of this mesh's own: a binary, a kernel feature, what cannot be downloaded from here. */
  check(
    request: EnvironmentRequest,
    on: Pick<Platform, 'offers' | 'raisesServices'> & Partial<Pick<Platform, 'builds'>>,
  ): Promise<readonly Unmet[]>
  install(context: MeshContext): Promise<MeshSession>
  /**
   * Takes away what a killed run left of it on a cluster that is somebody's, as the end of a run does, the namespace that has
   * its mark last. Absent: nothing of it outlives the run's own namespaces.
   */
  removeLeft?(cluster: ClusterCommands): Promise<void>
}

export interface MeshContext {
  readonly request: EnvironmentRequest
  readonly host: Host
  readonly scope: Scope
  readonly progress: Progress
}

/** A mesh that is installed and can raise arms. */
export interface MeshSession {
  readonly facts: readonly Fact[]
  /** Control-plane components. */
  readonly components: readonly Component[]
  raise(arm: Arm, path: Path): Promise<RaisedArm>
}

/** A program as it names itself, for example `stock Envoy 1.40`, and what a reader must know of it. */
export interface Build {
  readonly name: string
  readonly means?: string
}

/** An arm whose hops are up. */
export interface RaisedArm {
  /** Where the client sends its requests, and the authority it names. */
  readonly endpoint: Endpoint & { readonly authority?: string }
  /** The server that answers, as `Host.startApplication` named it; arms may share one. */
  readonly application: Component
  /** The hops, and the services that their functions call. */
  readonly components: readonly Component[]
  /** What carries its traffic, as that says itself, where a mesh's name may mean several programs. */
  readonly build?: Build
  /** Cumulative counters of one of `components` or of `application`, normalised from whatever the mesh exposes. */
  readCounters(component: string): Promise<HopCounters>
  /** Checks done once: plaintext refused at mTLS ports, wrong identity refused, placement. */
  prove(): Promise<readonly ProofCheck[]>
}

/** A platform with meshes brought up on it: what trials run against. Composed in harness/run/environment.ts. */
export interface Environment {
  readonly id: string
  readonly facts: readonly Fact[]
  readonly components: readonly Component[]
  /** Arms that came up; `failures` names the others. */
  readonly raised: Readonly<Record<string, RaisedArm>>
  readonly failures: Readonly<Record<string, TrialError>>
  readonly proofs: Readonly<Record<string, readonly ProofCheck[]>>
  /** Hops whose usage cannot be read, so that they are missing in the bill. */
  readonly unbilled: readonly string[]
  /** What carries an arm's traffic, of those that say so. */
  readonly builds: Readonly<Record<string, string>>
  /** Runs a load engine's command where the arm's client lives. */
  exec(arm: string, command: Command): Running
  /** Reads usage and the host, and, when asked, every hop's and the application's counters. */
  read(options: { readonly counters: boolean; readonly usage: boolean }): Promise<Edge>
  /** Comes before everything else of a trial; see `Host.beginTrial`. */
  beginTrial(): void
  /** Why an arm cannot go on, whatever became of the components in `except`. A death may be told of only `deathNoticedMs` after it happened. */
  health(arm: string, except?: ReadonlySet<string>): TrialError | undefined
  /** The same of a single component. */
  componentHealth(component: string): TrialError | undefined
  /** See `Host.change`; throws where the platform cannot. */
  change(component: string, change: Change): Promise<void>
  readonly deathNoticedMs: number
}
