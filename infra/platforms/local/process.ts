/** Runs one workload as a process: writes its files, waits until it is ready, notices when it dies. */
import { once } from 'node:events'
import { mkdir, writeFile } from 'node:fs/promises'
import { createServer, type AddressInfo } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type {
  ByteStream,
  Deployed,
  Endpoint,
  Change,
  Running,
  Scope,
  TrialError,
  Workload,
} from '../../../harness/model.js'
import { openSocket, start } from '../../../harness/process/exec.js'
import { configText } from '../../supply/container-images/command.js'
import { storedPath, type ImageBundles } from '../../images/bundles.js'
import { fetchText } from './loopback.js'

const readyTimeoutMs = 15_000
/** The images drain for as long as their config says; after this they are killed. */
const stopTimeoutMs = 3_000

/** A workload that runs as a process. `failure` is set once it has died, and until it is started again. */
export interface LocalProcess extends Deployed {
  readonly pid: number
  readonly failure: TrialError | undefined
  /** Resolves when it is done: what was ended is gone, what was started is ready, at the ports that it had before. */
  change(change: Change): Promise<void>
}

export interface ProcessPlace {
  readonly bindHost: string
  /** Turns the command into the one that is started, for example on cores of its own. */
  readonly wrap: (argv: readonly string[]) => readonly string[]
  /** Opens a connection to what listens there; absent: from this process. */
  readonly connect?: (endpoint: Endpoint) => ByteStream
  /** Ports for programs that cannot choose their own. */
  readonly freePorts: (names: readonly string[]) => Promise<Record<string, number>>
}

export const loopbackPlace: ProcessPlace = {
  bindHost: '127.0.0.1',
  wrap: (argv) => argv,
  freePorts: (names) => findFreePorts(names, '127.0.0.1'),
}

export interface StartProcessOptions {
  readonly workload: Workload
  readonly bundles: ImageBundles
  readonly scope: Scope
  readonly place: ProcessPlace
}

/** Thrown when a workload did not come up; `detail` is the end of its output. */
export class NotReadyError extends Error {
  readonly detail: string

  constructor(message: string, detail: string) {
    super(message)
    this.name = 'NotReadyError'
    this.detail = detail
  }
}

export async function startProcess(options: StartProcessOptions): Promise<LocalProcess> {
  const { workload, scope, place } = options
  const { component, program, listeners, files } = workload
  const folder = join(scope.stateDir, component.name.replace(/[^A-Za-z0-9.-]+/g, '_'))
  await mkdir(folder, { recursive: true, mode: 0o700 })
  await Promise.all(
    Object.entries(files).map(([name, contents]) => writeFile(join(folder, name), contents, { mode: 0o600 })),
  )
  // Our own images choose ports and announce them; other programs have to be told, so free ones are found first.
  const ports =
    program.kind === 'image'
      ? Object.fromEntries(listeners.map((name) => [name, 0]))
      : await place.freePorts(listeners)
  let instance: Running | undefined
  let failure: TrialError | undefined
  scope.defer(`stop ${component.name}`, () => end('stop'))
  const launch = async (at: Readonly<Record<string, number>>) => {
    const launched = await launchProcess(options, folder, at, (running) => {
      instance = running
      void running.exited.then(({ code, signal, tail }) => {
        if (instance !== running) return
        const how = signal ? `was ended by ${signal}` : `exited with code ${code ?? 'unknown'}`
        const said = signal ? '' : lastWords(tail)
        failure = { kind: 'hop-died', message: `${component.name} ${how}${said}`, detail: tail }
      })
    })
    failure = undefined
    return launched
  }
  async function end(how: 'stop' | 'kill'): Promise<void> {
    if (!instance) return
    if (how === 'stop') return stop(instance)
    instance.kill('SIGKILL')
    await instance.exited
  }

  const endpoints = await launch(ports)
  const told = Object.fromEntries(Object.entries(endpoints).map(([name, { port }]) => [name, port]))
  const known = { ...ports, ...told }
  return {
    component,
    endpoints,
    get pid() {
      return instance?.pid ?? 0
    },
    get failure() {
      return failure
    },
    async change(change) {
      if (change.do === 'scale') throw new Error('a process cannot be scaled: one listens at its ports')
      if (change.do === 'start') return failure ? void (await launch(known)) : undefined
      if (change.do === 'stop' || change.do === 'kill') return end(change.do)
      instance?.kill(change.do === 'pause' ? 'SIGSTOP' : 'SIGCONT')
    },
  }
}

/** Starts the program at these ports and waits until it is ready; `onStarted` is told of it before that. */
async function launchProcess(
  { workload, bundles, scope, place }: StartProcessOptions,
  folder: string,
  ports: Readonly<Record<string, number>>,
  onStarted: (running: Running) => void,
): Promise<Endpoints> {
  const { component, program, sockets = {} } = workload
  const opened = await Promise.all(
    Object.entries(sockets).map(([name, where]) => openSocket(where, ports[name] ?? 0, scope)),
  )
  const descriptors = Object.fromEntries(Object.keys(sockets).map((name, index) => [name, 3 + index]))
  const file = (name: string) => join(folder, name)
  const config = workload.config({ bindHost: place.bindHost, ports, descriptors, file })
  const configPath = join(folder, 'config.json')
  await writeFile(configPath, configText(config), { mode: 0o600 })
  const argv =
    program.kind === 'image'
      ? [process.execPath, bundlePath(program, bundles), '--config', configPath]
      : program.argv.map((word) => word.replaceAll('{config}', configPath).replaceAll('{folder}', folder))
  const running = start({ argv: place.wrap(argv) }, { runId: scope.runId, cwd: folder, sockets: opened })
  for (const socket of opened) socket.close()
  onStarted(running)
  const { name } = component
  if (program.kind === 'image') return whenReady(readyLine(running), running, name)
  if (program.readyPath === undefined) return {}
  return whenReady(readyPage(running, name, place, ports, program.readyPath), running, name)
}

async function stop(running: Running): Promise<void> {
  // One that stands still would not hear the other.
  running.kill('SIGCONT')
  running.kill('SIGTERM')
  const ended = await Promise.race([
    running.exited.then(() => true),
    sleep(stopTimeoutMs, false, { ref: false }),
  ])
  if (ended) return
  running.kill('SIGKILL')
  await running.exited
}

type Endpoints = Readonly<Record<string, Endpoint>>

/** What becomes of the wait for a program; throws `NotReadyError` where it ended before, which is undefined, or is late. */
async function whenReady(
  ready: Promise<Endpoints | undefined>,
  running: Running,
  name: string,
): Promise<Endpoints> {
  const timeout = new AbortController()
  const late = sleep(readyTimeoutMs, 'late' as const, { signal: timeout.signal }).catch(() => undefined)
  const first = await Promise.race([ready, late])
  timeout.abort()
  if (first === 'late') running.kill('SIGKILL')
  else if (first) return first
  const { code, signal, tail } = await running.exited
  if (first === 'late')
    throw new NotReadyError(`${name} was not ready after ${readyTimeoutMs / 1000} s`, tail)
  const how = code === null ? `by ${signal}` : `exit code ${code}`
  throw new NotReadyError(`${name} ended before it was ready (${how})${lastWords(tail)}`, tail)
}

/** Our images write `{"event":"ready","listeners":{…}}` when every listener accepts. */
function readyLine(running: Running): Promise<Endpoints | undefined> {
  return new Promise((resolve) => {
    // Reads to the end: an output that nobody reads would fill its pipe and block the program.
    void (async () => {
      for await (const line of running.lines) {
        const found = parseReadyLine(line)
        if (found) resolve(found)
      }
      resolve(undefined)
    })()
  })
}

function parseReadyLine(line: string): Endpoints | undefined {
  try {
    const event = JSON.parse(line) as { event?: unknown; listeners?: Endpoints }
    return event.event === 'ready' ? event.listeners : undefined
  } catch {
    return undefined // A log line.
  }
}

/** The last line that a program wrote: mostly why it ended. */
function lastWords(tail: string): string {
  const line = tail.trimEnd().split('\n').at(-1)?.trim() ?? ''
  return line === '' ? '' : `: ${line.slice(0, 300)}`
}

async function readyPage(
  running: Running,
  name: string,
  { bindHost: host, connect }: ProcessPlace,
  ports: Readonly<Record<string, number>>,
  path: string,
): Promise<Endpoints | undefined> {
  const endpoints = Object.fromEntries(
    Object.entries(ports).map(([listener, port]) => [listener, { host, port }]),
  )
  const admin = endpoints.admin
  if (!admin) throw new Error(`${name} needs a listener named admin to tell when it is ready`)
  let ended = false
  void running.exited.then(() => (ended = true))
  while (!ended) {
    const ok = await fetchText(admin, path, connect).then(
      () => true,
      () => false,
    )
    if (ok) return endpoints
    await sleep(20)
  }
  return undefined
}

/** The program's own bundle, or the one that a variant put into the store. */
function bundlePath(
  { image, build }: Extract<Workload['program'], { kind: 'image' }>,
  bundles: ImageBundles,
): string {
  if (build === undefined) return bundles[image].path
  if ('sha256' in build) return storedPath(image, build.sha256)
  throw new Error(`${build.reference} is a container image: it cannot run as a process`)
}

/** Asks the kernel for unused ports, all held until the last is known so that no two are the same. */
async function findFreePorts(names: readonly string[], host: string): Promise<Record<string, number>> {
  const servers = await Promise.all(
    names.map(async () => {
      const server = createServer().listen(0, host)
      await once(server, 'listening')
      return server
    }),
  )
  const ports = servers.map((server) => (server.address() as AddressInfo).port)
  await Promise.all(servers.map((server) => once(server.close(), 'close')))
  return Object.fromEntries(names.map((name, index) => [name, ports[index] ?? 0]))
}
