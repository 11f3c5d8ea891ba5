/** The way out: HBONE streams, each authorized and joined to a plain TCP connection to its upstream. */
import { splice } from '../kit/net/splice.js'
import type { HboneLimits } from '../kit/process/config.js'
import { HboneServer, type HboneStreamRequest } from '../kit/hbone/server.js'
import { type HopMetrics, countersThrough } from '../kit/process/hop-metrics.js'
import type { IdentityStore } from '../kit/tls/identities.js'
import type { HboneListenerConfig, RouteConfig } from './config.js'
import { permits } from './policy.js'
import { type TcpListener, connectTcp } from './tcp.js'

export interface TerminationListener extends TcpListener {
  /** Routes and rules for streams from now on; streams that stand live on. */
  update(config: HboneListenerConfig, limits: HboneLimits): void
}

export async function startTermination(
  initial: HboneListenerConfig,
  options: {
    readonly identities: IdentityStore
    readonly metrics: HopMetrics
    readonly trustDomain: string
    readonly limits: HboneLimits
  },
): Promise<TerminationListener> {
  const { identities, metrics, trustDomain } = options
  let { limits } = options
  let routes = indexRoutes(initial)
  const accepted = metrics.downstreamConnections.labels(initial.name)
  const { toUpstream, toDownstream } = countersThrough(metrics)

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

  const join = (request: HboneStreamRequest, route: RouteConfig): void => {
    const upstream = connectTcp(route.to)
    const timer = setTimeout(() => {
      upstream.destroy(new Error('timeout'))
    }, limits.connectTimeoutMs)
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
      metrics.upstreamConnections.labels(`${route.to.host}:${route.to.port}`).add()
      splice(request.accept(), upstream, { aToB: toUpstream, bToA: toDownstream })
    })
  }

  const server = new HboneServer({
    identities,
    metrics,
    trustDomain,
    limits,
    workload: (initial.routes[0] as RouteConfig).workload,
    security: initial.security,
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
      routes = indexRoutes(next)
      server.update({ workload: (next.routes[0] as RouteConfig).workload, limits })
    },
  }
}

function indexRoutes(config: HboneListenerConfig): Map<string, RouteConfig> {
  return new Map(config.routes.map((route) => [route.authority, route]))
}

function hostOf(authority: string): string {
  return authority.slice(0, authority.lastIndexOf(':'))
}
