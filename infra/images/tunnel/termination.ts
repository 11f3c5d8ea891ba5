/** The way out: HBONE streams, each authorized and joined to a plain TCP connection to its upstream. */
import { splice } from '../kit/net/splice.js'
import type { HboneLimits } from '../kit/process/config.js'
import { type HboneStreamRequest, createHboneServer } from '../kit/hbone/server.js'
import type { HopMetrics } from '../kit/process/hop-metrics.js'
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
  const refusals = metrics.registry.counter('meshbench_hbone_refusals_total', 'CONNECT streams refused.', [
    'status',
  ])
  const counters = {
    downReceived: metrics.receivedBytes.labels('downstream'),
    downSent: metrics.sentBytes.labels('downstream'),
    upReceived: metrics.receivedBytes.labels('upstream'),
    upSent: metrics.sentBytes.labels('upstream'),
  }
  const toUpstream = (bytes: number): void => {
    counters.downReceived.add(bytes)
    counters.upSent.add(bytes)
  }
  const toDownstream = (bytes: number): void => {
    counters.upReceived.add(bytes)
    counters.downSent.add(bytes)
  }

  const refuse = (request: HboneStreamRequest, status: number): void => {
    refusals.labels(String(status)).add()
    request.refuse(status)
  }

  const answer = (request: HboneStreamRequest): void => {
    accepted.add()
    const { peer, peerAddress: address, authority } = request
    const route = routes.get(authority)
    // An authority that nobody serves is answered as one that may not be reached: a peer cannot scan for names.
    if (!route || !permits(route.allow, { peer, address, authority })) {
      refuse(request, 401)
      return
    }
    join(request, route)
  }

  const join = (request: HboneStreamRequest, route: RouteConfig): void => {
    const upstream = connectTcp(route.to)
    const timer = setTimeout(() => {
      upstream.destroy(new Error('timeout'))
    }, limits.connectTimeoutMs)
    const unreachable = (): void => {
      clearTimeout(timer)
      upstream.destroy()
      refuse(request, 503)
    }
    const gone = (): void => {
      clearTimeout(timer)
      upstream.destroy()
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

  const server = createHboneServer({
    identities,
    metrics,
    trustDomain,
    limits,
    workload: (initial.routes[0] as RouteConfig).workload,
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
