/** The real echo server and the real generator as processes, for checks whose answers are known beforehand. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { imageBundle } from '../../../infra/images/bundles.js'
import { pinned, type LocalSettings } from '../../../infra/platforms/local/settings.js'
import { parsePrometheus, sumSamples } from '../../process/prometheus.js'
import { start } from '../../process/exec.js'
import { loadCommand, parseEvent } from '../../load/generator.js'
import { engineOf, type EngineName } from '../../protocol/engines.js'
import type { Endpoint, LoadResult, LoadSpec, RaisedArm, Running } from '../../model.js'
import { readProcess } from '../../process/probes/process.js'

/** As infra/images/echo/config.ts describes them. */
export interface EchoFaults {
  readonly delayMs?: number
  readonly burnUs?: number
  readonly burnEvery?: number
  readonly slow?: { readonly every: number; readonly delayMs: number }
  readonly freeze?: { readonly afterRequests: number; readonly durationMs: number }
}

export interface EchoServer {
  readonly http: Endpoint
  readonly tcp: Endpoint
  readonly pid: number
  /** Requests that the server has answered. */
  requests(): Promise<number>
  /** Connections that it has accepted on all listeners. */
  connections(): Promise<number>
  /** Bytes that clients have sent it, heads included. */
  receivedBytes(): Promise<number>
  /** CPU time in µs that its injected burns have used, by its own clock. */
  burnedUs(): Promise<number>
  /** CPU time in µs that it has used. */
  cpuUs(): Promise<number>
  /** Replaces the faults of the running server; resolves when they hold. */
  inject(faults: EchoFaults): Promise<void>
  kill(): Promise<void>
}

/** What one load gave, with the server's counters at the edges of the window. */
export interface LoadRun {
  readonly result: LoadResult
  /** Server CPU in µs between the edges; undefined when the load did not get that far. */
  readonly serverCpuUs: number
}

export interface Rig {
  /** `place`: cores that server and generators stay on; absent: any. */
  echo(faults?: EchoFaults, place?: LocalSettings): Promise<EchoServer>
  /** Drives a load. Rejects with the generator's own error, or when it dies. */
  load(engine: EngineName, spec: RigLoad, server: EchoServer, options?: LoadOptions): Promise<LoadRun>
  close(): Promise<void>
}

export type RigLoad = Partial<LoadSpec> & Readonly<Record<string, unknown>>

export interface LoadOptions {
  /** Absent: the server's HTTP listener. */
  readonly target?: RaisedArm['endpoint']
  readonly place?: LocalSettings
  /** Called at both edges of the window, with nothing in flight; the generator waits for it. */
  onEdge?(edge: 'start' | 'end'): Promise<void>
  /** Called when the window starts. */
  onWindow?(): void
}

const defaults = {
  protocol: 'http1',
  connections: 16,
  warmupMs: 500,
  durationMs: 2000,
  payloadBytes: 1024,
  timeoutMs: 5000,
} as const

const anywhere: LocalSettings = { pin: {} }

export async function createRig(): Promise<Rig> {
  const images = fileURLToPath(new URL('../../../infra/images', import.meta.url))
  const folder = await mkdtemp(join(tmpdir(), 'meshbench-truth-'))
  const [echoBundle, loadgenBundle] = await Promise.all([
    imageBundle('echo', images, folder),
    imageBundle('loadgen', images, folder),
  ])
  const running = new Set<Running>()
  const run = (argv: readonly string[]): Running => {
    const child = start({ argv })
    running.add(child)
    void child.exited.then(() => running.delete(child))
    return child
  }
  let servers = 0

  return {
    echo: (faults = {}, place = anywhere) =>
      startEcho(join(folder, `echo-${servers++}.json`), faults, (config) =>
        run(pinned([process.execPath, echoBundle.path, '--config', config], 'server', place)),
      ),

    async load(engine, spec, server, options = {}) {
      const full = { ...defaults, engine, model: engineOf(engine).models[0] ?? 'open', ...spec }
      const [, ...args] = loadCommand(full, options.target ?? server.http, 1).argv
      const own = [process.execPath, loadgenBundle.path, ...args]
      return followLoad(run(pinned(own, 'generator', options.place ?? anywhere)), server, options)
    },

    async close() {
      for (const child of running) child.kill('SIGKILL')
      await Promise.all([...running].map((child) => child.exited))
      await rm(folder, { recursive: true, force: true })
    },
  }
}

/** Starts a server whose config file this is; the file is written again for other faults. */
async function startEcho(
  config: string,
  faults: EchoFaults,
  run: (config: string) => Running,
): Promise<EchoServer> {
  const host = '127.0.0.1'
  const listeners = ['http', 'tcp'].map((kind) => ({ name: kind, kind, host, port: 0 }))
  const write = (wanted: EchoFaults) =>
    writeFile(config, JSON.stringify({ admin: { host, port: 0 }, listeners, faults: wanted, drainMs: 500 }))
  await write(faults)
  const child = run(config)
  const ready = await firstLine(child)
  const { http, tcp, admin } = (JSON.parse(ready) as { listeners: Record<string, Endpoint> }).listeners
  if (!http || !tcp || !admin || child.pid === undefined) throw new Error(`not ready: ${ready}`)
  const { pid } = child
  const counter = async (name: string): Promise<number> => {
    const reply = await fetch(`http://${admin.host}:${admin.port}/metrics`)
    return sumSamples(parsePrometheus(await reply.text()), name)
  }
  return {
    http,
    tcp,
    pid,
    requests: () => counter('meshbench_requests_total'),
    connections: () => counter('meshbench_downstream_connections_total'),
    receivedBytes: () => counter('meshbench_received_bytes_total'),
    burnedUs: async () => (await counter('meshbench_burn_seconds_total')) * 1e6,
    cpuUs: async () => (await readProcess(pid)).cpuNs / 1000,
    async inject(wanted) {
      const before = await counter('meshbench_config_reloads_total')
      await write(wanted)
      process.kill(pid, 'SIGHUP')
      // The signal and the watched file may both make it reload: the later one comes after 200 ms.
      await sleep(300)
      while ((await counter('meshbench_config_reloads_total')) === before) await sleep(20)
    },
    async kill() {
      child.kill('SIGKILL')
      await child.exited
    },
  }
}

/** Reads a generator's events to their end, and the server's CPU at the edges of the window. */
async function followLoad(child: Running, server: EchoServer, options: LoadOptions): Promise<LoadRun> {
  const cpu = { start: 0, end: 0 }
  let result: LoadResult | undefined
  let failure: string | undefined
  for await (const line of child.lines) {
    const event = parseEvent(line)
    if (event.event === 'edge') {
      cpu[event.edge] = await server.cpuUs().catch(() => 0)
      await options.onEdge?.(event.edge)
      child.write('go\n')
      if (event.edge === 'start') options.onWindow?.()
    } else if (event.event === 'result') result = event.result
    else if (event.event === 'error') failure = `${event.kind}: ${event.message}`
  }
  const end = await child.exited
  if (failure !== undefined) throw new Error(failure)
  if (!result) throw new Error(`the generator ended with ${end.code ?? end.signal}: ${end.tail}`)
  return { result, serverCpuUs: cpu.end - cpu.start }
}

async function firstLine(child: Running): Promise<string> {
  const next = await child.lines[Symbol.asyncIterator]().next()
  if (next.done !== true) return next.value
  const end = await child.exited
  throw new Error(`it ended with ${end.code ?? end.signal}: ${end.tail}`)
}
