/**
 * The default platform: every component is a plain process on this machine's loopback. Needs nothing but Node.
 *
 * Nodes are names only here, so the network costs nothing and what is left is the cost of the hops themselves.
 */
import { connect } from 'node:net'
import { totalmem } from 'node:os'
import { imageBundles } from '../../images/bundles.js'
import type {
  EnvironmentRequest,
  Host,
  Platform,
  Progress,
  Scope,
  UsageReading,
  Workload,
} from '../../../harness/model.js'
import { start } from '../../../harness/process/exec.js'
import { readHost } from '../../../harness/process/probes/host.js'
import { readProcess } from '../../../harness/process/probes/process.js'
import { echoWorkload } from '../kit/echo-workload.js'
import { platformSettings } from '../kit/settings.js'
import { fetchText } from './loopback.js'
import { createGroups, findGroups } from './groups.js'
import { localSettings, pinOf, pinned, unmetPins } from './settings.js'
import { startProcess, type LocalProcess } from './process.js'

const bindHost = '127.0.0.1'
const mibPerComponent = 90

export const local: Platform = {
  name: 'local',
  summary: 'plain processes on loopback; needs nothing but Node',
  offers: ['own-hops'],
  environments: 'shared',
  builds: 'bundle',
  times: { environmentMs: 1_500, armMs: 0, hopMs: 110, trialMs: 750 },
  settings: localSettings,
  leftovers: findGroups,

  async check(request) {
    const hops = request.arms.reduce(
      (sum, arm) => sum + (request.paths.find((path) => path.name === arm.path)?.hops.length ?? 0),
      0,
    )
    const neededMib = (hops + 2) * mibPerComponent
    const foundMib = Math.round(totalmem() / 2 ** 20)
    const unmet = await unmetPins(platformSettings(localSettings, request))
    if (foundMib >= neededMib) return unmet
    return [
      ...unmet,
      {
        need: `about ${neededMib} MiB of memory for ${hops} hops, a server and a generator`,
        found: `${foundMib} MiB`,
        remedy: 'measure fewer arms at a time (--arm)',
      },
    ]
  },

  create: createLocalHost,
}

async function createLocalHost(request: EnvironmentRequest, scope: Scope, progress: Progress): Promise<Host> {
  const bundles = await progress.step('bundles', () => imageBundles())
  const settings = platformSettings(localSettings, request)
  const groups = await createGroups(scope)
  const processes = new Map<string, LocalProcess>()
  let application: Promise<LocalProcess> | undefined

  async function launch(workload: Workload): Promise<LocalProcess> {
    const started = await startProcess({
      workload,
      bundles,
      scope,
      bindHost,
      wrap: (argv) => pinned(argv, pinOf(workload.component), settings),
    })
    await groups?.place(workload.component.name, started.pid)
    return started
  }

  const host: Host = {
    facts: [
      { name: 'platform', value: 'local: processes on loopback, one kernel, no network between nodes' },
      { name: 'node binary of the hops', value: process.version },
      {
        name: 'CPU of components',
        value: groups
          ? `a cgroup (version ${groups.version}) each, in steps of ${groups.version === 1 ? '1 ns' : '1 µs'}; user and system apart by sampling`
          : 'the scheduler’s count of each living thread (schedstat), in ns, or ticks of 10 ms where it keeps none',
      },
      ...Object.entries(settings.pin).flatMap(([part, cores]) =>
        cores === undefined ? [] : [{ name: `cores of the ${part}`, value: cores }],
      ),
    ],

    async startApplication() {
      application ??= launch(echoWorkload)
      const started = await application
      processes.set(started.component.name, started)
      return started
    },

    async deploy(workload) {
      const started = await launch(workload)
      processes.set(workload.component.name, started)
      return started
    },

    exec(_arm, command) {
      const [program = '', ...args] = command.argv
      const argv = program === 'loadgen' ? [process.execPath, bundles.loadgen.path, ...args] : command.argv
      return start(
        {
          ...command,
          argv: pinned(argv, 'generator', settings),
          // It is killed when the run stops: what it keeps for itself goes with the run's folder.
          env: { ...command.env, TMPDIR: scope.stateDir },
        },
        { runId: scope.runId, cwd: scope.stateDir, signal: scope.signal },
      )
    },

    fetchAdmin: (component, path) => {
      const admin = find(component).endpoints.admin
      if (!admin) throw new Error(`${component} has no admin listener`)
      return fetchText(admin, path)
    },

    connect: ({ host: address, port }) => connect(port, address),

    async readUsage(components) {
      const readings = await Promise.all(
        components.map(async ({ name }): Promise<[string, UsageReading] | undefined> => {
          const running = processes.get(name)
          if (!running || running.failure) return undefined
          return Promise.all([readProcess(running.pid), groups?.read(name)]).then(
            // Memory and context switches are the process's; a cgroup's CPU is the better count where there is one.
            ([reading, cpu]) => [name, { ...reading, ...cpu }],
            () => undefined, // It died in between; `health` says so.
          )
        }),
      )
      return Object.fromEntries(readings.filter((entry) => entry !== undefined))
    },

    readHost,
    health: (component) => processes.get(component)?.failure,
  }

  function find(component: string): LocalProcess {
    const running = processes.get(component)
    if (!running) throw new Error(`no component named ${component} is running`)
    return running
  }
  return host
}
