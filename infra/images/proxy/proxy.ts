/** Puts the proxy together: listeners in front, the config in force behind them, reload and drain around both. */
import { ConfigError } from '../kit/process/config.js'
import { HbonePool } from '../kit/hbone/client.js'
import { createHopMetrics } from '../kit/process/hop-metrics.js'
import { createIdentityStore } from '../kit/tls/identities.js'
import type { ImageContext, ImageServer } from '../kit/process/image.js'
import { type ListenerAddress, startAll } from '../kit/net/address.js'
import type { ProxyConfig } from './config.js'
import { openListener } from './downstream/listener.js'
import { createRuntime } from './runtime.js'
import { connectSecurity } from './shapes.js'

const tickMs = 250

export async function startProxy(
  config: ProxyConfig,
  context: ImageContext,
): Promise<ImageServer<ProxyConfig>> {
  const metrics = createHopMetrics(context.registry)
  const workloads = (from: ProxyConfig) => (from.identity === undefined ? [] : [from.identity])
  const identities = createIdentityStore({
    trustDomain: config.trustDomain,
    workloads: workloads(config),
    baseDir: context.configDir,
  })
  const poolOf = ({ clusters, trustDomain, pool, limits }: ProxyConfig) =>
    clusters.some(({ transport }) => connectSecurity(transport))
      ? new HbonePool({ identities, metrics, trustDomain, pool, limits: limits.hbone })
      : undefined
  let hbonePool = poolOf(config)
  const clock = { nowMs: Math.floor(performance.now()) }
  const receivedBytes = metrics.receivedBytes.labels('upstream')
  const sentBytes = metrics.sentBytes.labels('upstream')
  const runtimeOf = (from: ProxyConfig) => {
    const { limits, trustDomain } = from
    const source = from.identity?.spiffeId
    const own = { limits, source, trustDomain, hbonePool }
    return createRuntime(from, { metrics, identities, clock, receivedBytes, sentBytes, ...own }, context)
  }
  let runtime = runtimeOf(config)
  let draining = false
  let current = config
  const listenerContext = { metrics, identities, clock, runtime: () => runtime, isDraining: () => draining }
  const listeners = await startAll(config.listeners, (listener) =>
    openListener(listener, config, listenerContext),
  )
  const ticker = setInterval(() => {
    clock.nowMs = Math.floor(performance.now())
    runtime.onTick(clock.nowMs)
    for (const listener of listeners) listener.onTick(clock.nowMs)
  }, tickMs)

  return {
    listeners: Object.fromEntries(
      listeners.map(({ name, address }): [string, ListenerAddress] => [name, address]),
    ),
    async reload(next) {
      const problem = whatCannotChange(current, next)
      if (problem !== undefined) throw new ConfigError([problem])
      // A filter may refuse what its files hold: nothing has changed then.
      hbonePool ??= poolOf(next)
      const successor = runtimeOf(next)
      identities.reload(workloads(next))
      for (const listener of listeners) listener.update(next.limits)
      hbonePool?.configure(next.pool)
      const before = runtime
      runtime = successor
      current = next
      before.retire()
    },
    async drain() {
      draining = true
      await Promise.all(listeners.map((listener) => listener.drain()))
      runtime.retire()
    },
    close() {
      clearInterval(ticker)
      for (const listener of listeners) listener.close()
      hbonePool?.close()
    },
  }
}

/** Listeners and trust domain are fixed for the life of the process: changing them would drop connections. */
function whatCannotChange(current: ProxyConfig, next: ProxyConfig): string | undefined {
  if (current.trustDomain !== next.trustDomain) return 'config.trustDomain: cannot change while running'
  if (JSON.stringify(current.listeners) !== JSON.stringify(next.listeners)) {
    return 'config.listeners: cannot change while running'
  }
  if (current.identity?.spiffeId !== next.identity?.spiffeId)
    return 'config.identity.spiffeId: cannot change while running'
  return undefined
}
