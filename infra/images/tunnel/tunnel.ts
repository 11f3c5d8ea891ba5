/** Starts the listeners that a tunnel's config names, and changes them in place when the config changes. */
import { ConfigError } from '../kit/process/config.js'
import { HbonePool } from '../kit/hbone/client.js'
import { createHopMetrics } from '../kit/process/hop-metrics.js'
import { createIdentityStore } from '../kit/tls/identities.js'
import type { ImageContext, ImageServer } from '../kit/process/image.js'
import { startCapture } from './capture.js'
import { createConnectionMetrics } from './connection-metrics.js'
import type { TunnelConfig } from './config.js'
import { ListenerSet } from './listener-set.js'
import { startTermination } from './termination.js'

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
  const listeners = new ListenerSet((wanted, limits) =>
    wanted.kind === 'capture'
      ? startCapture(wanted, { pool, metrics, maxConnections: limits.connections, context, connections })
      : startTermination(wanted, { identities, metrics, trustDomain, limits, connections }),
  )
  await listeners.replace(config)

  return {
    listeners: listeners.addresses(),
    async reload(next) {
      refuseFixedChanges(config, next)
      identities.reload(next.workloads)
      try {
        await listeners.replace(next, () => {
          config = next
          pool.configure(next.pool)
        })
      } catch (error) {
        identities.reload(config.workloads)
        throw error
      }
    },
    async drain() {
      // Connections first: the streams of a capture listener need the pool until they are over.
      await listeners.drain()
      pool.retire()
    },
    close() {
      listeners.close()
      pool.close()
    },
  }
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
