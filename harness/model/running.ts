/** What a run talks to: platforms, meshes, workloads, and what is read of them. */
import { z } from 'zod'
import type { OwnProgram, ProgramBuild, ResolvedConfig } from './config.js'
import { generatorFaultSchema } from '../protocol/events.js'
import { billCategorySchema, calledServiceSchema, copySchema, nodeRoleSchema, type Path } from './paths.js'
import type { Downloads, NeededDownloads } from './downloads.js'
import type { Arm } from './plan.js'
import type { Change } from './script.js'
import { amount, name, number, object, text } from './shape.js'

/** A command to run somewhere. `argv[0]` is looked up by the target. */
export interface Command {
  readonly argv: readonly string[]
  readonly env?: Readonly<Record<string, string>>
  /** Text for standard input at the start; the stream stays open for `Running.write`. */
  readonly input?: string
}

/** A started command. */
export interface Running {
  readonly pid?: number
  /** Lines of standard output, as they come. */
  readonly lines: AsyncIterable<string>
  write(text: string): void
  /** The command and whatever it started. */
  kill(signal?: 'SIGTERM' | 'SIGKILL' | 'SIGSTOP' | 'SIGCONT'): void
  /** Settles when the command has ended; never rejects. `tail` is the end of standard error and output. */
  readonly exited: Promise<{
    readonly code: number | null
    readonly signal: string | null
    readonly tail: string
  }>
}

export interface Endpoint {
  readonly host: string
  readonly port: number
}

/** Something that is charged for resources. */
export const componentSchema = object({
  /** Unique in its environment, for example `reference/l4-l7-l4/waypoint`, or `echo`. */
  name,
  /** Arm that it serves alone; without it the component is shared by all arms. */
  arm: name.exactOptional(),
  /** Hop of the arm's path; without it the component is a client, a server or a control plane. */
  hop: name.exactOptional(),
  category: billCategorySchema,
  /** Of a `called-service`: what it is to the functions that call it. */
  service: calledServiceSchema.exactOptional(),
  /** Set where `arm` is a copy. */
  copy: copySchema.exactOptional(),
  node: z.enum([...nodeRoleSchema.options, 'control-plane']),
  /**
   * Components with the same process are one program that several arms use under names of their own, as a node's
   * ztunnel: its usage counts once, and its traffic is not that of a bystander.
   */
  process: name.exactOptional(),
})
export interface Component extends z.infer<typeof componentSchema> {}

/** What a program that a mesh needs looks like, whatever the platform runs it as. */
export interface Workload {
  readonly component: Component
  /** One of this repository's images by name, or a program of the platform's own. */
  readonly program:
    | {
        readonly kind: 'image'
        readonly image: OwnProgram | 'echo' | 'loadgen'
        /** Another build than this checkout's own. */
        readonly build?: ProgramBuild
      }
    | {
        readonly kind: 'binary'
        /** What it is called: in containers it runs from an image by this name, see `programImages` of the platforms. */
        readonly name: string
        /**
         * `argv[0]` is its file on this machine, or its name where an image holds it; `{config}` stands for the path
         * of its config, `{folder}` for a folder that it may write to.
         */
        readonly argv: readonly string[]
        /** Page of its admin listener that answers 200 when it is ready; absent: whoever starts it finds out. */
        readonly readyPath?: string
      }
  /**
   * The config file's contents, given what the platform decided: where files are put and which port each listener
   * gets (0: the program chooses one and announces it on its ready line).
   */
  readonly config: (placement: Placement) => unknown
  /** Names of listeners, `admin` included. */
  readonly listeners: readonly string[]
  /** Listeners that are opened for the program in a network that it is not in; absent: it opens its own. */
  readonly sockets?: Readonly<Record<string, SocketPlace>>
  /** Files beside the config: name → contents. Those with keys in them are written for the owner's eyes only. */
  readonly files: Readonly<Record<string, string>>
}

/** Where a listening socket is opened by a process that ends then. */
export interface SocketPlace {
  readonly host: string
  /** The command that runs `argv` there, as the same process. */
  readonly enter: (argv: readonly string[]) => readonly string[]
}

export interface Placement {
  /** Address to bind. */
  readonly bindHost: string
  readonly ports: Readonly<Record<string, number>>
  /** Of listeners whose sockets it is started with. */
  readonly descriptors?: Readonly<Record<string, number>>
  /** Path of a file named in `files`, where the program will find it. */
  readonly file: (name: string) => string
}

/** A workload that is up and ready. */
export interface Deployed {
  readonly component: Component
  /** Where other components reach each listener. */
  readonly endpoints: Readonly<Record<string, Endpoint>>
}

/** A SPIFFE identity with its credentials, PEM encoded. */
export interface Identity {
  readonly spiffeId: string
  readonly certPem: string
  readonly keyPem: string
  readonly caPem: string
}

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

/** A thing worth writing into the report about where this ran. */
export const factSchema = object({
  name,
  value: text,
  /** It names a program that carries traffic: a run that goes on needs the same one. */
  program: z.literal(true).exactOptional(),
})
export interface Fact extends z.infer<typeof factSchema> {}

/** Cumulative counters of one component at one instant; of a window, what they rose by. Absent means that this source cannot tell. */
export const usageReadingSchema = object({
  cpuNs: number,
  cpuUserNs: number.exactOptional(),
  cpuSystemNs: number.exactOptional(),
  rssBytes: number.exactOptional(),
  pssBytes: number.exactOptional(),
  peakRssBytes: number.exactOptional(),
  voluntarySwitches: number.exactOptional(),
  involuntarySwitches: number.exactOptional(),
  throttledPeriods: number.exactOptional(),
  throttledNs: number.exactOptional(),
  /** Calls of the read(2) and write(2) families: `syscr` and `syscw` of proc_pid_io(5). Not recv, send or epoll. */
  readSyscalls: number.exactOptional(),
  writeSyscalls: number.exactOptional(),
  /** Name of the probe, for example `cgroup-v2`, `schedstat`, `ticks`. */
  source: text,
  resolutionNs: amount,
})
export interface UsageReading extends z.infer<typeof usageReadingSchema> {}

/** Cumulative counters of the host at one instant, summed over its CPUs. */
export interface HostReading {
  readonly userNs: number
  readonly systemNs: number
  readonly softirqNs: number
  readonly irqNs: number
  readonly idleNs: number
  readonly iowaitNs: number
  readonly stealNs: number
  readonly cpus: number
  /** Monotonic instant of the reading. */
  readonly atNs: number
  /** CPU of the kernel's threads that take interrupts' work over; absent where they cannot be seen. */
  readonly ksoftirqdNs?: number
  /** CPU of this process: the orchestrator is on the host, too, and must be accounted for. */
  readonly orchestratorCpuNs?: number
}

/** Counters that a hop exposes about the traffic it carried; keys are those of `HopCounter`. */
export type HopCounters = Readonly<Partial<Record<HopCounter, number>>> & {
  /** SPIFFE ids of peers seen on mutual TLS, when the hop tells. */
  readonly peers?: readonly string[]
}

export type HopCounter =
  | 'requests'
  | 'downstreamConnections'
  | 'upstreamConnections'
  | 'hboneStreams'
  | 'tlsHandshakesServer'
  | 'tlsHandshakesClient'
  /** Of the handshakes that were made, those that resumed a session. */
  | 'tlsResumptionsClient'
  | 'receivedBytes'
  | 'sentBytes'

/** Everything read at one edge of a window. */
export interface Edge {
  readonly host: HostReading
  readonly usage: Readonly<Record<string, UsageReading>>
  readonly counters: Readonly<Record<string, HopCounters>>
}

/** Shows visible steps to the person who waits. */
export interface Progress {
  /** `done` is the title once it has been run, where that depends on what came of it. */
  step<T>(title: string, run: () => Promise<T>, done?: (value: T) => string): Promise<T>
  note(text: string): void
}

/** One checked statement about the path that traffic took. */
export const proofCheckSchema = object({
  /** For example `requests at waypoint`. */
  name,
  ok: z.boolean(),
  expected: text,
  actual: text,
})
export interface ProofCheck extends z.infer<typeof proofCheckSchema> {}

/** A generator whose faults are nobody's else: the trial is worth another attempt. */
export const generatorLossSchema = z.enum(['generator-died', 'generator-output', 'generator-stuck'])

export const trialErrorKindSchema = z.enum([
  ...generatorLossSchema.options,
  ...generatorFaultSchema.options,
  'hop-died',
  'node-died',
  'engine-lost',
  'not-ready',
  'mesh-unavailable',
  'environment-failed',
  'proof-failed',
  'script-failed',
  'interrupted',
])
export type TrialErrorKind = z.infer<typeof trialErrorKindSchema>

export const trialErrorSchema = object({
  kind: trialErrorKindSchema,
  message: text,
  /** The end of the output, or other evidence. */
  detail: text.exactOptional(),
})
export interface TrialError extends z.infer<typeof trialErrorSchema> {}

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
  /** Whether the counters of several client pods add up. Absent: where the client has no sidecar of its own. */
  readonly manyClients?: 'always' | 'never'
  /** Unmet needs of this mesh's own: a binary, a kernel feature, what cannot be downloaded from here. */
  check(
    request: EnvironmentRequest,
    on: Pick<Platform, 'offers' | 'raisesServices'>,
  ): Promise<readonly Unmet[]>
  install(context: MeshContext): Promise<MeshSession>
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
