/** The way out: HBONE streams, each authorized and joined to a plain TCP connection to its upstream. */
import { splice } from '../kit/net/splice.js'
import type { HboneLimits } from '../kit/process/config.js'
import { HboneServer, type HboneStreamRequest } from '../kit/hbone/server.js'
import { type HopMetrics, countersThrough } from '../kit/process/hop-metrics.js'
import type { IdentityStore } from '../kit/tls/identities.js'
import { type Choice, type OpenConnections, createBalancer } from './balance.js'
import type { HboneListenerConfig, RouteConfig } from './config.js'
import { type ConnectionMetrics, meteredBy } from './connection-metrics.js'
import { permits } from './policy.js'
import { type TunnelListener, connectTcp } from './tcp.js'

export async function startTermination(
  initial: HboneListenerConfig,
  options: {
    readonly identities: IdentityStore
    readonly metrics: HopMetrics
    readonly trustDomain: string
    readonly limits: HboneLimits
    readonly connections: ConnectionMetrics | undefined
  },
): Promise<TunnelListener<HboneListenerConfig>> {
  const { identities, metrics, trustDomain, connections } = options
  const { security } = initial
  const open: OpenConnections = new Map()
  let { limits } = options
  let routes = indexRoutes(initial, open)
  const accepted = metrics.downstreamConnections.labels(initial.name)
  const join = joiner({ metrics, connections, security }, () => limits.connectTimeoutMs)

  const answer = (request: HboneStreamRequest): void => {
    accepted.add()
    const { peer, peerAddress: address, authority } = request
    const route = routes.get(authority)
    // An authority that nobody serves is answered as one that may not be reached: a peer cannot scan for names.
    if (!route || !permits(route.allow, { peer, address, authority })) {
      request.refuse(401)
      return
    }
    join(request, route)
  }

  const server = new HboneServer({
    identities,
    metrics,
    trustDomain,
    limits,
    workload: (initial.routes[0] as RouteConfig).workload,
    security,
    workloadOf: (serverName) =>
      [...routes.values()].find(({ authority }) => hostOf(authority) === serverName)?.workload,
    onStream: answer,
  })
  const address = await server.listen(initial)
  return {
    address,
    drain: () => server.drain(),
    close: () => {
      server.close()
    },
    update(next, nextLimits) {
      limits = nextLimits
      routes = indexRoutes(next, open)
      server.update({ workload: (next.routes[0] as RouteConfig).workload, limits })
    },
  }
}

interface Route extends RouteConfig {
  readonly pick: () => Choice
}

interface Joining {
  readonly metrics: HopMetrics
  readonly connections: ConnectionMetrics | undefined
  readonly security: HboneListenerConfig['security']
}

/** Connects a stream that may be to an upstream of its route, or refuses it. */
function joiner(
  { metrics, connections, security }: Joining,
  timeoutMs: () => number,
): (request: HboneStreamRequest, route: Route) => void {
  const counters = countersThrough(metrics)
  return (request, route) => {
    const { address: to, release } = route.pick()
    const upstream = connectTcp(to)
    upstream.once('close', release)
    const timer = setTimeout(() => {
      upstream.destroy(new Error('timeout'))
    }, timeoutMs())
    const gone = (): void => {
      clearTimeout(timer)
      upstream.destroy()
    }
    const unreachable = (): void => {
      gone()
      request.refuse(503)
    }
    request.onGone(gone)
    upstream.on('error', unreachable)
    upstream.on('connect', () => {
      clearTimeout(timer)
      if (request.gone) return
      upstream.off('error', unreachable)
      metrics.upstreamConnections.labels(`${to.host}:${to.port}`).add()
      const meter = connections?.open({
        ...{ reporter: 'destination', service: request.authority, security, source: request.peer?.id },
        destination: security === 'plain' ? undefined : route.workload,
      })
      splice(request.accept(), upstream, meteredBy(counters, meter))
    })
  }
}

function indexRoutes(config: HboneListenerConfig, open: OpenConnections): Map<string, Route> {
  return new Map(
    config.routes.map((route) => [route.authority, { ...route, pick: createBalancer(route, open) }]),
  )
}

function hostOf(authority: string): string {
  return authority.slice(0, authority.lastIndexOf(':'))
}
