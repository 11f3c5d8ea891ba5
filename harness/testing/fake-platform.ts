/** A platform without processes: whole runs in milliseconds, exact to the request, and failures on demand. */
import { Duplex } from 'node:stream'
import { histogramOf } from '../load/histogram.js'
import type {
  Arm,
  Command,
  Component,
  Fact,
  Host,
  HopCounters,
  LoadResult,
  LoadSpec,
  Mesh,
  Path,
  Platform,
  Running,
  TrialError,
  UsageReading,
} from '../model.js'

/** What a test wants to go wrong, or to be seen. */
export interface FakeScript {
  /** Called at each trial with the load that was asked for; what it returns is laid over the generator's result. */
  readonly load?: (arm: Arm, trial: number, spec: LoadSpec) => Partial<LoadResult>
  /** End the generator before its result, with this code. */
  readonly generatorDies?: (arm: Arm, trial: number) => boolean
  /** Let this component die in this trial. */
  readonly dies?: (arm: Arm, trial: number) => string | undefined
  /** Let this component die at the end of this trial: its counters cannot be read any more. */
  readonly diesLate?: (arm: Arm, trial: number) => string | undefined
  /** What died is replaced by the time that the next trial begins, as a pod is. Default: it stays dead. */
  readonly comesBack?: boolean
  /** How often health is asked for before it tells of a death. Default: 0. */
  readonly looksBeforeNotice?: number
  /** A component whose usage cannot be read at the end of this trial's window. */
  readonly unread?: (component: string, trial: number) => boolean
  /** Requests that a hop's counter misses, as when traffic goes around it. */
  readonly bypassed?: (component: Component, trial: number) => boolean
  /** A component of another arm that this trial's requests reach, too. */
  readonly leaksInto?: (arm: Arm, trial: number) => string | undefined
  /** Called before each trial's window. */
  readonly onTrial?: (arm: Arm, trial: number) => void
  /** Make an arm fail to come up. */
  readonly failsToRaise?: (arm: Arm) => boolean
  /** What bringing an arm up waits for. */
  readonly whileRaising?: (arm: Arm) => Promise<void>
  readonly cpuNsPerRequest?: number
  /** What the meshes say of the programs that they are made of. */
  readonly facts?: readonly Fact[]
}

const requestsPerWindow = 100
const warmupRequests = 10
const connections = 16

/** A fake platform, its meshes, and what was taken down. */
export function createFake(script: FakeScript = {}) {
  const undone: string[] = []
  const counters = new Map<string, Record<string, number>>()
  const cpu = new Map<string, number>()
  const dead = new Map<string, { readonly error: TrialError; looks: number }>()
  const hops = new Map<string, Component[]>()
  let trials = 0
  let hostNs = 0
  /** The trial whose window has just ended. */
  let ending: number | undefined

  const bump = (name: string, key: string, by: number) => {
    const entry = counters.get(name) ?? {}
    entry[key] = (entry[key] ?? 0) + by
    counters.set(name, entry)
  }
  const die = (victim: string) =>
    dead.set(victim, {
      error: { kind: 'hop-died', message: `${victim} was ended by SIGKILL` },
      looks: script.looksBeforeNotice ?? 0,
    })
  const echo: Component = { name: 'echo', category: 'application', node: 'server' }

  function carry(arm: Arm, trial: number): void {
    const sent = requestsPerWindow + warmupRequests
    bump('echo', 'requests', sent)
    const stray = script.leaksInto?.(arm, trial)
    if (stray !== undefined) bump(stray, 'downstreamConnections', connections)
    for (const hop of hops.get(arm.id) ?? []) {
      if (script.bypassed?.(hop, trial)) continue
      if (hop.category === 'l7') bump(hop.name, 'requests', sent)
      bump(hop.name, 'downstreamConnections', connections)
      bump(hop.name, 'sentBytes', sent * 2048)
    }
    for (const { name } of [echo, ...(hops.get(arm.id) ?? [])]) {
      cpu.set(name, (cpu.get(name) ?? 0) + sent * (script.cpuNsPerRequest ?? 20_000))
    }
  }

  function exec(arm: Arm, command: Command): Running {
    const trial = trials++
    script.onTrial?.(arm, trial)
    let release = () => {}
    let ended = { code: 0 as number | null, signal: null as string | null, tail: '' }
    let settle: (end: typeof ended) => void = () => {}
    const exited = new Promise<typeof ended>((resolve) => (settle = resolve))
    const go = () => new Promise<void>((resolve) => (release = resolve))
    async function* lines(): AsyncGenerator<string> {
      yield JSON.stringify({ event: 'connected', connections })
      const start = go()
      yield JSON.stringify({ event: 'edge', edge: 'start' })
      await start
      const victim = script.dies?.(arm, trial)
      if (victim !== undefined) die(victim)
      if (victim !== undefined || script.generatorDies?.(arm, trial)) {
        ended = { code: null, signal: 'SIGKILL', tail: 'last words' }
        settle(ended)
        return
      }
      carry(arm, trial)
      hostNs += 1e9
      yield JSON.stringify({
        event: 'progress',
        phase: 'window',
        elapsedMs: 100,
        sent: 100,
        ok: 100,
        p99Us: 500,
      })
      const end = go()
      ending = trial
      yield JSON.stringify({ event: 'edge', edge: 'end' })
      await end
      ending = undefined
      yield JSON.stringify({
        event: 'result',
        result: { ...fakeResult(specOf(command)), ...script.load?.(arm, trial, specOf(command)) },
      })
      const late = script.diesLate?.(arm, trial)
      if (late !== undefined) die(late)
      settle(ended)
    }
    return {
      lines: lines(),
      write: () => release(),
      kill: () => {
        release()
        settle({ code: null, signal: 'SIGKILL', tail: '' })
      },
      exited,
    }
  }

  const host: Host = {
    facts: [{ name: 'platform', value: 'fake' }],
    startApplication: async () => ({ component: echo, endpoints: { http: { host: 'h', port: 1 } } }),
    deploy: () => Promise.reject(new Error('the fake deploys nothing')),
    exec,
    fetchAdmin: () => Promise.reject(new Error('the fake has no admin')),
    connect: () => Duplex.from([]),
    readUsage: async (components) =>
      Object.fromEntries(
        components
          .filter(({ name }) => ending === undefined || !script.unread?.(name, ending))
          .map(({ name }): [string, UsageReading] => [
            name,
            { cpuNs: cpu.get(name) ?? 0, rssBytes: 2 ** 26, source: 'fake', resolutionNs: 1 },
          ]),
      ),
    readHost: async () => ({
      userNs: hostNs / 10,
      systemNs: hostNs / 100,
      softirqNs: 0,
      irqNs: 0,
      idleNs: hostNs * 1.9,
      iowaitNs: 0,
      stealNs: 0,
      cpus: 2,
      atNs: hostNs,
      orchestratorCpuNs: 0,
    }),
    async change(component, { do: what }) {
      if (what === 'kill') die(component)
      else if (what === 'start') dead.delete(component)
      else throw new Error(`the fake cannot ${what}`)
    },
    beginTrial() {
      if (script.comesBack) dead.clear()
    },
    health(component) {
      const death = dead.get(component)
      return death && --death.looks < 0 ? death.error : undefined
    },
    deathNoticedMs: script.looksBeforeNotice === undefined ? 0 : 60_000,
  }

  const platform: Platform = {
    name: 'fake',
    summary: 'no processes',
    offers: ['own-hops'],
    environments: 'shared',
    builds: 'bundle',
    times: { environmentMs: 1500, armMs: 0, hopMs: 110, trialMs: 570 },
    check: async () => [],
    async create(request, scope) {
      scope.defer('take the platform down', () => void undone.push(request.id))
      return host
    },
  }

  const mesh = (name: string): Mesh => ({
    name,
    summary: name,
    paths: [],
    livesOn: 'own-hops',
    check: async () => [],
    install: async ({ scope }) => {
      scope.defer(`remove ${name}`, () => void undone.push(name))
      return { facts: script.facts ?? [], components: [], raise }
    },
  })

  async function raise(arm: Arm, path: Path) {
    await script.whileRaising?.(arm)
    if (script.failsToRaise?.(arm)) throw new Error('it would not start')
    const components = path.hops.map((hop): Component => ({
      name: `${arm.id}/${hop.name}`,
      arm: arm.id,
      hop: hop.name,
      category: hop.layer,
      node: hop.node,
    }))
    hops.set(arm.id, components)
    for (const { name } of [echo, ...components]) if (!counters.has(name)) counters.set(name, {})
    return {
      endpoint: { host: 'h', port: 1 },
      application: echo,
      components,
      async readCounters(name: string): Promise<HopCounters> {
        if (dead.has(name)) throw new Error('ECONNREFUSED')
        return { requests: 0, downstreamConnections: 0, ...counters.get(name) }
      },
      prove: async () => [],
    }
  }

  return {
    platform,
    meshes: { none: mesh('none'), reference: mesh('reference') },
    undone,
    get trials() {
      return trials
    },
  }
}

function specOf({ argv }: Command): LoadSpec {
  return JSON.parse(argv[argv.indexOf('--spec') + 1] ?? '{}') as LoadSpec
}

export function fakeResult({ durationMs }: LoadSpec): LoadResult {
  const latencies = Array.from({ length: requestsPerWindow }, (_, index) => 400 + index)
  return {
    engine: 'open-loop',
    sent: requestsPerWindow,
    ok: requestsPerWindow,
    errors: {},
    unsent: 0,
    windowMs: 100,
    // What was sent is what was due, whatever was asked for.
    achievedRatePerSecond: (requestsPerWindow / durationMs) * 1000,
    connectionsOpened: connections,
    warmupSent: warmupRequests,
    bodyBytes: requestsPerWindow * 1024,
    response: histogramOf(latencies.map((us) => ({ us, count: 1 }))),
    service: histogramOf(latencies.map((us) => ({ us, count: 1 }))),
    sendLag: histogramOf([{ us: 20, count: requestsPerWindow }]),
    generatorCpuUs: 10_000,
  }
}
