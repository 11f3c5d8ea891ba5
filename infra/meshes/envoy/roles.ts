/** Renders Envoy's bootstrap for each role of a hop: pure, so that golden files show what is measured. */
import type { Endpoint, Hop } from '../../../harness/model.js'
import { defined } from '../../../harness/model/defined.js'
import { hopLimits } from '../hops/hop-limits.js'
import {
  bootstrap,
  cluster,
  type ClusterSpec,
  httpManager,
  listener,
  seconds,
  tlsSocket,
  typed,
  type JsonObject,
  type TlsFiles,
} from './blocks.js'
import type { EnvoyFunctions } from './functions/rendering.js'
import { shareName, type HopSettings } from '../hops/settings.js'

/** Names under which Envoy counts; envoy/counters.ts reads them. */
export const names = {
  /** The listener that takes traffic, and the TCP proxy behind it. */
  downstream: 'downstream',
  /** The HTTP manager that parses requests. */
  l7: 'l7',
  /** The HTTP manager that ends HBONE. */
  hbone: 'hbone',
  /** The next hop, over mutual TLS. */
  next: 'next',
  /** The application, or the service behind HBONE as the L7 router sees it. */
  service: 'service',
  waypointInner: 'waypoint_inner',
  waypointOrigin: 'waypoint_origin',
} as const

/** Filter state under which the waypoint keeps the SPIFFE id of the HBONE client for the HTTP filters behind. */
export const sourceState = 'meshbench.source'

/** What the bootstrap of a hop is made from; each role takes what it has to do with. */
export interface EnvoyHop {
  readonly id: string
  readonly admin: Endpoint
  readonly listen: Endpoint
  readonly upstream: Endpoint
  /** `host:port` that CONNECT names. */
  readonly authority: string
  /** Credentials towards the hop before, and the hop after; undefined where the leg is not encrypted. */
  readonly downstreamTls: TlsFiles | undefined
  readonly upstreamTls: TlsFiles | undefined
  /** Of requests. */
  readonly functions: EnvoyFunctions
  /** Of CONNECT requests, in order. */
  readonly connectFilters: readonly JsonObject[]
  /** Clusters beside the service, for functions that call or mirror to somebody else; absent protocol: the client's. */
  readonly extraClusters: Readonly<Record<string, Endpoint & { readonly protocol?: 'http1' | 'h2' }>>
  readonly proxy: NonNullable<HopSettings['proxy']>
  readonly tunnel: NonNullable<HopSettings['tunnel']>
}

/** Throws for a role that Envoy has no config for. */
export function renderRole(role: Hop['role'], hop: EnvoyHop): JsonObject {
  switch (role) {
    case 'tunnel-outbound':
      return tunnelOutbound(hop)
    case 'tunnel-inbound':
      return tunnelInbound(hop)
    case 'waypoint':
      return waypoint(hop)
    case 'ingress':
      throw new Error('this mesh has no config for a gateway')
    case 'sidecar-outbound':
      return l7Hop(hop, names.next)
    case 'sidecar-inbound':
    case 'per-node':
      return l7Hop(hop, names.service)
  }
}

/** HTTP in and out, over mutual TLS where there are credentials. */
function l7Hop(hop: EnvoyHop, name: string): JsonObject {
  const { upstream: target, upstreamTls } = hop
  const service = {
    name,
    target,
    ...(upstreamTls && { transportSocket: tlsSocket('Upstream', upstreamTls) }),
  }
  return bootstrap(
    hop,
    [listener(names.downstream, l7Manager(name, hop), accepting(hop, ['h2', 'http/1.1']))],
    [...serviceClusters(hop, service), ...extra(hop)],
  )
}

/** A TCP connection in, a CONNECT stream on a pooled HTTP/2 connection over mutual TLS out. */
function tunnelOutbound(hop: EnvoyHop): JsonObject {
  const filter = tunnelFilter(names.downstream, hop.authority)
  return bootstrap(hop, [listener(names.downstream, filter, { address: hop.listen })], [hboneCluster(hop)])
}

/** CONNECT streams in, a TCP connection for each out. */
function tunnelInbound(hop: EnvoyHop): JsonObject {
  const service = { name: names.service, target: hop.upstream, speaks: 'tcp' } as const
  return bootstrap(
    hop,
    [hboneEnd(hop, hop.connectFilters, names.service)],
    [cluster({ ...service, ...spread(hop.tunnel) })],
  )
}

/**
 * Ends HBONE, parses the requests inside, and opens HBONE of its own towards the server. The two ends and the HTTP part
 * are joined by internal listeners, as in Istio's waypoint
 * (https://github.com/istio/istio/blob/master/pilot/pkg/networking/core/listener_waypoint.go).
 */
function waypoint(hop: EnvoyHop): JsonObject {
  const { split = [], zones = [] } = hop.proxy
  if ([...split, ...zones].some(({ at }) => at !== undefined))
    throw new Error('split and zones at a waypoint of Envoy lead to the server alone')
  const inner = { name: names.waypointInner, target: { internalListener: names.waypointInner } }
  return bootstrap(
    hop,
    [
      hboneEnd(hop, [keepSource], names.waypointInner),
      listener(names.waypointInner, l7Manager(names.service, hop)),
      listener(names.waypointOrigin, tunnelFilter(names.waypointOrigin, hop.authority)),
    ],
    [
      cluster({ ...inner, speaks: 'tcp' }),
      ...serviceClusters(hop, { name: names.service, target: { internalListener: names.waypointOrigin } }),
      hboneCluster(hop),
      ...extra(hop),
    ],
  )
}

// ---------------------------------------------------------------- parts of roles

/** The listener that ends HBONE, and hands the connections inside to a cluster. */
function hboneEnd(hop: EnvoyHop, filters: readonly JsonObject[], target: string): JsonObject {
  const virtualHost = {
    name: 'hbone',
    domains: [hop.authority],
    routes: [
      {
        match: { connect_matcher: {} },
        route: {
          cluster: target,
          timeout: '0s',
          upgrade_configs: [{ upgrade_type: 'CONNECT', connect_config: {} }],
        },
      },
    ],
  }
  const manager = httpManager(names.hbone, virtualHost, filters, { connect: true })
  return listener(names.downstream, manager, accepting(hop, ['h2']))
}

/** Endpoints of a TCP service, and which of them a connection goes to; of a single one there is nothing to say. */
function spread({ endpoints, balance }: EnvoyHop['tunnel']): Pick<ClusterSpec, 'zones' | 'fields'> {
  if (endpoints === undefined) return {}
  return {
    zones: endpoints.map(({ at }, index) => ({
      ...{ name: `endpoint-${index + 1}`, priority: 0 },
      ...defined({ at }),
    })),
    fields: { lb_policy: balance === 'least-connections' ? 'LEAST_REQUEST' : 'ROUND_ROBIN' },
  }
}

/** Where a hop listens, and its transport socket where the leg to it is encrypted. */
const accepting = ({ listen, downstreamTls: tls }: EnvoyHop, alpn: readonly string[]) => ({
  address: listen,
  transportSocket: tls && tlsSocket('Downstream', tls, alpn),
})

/** The service as the functions want it: a cluster for each share of a split, with endpoints for each zone. */
function serviceClusters(
  { functions, proxy: { split = [{ weight: 1 }], zones } }: EnvoyHop,
  service: Pick<ClusterSpec, 'name' | 'target' | 'transportSocket'>,
): JsonObject[] {
  const { thresholds, cluster: fields, nearZone } = functions
  const priority = (zone: string) => (nearZone === undefined || zone === nearZone ? 0 : 1)
  // Priorities have to begin with 0, even where none of the zones is near.
  const least = Math.min(...(zones ?? []).map(({ name }) => priority(name)))
  return split.map(({ at = service.target }, index) =>
    cluster({
      ...service,
      ...{ name: shareName(service.name, index), target: at, speaks: 'http', thresholds, fields },
      ...(zones && {
        zones: zones.map((zone) => ({
          ...{ name: zone.name, priority: priority(zone.name) - least },
          ...defined({ at: zone.at }),
        })),
      }),
    }),
  )
}

function extra({ extraClusters }: EnvoyHop): JsonObject[] {
  return Object.entries(extraClusters).map(([name, { protocol, ...target }]) =>
    cluster({ name: extraName(name), target, speaks: protocol === 'h2' ? 'h2' : 'http' }),
  )
}

/** Envoy's name of a cluster of the config's, so that it cannot take one of ours. */
export function extraName(name: string): string {
  return `extra_${name}`
}

function l7Manager(target: string, { functions, proxy: { split } }: EnvoyHop): JsonObject {
  const shares = split?.map(({ weight }, index) => ({ name: shareName(target, index), weight }))
  const virtualHost = {
    name: 'all',
    domains: ['*'],
    routes: [
      {
        match: { prefix: '/' },
        route: {
          ...(shares ? { weighted_clusters: { clusters: shares } } : { cluster: target }),
          timeout: seconds(hopLimits.requestTimeoutMs),
          ...functions.action,
        },
        ...functions.route,
      },
    ],
  }
  return httpManager(names.l7, virtualHost, functions.filters)
}

function tunnelFilter(statPrefix: string, authority: string): JsonObject {
  const forwarded = { key: 'forwarded', value: 'for="%DOWNSTREAM_REMOTE_ADDRESS%"' }
  return {
    name: 'envoy.filters.network.tcp_proxy',
    typed_config: typed('envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy', {
      stat_prefix: statPrefix,
      cluster: names.next,
      tunneling_config: {
        hostname: authority,
        headers_to_add: [{ header: forwarded, append_action: 'OVERWRITE_IF_EXISTS_OR_ADD' }],
      },
    }),
  }
}

function hboneCluster({ upstream: target, upstreamTls: tls }: EnvoyHop): JsonObject {
  const transport = tls && { transportSocket: tlsSocket('Upstream', tls, ['h2']) }
  return cluster({ name: names.next, target, speaks: 'tunnel', ...transport })
}

/** Hands the client's SPIFFE id through the internal connection, where no certificate is seen any more. */
const keepSource: JsonObject = {
  name: 'envoy.filters.http.set_filter_state',
  typed_config: typed('envoy.extensions.filters.http.set_filter_state.v3.Config', {
    on_request_headers: [
      {
        object_key: sourceState,
        factory_key: 'envoy.string',
        format_string: { text_format_source: { inline_string: '%DOWNSTREAM_PEER_URI_SAN%' } },
        shared_with_upstream: 'ONCE',
      },
    ],
  }),
}
