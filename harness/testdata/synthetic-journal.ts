/** Journals whose truth is known: a seeded stand-in for a host, so that analysis and report can be tested against it. */
import type { Experiment } from '../../scenarios/experiments/experiment.js'
import { experiments } from '../../scenarios/experiments/index.js'
import { paths } from '../../scenarios/paths/index.js'
import type {
  Arm,
  Cell,
  Component,
  ComponentUsage,
  Hop,
  JournalEntry,
  LoadResult,
  Path,
  Plan,
  ResolvedConfig,
  Threshold,
  Trial,
  TrialError,
  Variant,
  Usage,
} from '../model.js'
import { nextRate } from '../analyze/cells/knees.js'
import { bucketCount, bucketIndex, encodeCounts } from '../protocol/histogram.js'
import type { Catalogue } from '../plan/catalogue.js'
import { makePlan } from '../plan/plan.js'
import { createNoise, type Noise, type NoiseOptions } from './synthetic-noise.js'
import { defined } from '../model/defined.js'

/** What a path costs in truth, before noise. */
export interface SyntheticCosts {
  readonly baselineMs: number
  readonly applicationCpuUs: number
  readonly l4HopMs: number
  readonly l4HopCpuUs: number
  readonly l7HopMs: number
  readonly l7HopCpuUs: number
  readonly generatorCpuUs: number
  readonly orchestratorCpuUs: number
  /** Softirq and whatever else nobody accounts for, per leg. */
  readonly unaccountedCpuUs: number
}

export interface SyntheticOptions {
  readonly seed?: number
  /** Default: 10. */
  readonly rounds?: number
  /** Rounds that were planned, when the run ended before. */
  readonly plannedRounds?: number
  /** Paths of the reference mesh. Default: all. */
  readonly arms?: readonly string[]
  /** Several meshes, each in an environment of its own, with the product that it belongs to; instead of `arms`. */
  readonly meshes?: Readonly<Record<string, { readonly paths: readonly string[]; readonly family?: string }>>
  /** Paths of further meshes, in the environment of `arms`. */
  readonly others?: Readonly<Record<string, readonly string[]>>
  /** Default: `['latency', 'saturation']`. */
  readonly experiments?: readonly ('latency' | 'saturation' | 'capacity' | 'connect' | 'stream' | 'pauses')[]
  readonly ratesPerSecond?: readonly number[]
  readonly durationMs?: number
  readonly costs?: Partial<SyntheticCosts>
  /** arm → factors on its true latency, CPU and memory, for example `{ 'reference/l4-l7-l4': { latency: 1.1 } }`. */
  readonly effect?: Readonly<Record<string, { readonly latency?: number; readonly cpu?: number; readonly memory?: number }>>
  /** mesh → what its hops run on. */
  readonly runtimes?: Readonly<Record<string, NonNullable<Component['runtime']>>>
  readonly noise?: NoiseOptions
  /** Share of trials that are invalid (then run again), and that fail. Default: 0.03 and 0.01. */
  readonly invalidShare?: number
  readonly failedShare?: number
  /** arm → reason why it never came up. */
  readonly armFailures?: Readonly<Record<string, string>>
  /** Cut the journal after so many trials, as when it is killed: no end entry then. */
  readonly stopAfterTrials?: number
  /** Leave the usage out, as on hosts that cannot tell. */
  readonly withoutUsage?: boolean
  readonly thresholds?: readonly Threshold[]
  readonly variants?: readonly Variant[]
  readonly outcome?: Extract<JournalEntry, { type: 'end' }>['outcome']
  /** Changes to the config's rounds. */
  readonly roundsConfig?: Partial<ResolvedConfig['rounds']>
}

const defaultCosts: SyntheticCosts = {
  baselineMs: 0.16,
  applicationCpuUs: 48,
  l4HopMs: 0.07,
  l4HopCpuUs: 42,
  l7HopMs: 0.13,
  l7HopCpuUs: 78,
  generatorCpuUs: 95,
  orchestratorCpuUs: 4,
  unaccountedCpuUs: 9,
}

const startedAtMs = Date.UTC(2026, 10, 22, 10, 4, 31)
const cpus = 2

/** A whole journal: header, environment, trials and (unless it was cut) its end. One set of options, one journal. */
export function syntheticJournal(options: SyntheticOptions = {}): JournalEntry[] {
  const { seed = 1, rounds = 10 } = options
  const plan = syntheticPlan(options)
  const noise = createNoise(seed * 7919 + 17, options.noise)
  const truth = { ...defaultCosts, ...options.costs }
  const cells = new Map(plan.cells.map((cell) => [cell.id, cell]))
  const components = componentsOf(plan, options)
  const entries: JournalEntry[] = [
    {
      type: 'run',
      schema: 1,
      runId: '2026-11-22T10-04-31-test',
      version: '0.1.0',
      startedAt: new Date(startedAtMs).toISOString(),
      command: ['run'],
      plan,
      host: {
        hostKey: 'a3f1c2d4',
        cpuModel: 'Synthetic CPU @ 2.50GHz',
        cpus,
        memoryBytes: 8 * 2 ** 30,
        kernel: '6.18.0',
        os: 'Linux',
        arch: 'x64',
        cgroup: 'v2',
        node: 'v20.20.2',
        loadAverage1m: 0.4,
        bundles: { proxy: '1'.repeat(64), tunnel: '2'.repeat(64), echo: '3'.repeat(64), loadgen: '4'.repeat(64) },
      },
    },
    {
      type: 'environment',
      environment: 'local',
      at: new Date(startedAtMs + 1500).toISOString(),
      facts: [{ name: 'platform', value: 'synthetic: seeded noise, no host' }],
      components,
      proofs: Object.fromEntries(
        plan.arms
          .filter(({ path }) => path.startsWith('l4'))
          .map(({ id }) => [
            id,
            [
              {
                name: 'plaintext refused at server-tunnel',
                ok: true,
                expected: 'no HTTP reply on the mutual TLS port',
                actual: '7 bytes, not HTTP',
              },
            ],
          ]),
      ),
      failures: Object.fromEntries(
        Object.entries(options.armFailures ?? {}).map(([arm, message]): [string, TrialError] => [
          arm,
          { kind: 'not-ready', message },
        ]),
      ),
    },
  ]

  let clockMs = startedAtMs + 2000
  let trials = 0
  const order = plan.order.filter(({ round }) => round < rounds)
  let factors: readonly number[] = []
  let key = ''
  let position = 0
  for (const spec of order) {
    const cell = rated(cells.get(spec.cell), entries)
    if (cell === 'found') continue
    const arm = plan.arms.find(({ id }) => id === cell?.arm)
    const path = plan.paths.find(({ name }) => name === arm?.path)
    if (!cell || !arm || !path) throw new Error(`unknown cell ${spec.cell}`)
    const roundKey = `${spec.round}|${cell.loadLabel}`
    if (roundKey !== key) {
      key = roundKey
      position = 0
      factors = noise.round(spec.round, rounds, plan.arms.length)
    }
    const factor = factors[position++] ?? 1
    const failure = options.armFailures?.[arm.id]
    for (const attempt of [0, 1]) {
      const trial = syntheticTrial({ spec, cell, arm, path, factor, attempt, clockMs, noise, truth, options, components })
      entries.push(failure === undefined ? trial : { ...bare(trial), state: 'failed', error: { kind: 'not-ready', message: failure } })
      clockMs += trial.elapsedMs
      if (++trials === options.stopAfterTrials) return entries
      if (trial.state !== 'invalid' || failure !== undefined) break
    }
  }
  entries.push({ type: 'end', at: new Date(clockMs).toISOString(), outcome: options.outcome ?? 'complete' })
  return entries
}

/** The cell with the rate that its search asks for; `found` when the search is over. */
function rated(cell: Cell | undefined, entries: readonly JournalEntry[]): Cell | 'found' | undefined {
  if (!cell?.search) return cell
  const trials = entries.filter((entry) => entry.type === 'trial').filter((trial) => trial.cell === cell.id)
  const ratePerSecond = nextRate(cell, trials)
  return ratePerSecond === undefined ? 'found' : { ...cell, load: { ...cell.load, ratePerSecond } }
}

/** The plan behind `syntheticJournal`. */
export function syntheticPlan(options: SyntheticOptions = {}): Plan {
  const { seed = 1, rounds = 10, meshes } = options
  const planned = options.plannedRounds ?? rounds
  const names = options.experiments ?? ['latency', 'saturation']
  const settings = {
    latency: experiments.latency.settings.parse({
      ratesPerSecond: options.ratesPerSecond ?? [1000],
      durationMs: options.durationMs ?? 1500,
    }),
    saturation: experiments.saturation.settings.parse({ durationMs: 800 }),
    capacity: experiments.capacity.settings.parse({ durationMs: 300, maxProbes: 12 }),
    connect: experiments.connect.settings.parse({ rounds: planned }),
    stream: experiments.stream.settings.parse({ rounds: planned }),
    pauses: experiments.pauses.settings.parse({ durationMs: options.durationMs ?? 1500, everyMs: Math.min(1000, options.durationMs ?? 1500) }),
  }
  const config: ResolvedConfig = {
    seed,
    profile: 'quick',
    platform: 'local',
    arms: meshes ? Object.fromEntries(Object.entries(meshes).map(([mesh, { paths }]) => [mesh, paths])) : { reference: options.arms ?? ['l4-only', 'l7-sidecar-to-sidecar', 'l4-l7-l4', 'l7-per-node'], ...options.others },
    experiments: Object.fromEntries(names.map((name) => [name, settings[name]])),
    rounds: { min: planned, max: planned, untilEffect: 0.05, budgetMinutes: 3, ...options.roundsConfig },
    thresholds: options.thresholds ?? [],
    ...defined({ variants: options.variants }),
    cost: { perVcpuHour: 0.04, perGibHour: 0.005, currency: 'USD' },
    meshSettings: {},
    platformSettings: {},
    validity: {
      minAchievedShare: 0.98,
      maxSendLagP99Us: 2000,
      maxGeneratorCpuShare: 0.9,
      maxErrorShare: 0,
      maxStealShare: 0.05,
      maxForeignCpuShare: 0.2,
    },
    outDir: 'results',
  }
  const times = { environmentMs: 1500, armMs: 0, hopMs: 110, trialMs: 570 }
  const loadsAlone = Object.entries<Experiment>(experiments).map(([name, { loads }]) => [name, { loads }])
  return makePlan(config, {
    paths,
    meshes: Object.fromEntries(Object.entries(meshes ?? {}).map(([mesh, { family }]) => [mesh, defined({ family })])),
    platforms: {
      local: { name: 'local', environments: meshes ? 'per-mesh' : 'shared', times, changesHops: { restartMs: 0 } },
    },
    experiments: {
      ...(Object.fromEntries(loadsAlone) as Catalogue['experiments']),
      saturation: { loads: experiments.saturation.loads as Experiment['loads'], rounds: () => settings.saturation.rounds },
    },
    whyNotVaried: () => undefined,
    driveWith: (load, engine) => ({ ...load, engine }),
  })
}

function componentsOf(plan: Plan, { runtimes }: SyntheticOptions): Component[] {
  return [
    { name: 'echo', category: 'application', node: 'server' },
    ...plan.arms.flatMap((arm) =>
      hopsOf(plan, arm).map(
        (hop): Component => ({
          ...{ name: `${arm.id}/${hop.name}`, arm: arm.id, hop: hop.name, category: hop.layer, node: hop.node },
          ...defined({ runtime: runtimes?.[arm.mesh] }),
        }),
      ),
    ),
  ]
}

function hopsOf(plan: Plan, arm: Arm): readonly Hop[] {
  return plan.paths.find(({ name }) => name === arm.path)?.hops ?? []
}

interface TrialInput {
  readonly spec: Plan['order'][number]
  readonly cell: Cell
  readonly arm: Arm
  readonly path: Path
  readonly factor: number
  readonly attempt: number
  readonly clockMs: number
  readonly noise: Noise
  readonly truth: SyntheticCosts
  readonly options: SyntheticOptions
  readonly components: readonly Component[]
}

function syntheticTrial(input: TrialInput): Trial {
  const { spec, cell, attempt, clockMs, noise, options } = input
  const { invalidShare = 0.03, failedShare = 0.01 } = options
  const fate = noise.random()
  const base: Trial = {
    type: 'trial',
    index: spec.index,
    round: spec.round,
    cell: cell.id,
    attempt,
    ...(cell.search ? { ratePerSecond: cell.load.ratePerSecond ?? 0 } : {}),
    state: 'ok',
    startedAt: new Date(clockMs).toISOString(),
    elapsedMs: cell.load.warmupMs + cell.load.durationMs + 330,
    proof: [],
    reasons: [],
    warnings: [],
  }
  if (fate < failedShare) {
    const message = `${input.path.hops[0]?.name ?? 'echo'} ended by SIGKILL`
    return { ...base, state: 'failed', error: { kind: 'hop-died', message, detail: 'killed' } }
  }
  const invalid = attempt === 0 && fate < failedShare + invalidShare
  const load = syntheticLoad(input, invalid)
  const proof = input.path.hops.map(({ name }) => {
    const requests = String(load.sent + load.warmupSent)
    return { name: `requests at ${name}`, ok: true, expected: requests, actual: requests }
  })
  return {
    ...base,
    state: invalid ? 'invalid' : 'ok',
    load,
    ...(options.withoutUsage ? {} : { usage: syntheticUsage(input, load) }),
    ...(input.path.legs.includes('hbone') ? { tlsHandshakes: 1 } : {}),
    proof,
    reasons: invalid ? ['the generator lagged: p99 of sent − due was 5000 µs; at most 2000 µs'] : [],
    warnings: noise.random() < 0.02 ? ['others used 6.0 % of the host'] : [],
  }
}

function bare({ load: _load, usage: _usage, ...rest }: Trial): Trial {
  return { ...rest, proof: [], reasons: [] }
}

/** What the arm costs in truth: response time in ms and CPU of the mesh and the application in µs a request. */
export function trueCosts(arm: Arm, path: Path, options: SyntheticOptions = {}): { ms: number; cpuUs: number } {
  const truth = { ...defaultCosts, ...options.costs }
  const effect = options.effect?.[arm.id] ?? {}
  const sum = (l4: number, l7: number) => path.hops.reduce((total, { layer }) => total + (layer === 'l4' ? l4 : l7), 0)
  return {
    ms: (truth.baselineMs + sum(truth.l4HopMs, truth.l7HopMs)) * (effect.latency ?? 1),
    cpuUs:
      (truth.applicationCpuUs + truth.unaccountedCpuUs * path.legs.length + sum(truth.l4HopCpuUs, truth.l7HopCpuUs)) *
      (effect.cpu ?? 1),
  }
}

function syntheticLoad({ cell, arm, path, factor, noise, options, truth }: TrialInput, lagging: boolean): LoadResult {
  const { load } = cell
  const costs = trueCosts(arm, path, options)
  const medianMs = costs.ms * factor
  const open = load.model === 'open'
  // A closed loop on a full host is bounded by CPU: the rate is what the CPUs can pay.
  const capacityPerSecond = (cpus * 1e6) / ((costs.cpuUs + truth.generatorCpuUs) * factor)
  // A transfer of 16 MiB takes far longer than a small request.
  const rate = open ? (load.ratePerSecond ?? 0) : load.engine === 'stream' ? capacityPerSecond / 250 : capacityPerSecond
  // Beyond what the CPUs can pay a queue grows for as long as the window lasts.
  const queueUs = open ? Math.max(0, rate / capacityPerSecond - 1) * load.durationMs * 1000 : 0
  const sent = Math.round((rate * load.durationMs) / 1000)
  const response = new Float64Array(bucketCount)
  const service = new Float64Array(bucketCount)
  const sendLag = new Float64Array(bucketCount)
  const opens = load.engine === 'connect'
  const connect = new Float64Array(bucketCount)
  const firstByte = new Float64Array(bucketCount)
  const scale = open ? medianMs * 1000 : (load.connections / rate) * 1e6
  for (let request = 0; request < sent; request++) {
    const slow = noise.random() < 0.012 ? 2 + 8 * noise.random() : 1
    const serviceUs = Math.max(1, Math.round(scale * Math.exp(0.18 * noise.normal()) * slow))
    const lagUs = (queueUs * request) / Math.max(1, sent) + Math.max(1, Math.round(15 * Math.exp(0.7 * noise.normal()) + (lagging ? 4000 * noise.random() : 0)))
    record(service, serviceUs)
    if (opens) {
      record(connect, Math.max(1, Math.round(serviceUs / 4)))
      record(firstByte, Math.max(1, serviceUs - 5))
    }
    if (!open) continue
    record(response, Math.round(serviceUs + lagUs))
    record(sendLag, Math.round(lagUs))
  }
  return {
    engine: load.engine,
    sent,
    ok: sent,
    errors: {},
    unsent: 0,
    windowMs: load.durationMs,
    achievedRatePerSecond: (sent / load.durationMs) * 1000,
    connectionsOpened: opens ? sent + Math.round((rate * load.warmupMs) / 1000) : load.connections,
    warmupSent: Math.round((rate * load.warmupMs) / 1000),
    bodyBytes: sent * load.payloadBytes,
    ...(open ? { response: encodeCounts(response), sendLag: encodeCounts(sendLag) } : {}),
    service: encodeCounts(service),
    ...(opens ? { connect: encodeCounts(connect), firstByte: encodeCounts(firstByte) } : {}),
    generatorCpuUs: Math.round(sent * truth.generatorCpuUs * Math.exp(0.05 * noise.normal())),
  }
}

function record(counts: Float64Array, us: number): void {
  const index = bucketIndex(us)
  counts[index] = (counts[index] as number) + 1
}

/** The bill of a window; what no component accounts for is the host's surplus. */
function syntheticUsage({ cell, arm, path, factor, noise, truth, options, components }: TrialInput, load: LoadResult): Usage {
  const share = options.effect?.[arm.id]?.cpu ?? 1
  const perRequestNs = (us: number) => Math.round(us * 1000 * load.sent * factor * share * Math.exp(0.01 * noise.normal()))
  const rows = components.map((component): ComponentUsage => {
    const onPath = component.category === 'application' || component.arm === arm.id
    const us =
      component.category === 'application' ? truth.applicationCpuUs : component.category === 'l4' ? truth.l4HopCpuUs : truth.l7HopCpuUs
    const cpuNs = onPath ? perRequestNs(us) : Math.round(2e5 * noise.random())
    const mib = (62 + (component.category === 'l7' ? 14 : 0)) * (options.effect?.[component.arm ?? '']?.memory ?? 1)
    const rssBytes = Math.round((mib + noise.random()) * 2 ** 20)
    return {
      component: component.name,
      category: component.category,
      cpuNs,
      cpuUserNs: Math.round(cpuNs * 0.72),
      cpuSystemNs: Math.round(cpuNs * 0.28),
      rssBytes,
      pssBytes: Math.round(rssBytes * 0.6),
      peakRssBytes: rssBytes + 2 ** 20,
      voluntarySwitches: load.sent,
      involuntarySwitches: Math.round(load.sent / 50),
      throttledPeriods: 0,
      readSyscalls: 2 * load.sent,
      writeSyscalls: load.sent,
      source: 'schedstat',
      resolutionNs: 1,
    }
  })
  rows.push({
    component: 'generator',
    category: 'generator',
    cpuNs: load.generatorCpuUs * 1000,
    source: 'self-reported',
    resolutionNs: 1000,
  })
  const orchestratorNs = Math.round(truth.orchestratorCpuUs * 1000 * load.sent)
  const unaccountedNs = perRequestNs(truth.unaccountedCpuUs * path.legs.length)
  return {
    windowMs: cell.load.durationMs,
    cpus,
    hostBusyNs: rows.reduce((sum, { cpuNs }) => sum + cpuNs, orchestratorNs + unaccountedNs),
    hostSoftirqNs: Math.round(unaccountedNs * 0.8),
    hostStealNs: 0,
    orchestratorNs,
    components: rows,
  }
}
