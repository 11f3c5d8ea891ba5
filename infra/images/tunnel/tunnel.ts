/** Starts the listeners that a tunnel's config names, and changes them in place when the config changes. */
import { ConfigError } from '../kit/process/config.js'
import { HbonePool } from '../kit/hbone/client.js'
import { createHopMetrics } from '../kit/process/hop-metrics.js'
import { createIdentityStore } from '../kit/tls/identities.js'
import type { ImageContext, ImageServer } from '../kit/process/image.js'
import { type CaptureListener, startCapture } from './capture.js'
import { createConnectionMetrics } from './connection-metrics.js'
import type { CaptureConfig, HboneListenerConfig, TunnelConfig } from './config.js'
import { type TerminationListener, startTermination } from './termination.js'

type Running =
  | { readonly kind: 'capture'; config: CaptureConfig; readonly listener: CaptureListener }
  | { readonly kind: 'hbone'; config: HboneListenerConfig; readonly listener: TerminationListener }

export async function startTunnel(
  initial: TunnelConfig,
  context: ImageContext,
): Promise<ImageServer<TunnelConfig>> {
  let config = initial
  const metrics = createHopMetrics(context.registry)
  const { trustDomain } = config
  const identities = createIdentityStore({
    trustDomain,
    workloads: config.workloads,
    baseDir: context.configDir,
  })
  const pool = new HbonePool({ identities, metrics, trustDomain, pool: config.pool, limits: config.limits })
  const connections = config.connectionMetrics ? createConnectionMetrics(context.registry) : undefined
  const running = new Map<string, Running>()
  /** Listeners that a reload took away and whose connections are not over yet. */
  const leaving = new Set<Running>()

  const start = async (wanted: CaptureConfig | HboneListenerConfig): Promise<Running> => {
    const { limits } = config
    if (wanted.kind === 'capture') {
      const maxConnections = limits.connections
      const listener = await startCapture(wanted, { pool, metrics, maxConnections, context, connections })
      return { kind: 'capture', config: wanted, listener }
    }
    const listener = await startTermination(wanted, {
      ...{ identities, metrics, trustDomain, limits, connections },
    })
    return { kind: 'hbone', config: wanted, listener }
  }
  const leave = (entry: Running): void => {
    leaving.add(entry)
    void entry.listener.drain().then(() => {
      entry.listener.close()
      leaving.delete(entry)
    })
  }

  const reload = async (next: TunnelConfig): Promise<void> => {
    refuseFixedChanges(config, next)
    identities.reload(next.workloads)
    config = next
    pool.configure(next.pool)
    const wanted = new Map(next.listeners.map((listener) => [listener.name, listener]))
    for (const [name, entry] of [...running]) {
      const listener = wanted.get(name)
      if (listener && listener.kind === entry.kind && sameSocket(listener, entry.config)) continue
      // The address has to be free before the successor can have it.
      running.delete(name)
      leave(entry)
    }
    for (const listener of next.listeners) {
      const entry = running.get(listener.name)
      if (!entry) running.set(listener.name, await start(listener))
      else if (entry.kind === 'capture' && listener.kind === 'capture') {
        entry.config = listener
        entry.listener.update(listener)
      } else if (entry.kind === 'hbone' && listener.kind === 'hbone') {
        entry.config = listener
        entry.listener.update(listener, next.limits)
      }
    }
  }

  for (const listener of config.listeners) running.set(listener.name, await start(listener))
  return {
    listeners: Object.fromEntries([...running].map(([name, { listener }]) => [name, listener.address])),
    reload,
    async drain() {
      const entries = [...running.values(), ...leaving]
      // Connections first: the streams of a capture listener need the pool until they are over.
      await Promise.all(entries.map(({ listener }) => listener.drain()))
      pool.retire()
    },
    close() {
      for (const { listener } of [...running.values(), ...leaving]) listener.close()
      pool.close()
    },
  }
}

type Listening = { readonly host: string; readonly port: number; readonly security?: unknown }

/** What a listener cannot change while it listens. */
function sameSocket(a: Listening, b: Listening): boolean {
  return a.host === b.host && a.port === b.port && a.security === b.security
}

/** What only a restart can change. Throws `ConfigError`. */
function refuseFixedChanges(now: TunnelConfig, next: TunnelConfig): void {
  const problems: string[] = []
  for (const field of ['admin', 'trustDomain', 'workers', 'connectionMetrics'] as const) {
    if (JSON.stringify(now[field]) !== JSON.stringify(next[field])) {
      problems.push(
        `config.${field}: cannot change while running (value: ${JSON.stringify(next[field])}); restart instead`,
      )
    }
  }
  if (problems.length > 0) throw new ConfigError(problems)
}
