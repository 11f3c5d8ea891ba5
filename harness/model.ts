/**
 * The nouns of Meshbench, as types only, so that every module speaks of the same things.
 *
 * Units are in the names: `Ms`, `Us`, `Ns`, `Bytes`, `PerSecond`. Times of day are ISO 8601 in UTC.
 */

// ---------------------------------------------------------------- words

/** OSI layer at which a hop works: an L4 hop moves bytes, an L7 hop parses requests. */
export type Layer = 'l4' | 'l7'

/** What the client speaks. */
export type Protocol = 'http1' | 'h2' | 'grpc' | 'tcp'

/** A place of a platform: on `kind` a worker, on `docker` a network, on `local` only a name. */
export type NodeRole = 'client' | 'server' | 'waypoint'

/** Who pays: the row of the bill to which a component's CPU and memory are charged. */
export type BillCategory =
  | 'generator'
  | 'application'
  | 'l4'
  | 'l7'
  | 'control-plane'
  /** What runs the components and is there without any mesh, such as a cluster's kubelets and API server. */
  | 'platform'

// ---------------------------------------------------------------- paths

/** One proxy or tunnel that a request passes. */
export interface Hop {
  /** Unique within the path, for example `client-tunnel`. */
  readonly name: string
  readonly role:
    | 'sidecar-outbound'
    | 'sidecar-inbound'
    | 'waypoint'
    | 'per-node'
    | 'tunnel-outbound'
    | 'tunnel-inbound'
    /** Where requests from outside enter the mesh. */
    | 'ingress'
  readonly layer: Layer
  readonly node: NodeRole
}

/** How bytes travel between two neighbours on a path. */
export type LegTransport = 'plain' | 'mtls' | 'hbone'

/** A path: the hops of a request in order, and how each leg between them is carried. */
export interface Path {
  readonly name: string
  /** Short label for charts, for example `L4-L7-L4`. */
  readonly label: string
  /** One sentence for `meshbench list` and the report. */
  readonly summary: string
  /** Stable colour of this path in every chart (Okabe-Ito), for light and dark grounds. */
  readonly colour: { readonly light: string; readonly dark: string }
  readonly hops: readonly Hop[]
  /** `hops.length + 1` legs: client → hop 0, …, last hop → server. */
  readonly legs: readonly LegTransport[]
}

// ---------------------------------------------------------------- arms, loads, plan

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
  /** Builds and settings that are measured side by side; see harness/variants.ts. */
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

// ---------------------------------------------------------------- running

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
  kill(signal?: 'SIGTERM' | 'SIGKILL'): void
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
export interface Component {
  /** Unique in its environment, for example `reference/l4-l7-l4/waypoint`, or `echo`. */
  readonly name: string
  /** Arm that it serves alone; without it the component is shared by all arms. */
  readonly arm?: string
  /** Hop of the arm's path; without it the component is a client, a server or a control plane. */
  readonly hop?: string
  readonly category: BillCategory
  readonly node: NodeRole | 'control-plane'
  /**
   * Components with the same process are one program that several arms use under names of their own, as a node's
   * ztunnel: its usage counts once, and its traffic is not that of a bystander.
   */
  readonly process?: string
}

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
        /** Page of its admin listener that answers 200 when it is ready. */
        readonly readyPath: string
      }
  /**
   * The config file's contents, given what the platform decided: where files are put and which port each listener
   * gets (0: the program chooses one and announces it on its ready line).
   */
  readonly config: (placement: Placement) => unknown
  /** Names of listeners, `admin` included. */
  readonly listeners: readonly string[]
  /** Files beside the config: name → contents. Those with keys in them are written for the owner's eyes only. */
  readonly files: Readonly<Record<string, string>>
}

export interface Placement {
  /** Address to bind. */
  readonly bindHost: string
  readonly ports: Readonly<Record<string, number>>
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

/** Registers what must be undone; see harness/scope.ts. */
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
export interface Fact {
  readonly name: string
  readonly value: string
}

/** Cumulative counters of one component at one instant. Absent means that this source cannot tell. */
export interface UsageReading {
  readonly cpuNs: number
  readonly cpuUserNs?: number
  readonly cpuSystemNs?: number
  readonly rssBytes?: number
  readonly pssBytes?: number
  readonly peakRssBytes?: number
  readonly voluntarySwitches?: number
  readonly involuntarySwitches?: number
  readonly throttledPeriods?: number
  readonly throttledNs?: number
  /** Calls of the read(2) and write(2) families: `syscr` and `syscw` of proc_pid_io(5). Not recv, send or epoll. */
  readonly readSyscalls?: number
  readonly writeSyscalls?: number
  /** Name of the probe, for example `cgroup-v2`, `schedstat`, `ticks`. */
  readonly source: string
  readonly resolutionNs: number
}

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
  step<T>(title: string, run: () => Promise<T>): Promise<T>
  note(text: string): void
}

export interface EnvironmentRequest {
  /** Environment id of the plan, for example `local`, or `kind/istio-ambient`. */
  readonly id: string
  readonly config: ResolvedConfig
  readonly arms: readonly Arm[]
  readonly paths: readonly Path[]
}

/** Where things run. One file each in infra/platforms. */
export interface Platform {
  readonly name: string
  readonly summary: string
  /** `shared`: all meshes live in one environment and are compared directly; `per-mesh`: one environment each. */
  readonly environments: 'shared' | 'per-mesh'
  /** How another build of this repository's programs is given here: as a bundle, or as a container image. */
  readonly builds: 'bundle' | 'image'
  /** For the estimate of a plan: measured on two cores that do nothing else. */
  readonly times: PlatformTimes
  /** Arms that are brought up at a time, where that is mostly waiting; default 1. */
  readonly armsAtOnce?: number
  /** All unmet needs at once; creates nothing. */
  check(request: EnvironmentRequest): Promise<readonly Unmet[]>
  create(request: EnvironmentRequest, scope: Scope, progress: Progress): Promise<Host>
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
  /** Why a component cannot go on; undefined when it is well. */
  health(component: string): TrialError | undefined
  /** How long `health` may take to tell of a death, on a busy machine; absent: two seconds. */
  readonly deathNoticedMs?: number
}

/** What carries the traffic. One file each in infra/meshes. */
export interface Mesh {
  readonly name: string
  readonly summary: string
  /** Paths that this mesh can form. */
  readonly paths: readonly string[]
  /** Platforms that it can live on. */
  readonly platforms: readonly string[]
  /**
   * Programs of this repository among its hops, which a variant may build otherwise. Absent where settings hold for
   * the whole mesh, so that one arm cannot have others than the next.
   */
  readonly varies?: readonly OwnProgram[]
  /** Unmet needs of this mesh's own (a binary, a kernel feature). */
  check(request: EnvironmentRequest): Promise<readonly Unmet[]>
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

/** An arm whose hops are up. */
export interface RaisedArm {
  /** Where the client sends its requests, and the authority it names. */
  readonly endpoint: Endpoint & { readonly authority?: string }
  /** The server that answers, as `Host.startApplication` named it; arms may share one. */
  readonly application: Component
  /** The hops. */
  readonly components: readonly Component[]
  /** Cumulative counters of one of `components` or of `application`, normalised from whatever the mesh exposes. */
  readCounters(component: string): Promise<HopCounters>
  /** Checks done once: plaintext refused at mTLS ports, wrong identity refused, placement. */
  prove(): Promise<readonly ProofCheck[]>
}

/** A platform with meshes brought up on it: what trials run against. Composed in harness/environment.ts. */
export interface Environment {
  readonly id: string
  readonly facts: readonly Fact[]
  readonly components: readonly Component[]
  /** Arms that came up; `failures` names the others. */
  readonly raised: Readonly<Record<string, RaisedArm>>
  readonly failures: Readonly<Record<string, TrialError>>
  readonly proofs: Readonly<Record<string, readonly ProofCheck[]>>
  /** Runs a load engine's command where the arm's client lives. */
  exec(arm: string, command: Command): Running
  /** Reads usage and the host, and, when asked, every hop's and the application's counters. */
  read(options: { readonly counters: boolean; readonly usage: boolean }): Promise<Edge>
  /** Comes before everything else of a trial; see `Host.beginTrial`. */
  beginTrial(): void
  /** Why an arm cannot go on. A death may be told of only `deathNoticedMs` after it happened. */
  health(arm: string): TrialError | undefined
  readonly deathNoticedMs: number
}

// ---------------------------------------------------------------- journal

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

/** CPU and memory of one component over one window. */
export interface ComponentUsage {
  readonly component: string
  readonly category: BillCategory
  readonly cpuNs: number
  readonly cpuUserNs?: number
  readonly cpuSystemNs?: number
  readonly rssBytes?: number
  readonly pssBytes?: number
  readonly peakRssBytes?: number
  readonly voluntarySwitches?: number
  readonly involuntarySwitches?: number
  readonly throttledPeriods?: number
  readonly readSyscalls?: number
  readonly writeSyscalls?: number
  readonly source: string
  readonly resolutionNs: number
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

/** One checked statement about the path that traffic took. */
export interface ProofCheck {
  /** For example `requests at waypoint`. */
  readonly name: string
  readonly ok: boolean
  readonly expected: string
  readonly actual: string
}

export interface TrialError {
  /** For example `hop-died`, `generator-died`, `not-ready`, `proof-failed`, `interrupted`. */
  readonly kind: string
  readonly message: string
  /** The end of the output, or other evidence. */
  readonly detail?: string
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

// ---------------------------------------------------------------- analysis

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

/** A figure with its uncertainty. `low` and `high` bound it at `level`. */
export interface Estimate {
  readonly value: number
  readonly unit:
    'ms' | 'us' | 'ratio' | 'req/s' | 'MiB' | 'share' | 'vCPU' | 'currency' | 'count' | 'Gb/s' | 's'
  readonly low: number
  readonly high: number
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
   * were allowed; `unfinished`: the run ended before the search.
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
