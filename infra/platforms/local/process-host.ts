/** A host of plain processes, for platforms without containers: what differs between them is where each process is placed. */
import { imageBundles } from '../../images/bundles.js'
import type {
  Arm,
  ByteStream,
  Component,
  Endpoint,
  Fact,
  Host,
  Path,
  Progress,
  Scope,
  UsageReading,
  Workload,
} from '../../../harness/model.js'
import { start } from '../../../harness/process/exec.js'
import { readHost } from '../../../harness/process/probes/host.js'
import { readProcess } from '../../../harness/process/probes/process.js'
import { readEach } from '../../../harness/process/read-each.js'
import { withEarlier } from '../kit/cgroup.js'
import { cpusOf, echoWorkload, echoWorkloadOf } from '../kit/units.js'
import { createGroups, type ComponentGroups } from './groups.js'
import { createQuotas } from './quota.js'
import { fetchText } from './loopback.js'
import { pinOf, pinned, type LocalSettings } from './settings.js'
import { startProcess, type LocalProcess, type ProcessPlace } from './process.js'

/** Where processes go, and how they are reached from here. */
export interface ProcessNetwork {
  readonly facts: readonly Fact[]
  placeOf(workload: Workload): Promise<ProcessPlace>
  /** Turns a command into one that runs where the arm's client lives. */
  wrapClient(arm: Arm, argv: readonly string[]): readonly string[]
  readonly connect: (endpoint: Endpoint) => ByteStream
  /** Whether an arm's application is for it alone; one serves all others. */
  readonly ownsApplication: (arm: Arm, path: Path) => boolean
}

export interface ProcessHostOptions {
  readonly arms: readonly Arm[]
  readonly network: ProcessNetwork
  readonly pins: LocalSettings
  readonly scope: Scope
  readonly progress: Progress
}

export async function createProcessHost(options: ProcessHostOptions): Promise<Host> {
  const { arms, network, pins, scope, progress } = options
  const bundles = await progress.step('bundles', () => imageBundles())
  const groups = await createGroups(scope)
  const quotas = createQuotas(scope)
  const processes = new Map<string, LocalProcess>()
  /** Component → readings at the end of its lives that a script has ended. */
  const earlier = new Map<string, readonly UsageReading[]>()
  let application: Promise<LocalProcess> | undefined

  async function launch(workload: Workload): Promise<LocalProcess> {
    const place = await network.placeOf(workload)
    const wrap = (argv: readonly string[]) => place.wrap(pinned(argv, pinOf(workload.component), pins))
    const started = await startProcess({ workload, bundles, scope, place: { ...place, wrap } })
    processes.set(workload.component.name, started)
    await account(workload.component.name, started)
    return started
  }

  /** A group counts what its component has used in all its lives, and each of them is limited. */
  async function account(name: string, { component, pid }: LocalProcess): Promise<void> {
    await groups?.place(name, pid)
    const cpus = cpusOf(arms, component)
    if (cpus !== undefined) await quotas.limit(name, pid, cpus)
  }

  function find(component: string): LocalProcess {
    const running = processes.get(component)
    if (!running) throw new Error(`no component named ${component} is running`)
    return running
  }

  return {
    facts: [...network.facts, ...factsOf(groups, pins)],

    startApplication(arm: Arm, path: Path) {
      if (!network.ownsApplication(arm, path)) return (application ??= launch(echoWorkload))
      return launch(echoWorkloadOf(arm))
    },
    deploy: launch,

    exec(arm, command) {
      const [program = '', ...args] = command.argv
      const argv = program === 'loadgen' ? [process.execPath, bundles.loadgen.path, ...args] : command.argv
      return start(
        {
          ...command,
          argv: network.wrapClient(arm, pinned(argv, 'generator', pins)),
          // It is killed when the run stops: what it keeps for itself goes with the run's folder.
          env: { ...command.env, TMPDIR: scope.stateDir },
        },
        { runId: scope.runId, cwd: scope.stateDir, signal: scope.signal },
      )
    },

    fetchAdmin: (component, path) => {
      const { admin } = find(component).endpoints
      if (!admin) throw new Error(`${component} has no admin listener`)
      return fetchText(admin, path, network.connect)
    },

    connect: network.connect,

    readUsage: (components) => readUsage(components, processes, groups, earlier),
    readHost,
    async change(component, change) {
      const running = find(component)
      const isEnd = change.do === 'kill' || change.do === 'stop'
      const reading =
        isEnd && !running.failure ? await readProcess(running.pid).catch(() => undefined) : undefined
      if (reading) earlier.set(component, [...(earlier.get(component) ?? []), reading])
      await running.change(change)
      if (change.do === 'start') await account(component, running)
    },
    health: (component) => processes.get(component)?.failure,
  }
}

function factsOf(groups: ComponentGroups | undefined, { pin }: LocalSettings): readonly Fact[] {
  return [
    { name: 'node binary of the hops', value: process.version },
    {
      name: 'CPU of components',
      value: groups
        ? `a cgroup (version ${groups.version}) each, in steps of ${groups.version === 1 ? '1 ns' : '1 µs'}; user and system apart by sampling`
        : 'the scheduler’s count of each living thread (schedstat), in ns, or ticks of 10 ms where it keeps none',
    },
    ...Object.entries(pin).flatMap(([part, cores]) =>
      cores === undefined ? [] : [{ name: `cores of the ${part}`, value: cores }],
    ),
  ]
}

/** Of a process that has died `health` tells. */
function readUsage(
  components: readonly Component[],
  processes: ReadonlyMap<string, LocalProcess>,
  groups: ComponentGroups | undefined,
  earlier: ReadonlyMap<string, readonly UsageReading[]>,
): Promise<Readonly<Record<string, UsageReading>>> {
  return readEach(components, async ({ name }) => {
    const running = processes.get(name)
    if (!running || running.failure) return undefined
    const [reading, cpu] = await Promise.all([readProcess(running.pid), groups?.read(name)])
    // Memory and context switches are the process's; a cgroup's CPU is the better count where there is one.
    return { ...withEarlier(reading, earlier.get(name) ?? []), ...cpu }
  })
}
