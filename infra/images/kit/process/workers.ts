/** More than one core: the same program as several processes that share the listeners, seen from outside as one. */
import cluster, { type Worker } from 'node:cluster'
import { on, once } from 'node:events'
import type { ListenerAddress } from '../net/address.js'
import { type Registry, type RegistrySnapshot, mergeSnapshots, renderSnapshot } from './metrics.js'

type FromWorker =
  | { readonly type: 'ready'; readonly listeners: Readonly<Record<string, ListenerAddress>> }
  | { readonly type: 'snapshot'; readonly id: number; readonly snapshot: RegistrySnapshot }
type ToWorker = { readonly type: 'snapshot'; readonly id: number }

export const isWorker = cluster.isWorker

/** Worker: says that all listeners accept, and answers the primary's scrapes from now on. */
export function joinWorkers(listeners: Readonly<Record<string, ListenerAddress>>, registry: Registry): void {
  const send = (message: FromWorker): void => {
    process.send?.(message)
  }
  process.on('message', (message: ToWorker) => {
    // cluster's own messages do not come this way, but a foreign parent's might.
    if (message.type === 'snapshot') send({ type: 'snapshot', id: message.id, snapshot: registry.snapshot() })
  })
  send({ type: 'ready', listeners })
}

/** A worker that ends by itself is replaced, but not for ever. */
const maxReplacements = 10
const scrapeTimeoutMs = 2000

/** Primary: starts the workers. Rejects with the exit code of a worker that ends before it is ready. */
export async function startWorkers(
  count: number,
  registry: Registry,
  log: (event: string, fields: Readonly<Record<string, unknown>>) => void,
) {
  // Round robin, as a hop has few and long-lived connections: the kernel would give one worker most of them.
  cluster.schedulingPolicy = cluster.SCHED_RR
  let stopping = false
  let replaced = 0
  let scrape = 0
  const workers = (): Worker[] =>
    Object.values(cluster.workers ?? {}).filter((worker) => worker !== undefined)
  const fork = async (): Promise<Readonly<Record<string, ListenerAddress>>> =>
    new Promise((resolve, reject) => {
      const worker = cluster.fork()
      // A worker that dies while it is spoken to is an error here; its exit is dealt with below.
      worker.on('error', () => {})
      worker.on('message', (message: FromWorker) => {
        if (message.type === 'ready') resolve(message.listeners)
      })
      worker.on('exit', (code) => {
        reject(new WorkerExit(code))
      })
    })
  // One after the other, so that all agree on the ports that the system chooses.
  let listeners: Readonly<Record<string, ListenerAddress>> = {}
  for (let i = 0; i < count; i += 1) listeners = await fork()
  const restarts = registry
    .counter('meshbench_worker_restarts_total', 'Workers that ended by themselves.')
    .labels()
  cluster.on('exit', (worker, code, signal) => {
    if (stopping) return
    restarts.add()
    replaced += 1
    log('worker-ended', { pid: worker.process.pid, code, signal })
    if (replaced > maxReplacements) process.exit(1)
    fork().catch(() => {})
  })
  return {
    listeners,
    /** Prometheus text of all workers and of this process, added up. */
    async metrics(): Promise<string> {
      const snapshots = await Promise.all(workers().map((worker) => askSnapshot(worker, (scrape += 1))))
      return renderSnapshot(
        mergeSnapshots([registry.snapshot(), ...snapshots.filter((s) => s !== undefined)]),
      )
    },
    signal(signal: 'SIGHUP' | 'SIGTERM'): void {
      if (signal === 'SIGTERM') stopping = true
      for (const worker of workers()) worker.process.kill(signal)
    },
    async ended(): Promise<void> {
      await Promise.all(workers().map((worker) => once(worker, 'exit')))
    },
  }
}

export class WorkerExit extends Error {
  readonly exitCode: number
  constructor(exitCode: number) {
    super(`a worker ended with ${exitCode} before it was ready`)
    this.exitCode = exitCode
  }
}

async function askSnapshot(worker: Worker, id: number): Promise<RegistrySnapshot | undefined> {
  try {
    const answers = on(worker, 'message', { signal: AbortSignal.timeout(scrapeTimeoutMs) })
    worker.send({ type: 'snapshot', id } satisfies ToWorker)
    for await (const [message] of answers as AsyncIterable<[FromWorker]>)
      if (message.type === 'snapshot' && message.id === id) return message.snapshot
  } catch {
    // It has ended, or is too busy.
  }
  return undefined
}
