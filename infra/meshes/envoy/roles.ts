/** Renders Envoy's bootstrap for each role of a hop: pure, so that golden files show what is measured. */
import type { Endpoint } from '../../../harness/model.js'
import { defined } from '../../../harness/model/defined.js'
import type { HopLimits } from '../hops/hop-limits.js'
import {
  bootstrap,
  cluster,
  type ClusterSpec,
  downstreamTls,
  httpManager,
  listener,
  seconds,
  typed,
  upstreamTls,
  type Json,
  type JsonObject,
  type TlsFiles,
} from './blocks.js'
import { noFunctions, type EnvoyFunctions } from './functions/rendering.js'
import { shareName, type Split, type Zones } from '../hops/settings.js'

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

export interface EnvoyBase {
  readonly id: string
  readonly admin: Endpoint
  readonly listen: Endpoint
  readonly limits: HopLimits
}

/** Absent protocol: the client's. */
type ExtraEndpoint = Endpoint & { readonly protocol?: 'http1' | 'h2' }

interface WithUpstream {
  readonly upstream: Endpoint
}

interface WithFunctions {
  readonly functions?: EnvoyFunctions
  /** Clusters beside the service, for functions that call or mirror to somebody else. */
  readonly extraClusters?: Readonly<Record<string, ExtraEndpoint>>
  readonly split?: Split
  readonly zones?: Zones
}

/** Credentials towards the hop before, the hop after, or both; undefined where the leg is not encrypted. */
interface DownstreamTls {
  readonly downstreamTls: TlsFiles | undefined
}
interface UpstreamTls {
  readonly upstreamTls: TlsFiles | undefined
}
interface WithAuthority {
  /** `host:port` that CONNECT names. */
  readonly authority: string
}

export type PerNode = EnvoyBase & WithUpstream & WithFunctions
export type SidecarOutbound = EnvoyBase & WithUpstream & WithFunctions & UpstreamTls
export type SidecarInbound = EnvoyBase & WithUpstream & WithFunctions & DownstreamTls
export type TunnelOutbound = EnvoyBase & WithUpstream & WithAuthority & UpstreamTls
export type TunnelInbound = EnvoyBase &
  WithUpstream &
  WithAuthority &
  DownstreamTls & {
    /** Of CONNECT requests, in order. */
    readonly filters?: readonly JsonObject[]
    readonly endpoints?: readonly { readonly at?: Endpoint | undefined }[]
    readonly balance?: 'round-robin' | 'least-connections'
  }
export type Waypoint = EnvoyBase & WithUpstream & WithAuthority & WithFunctions & DownstreamTls & UpstreamTls

/** Plain HTTP in, plain HTTP out. */
export function perNode(role: PerNode): JsonObject {
  return l7Bootstrap(role, { service: { name: names.service, target: role.upstream } })
}

/** Plain HTTP in, HTTP over mutual TLS out. */
export function sidecarOutbound(role: SidecarOutbound): JsonObject {
  const transport = role.upstreamTls && { transportSocket: upstreamTls(role.upstreamTls) }
  return l7Bootstrap(role, { service: { name: names.next, target: role.upstream, ...transport } })
}

/** HTTP over mutual TLS in, plain HTTP out. */
export function sidecarInbound(role: SidecarInbound): JsonObject {
  return l7Bootstrap(role, {
    service: { name: names.service, target: role.upstream },
    ...accepting(role, ['h2', 'http/1.1']),
  })
}

/** A TCP connection in, a CONNECT stream on a pooled HTTP/2 connection over mutual TLS out. */
export function tunnelOutbound(role: TunnelOutbound): JsonObject {
  const { id, admin, listen, limits, upstream } = role
  return bootstrap({
    id,
    admin,
    listeners: [
      listener({
        name: names.downstream,
        address: listen,
        filter: tunnelFilter(names.downstream, role.authority),
      }),
    ],
    clusters: [hboneCluster(upstream, role.upstreamTls, limits)],
  })
}

/** CONNECT streams in, a TCP connection for each out. */
export function tunnelInbound(role: TunnelInbound): JsonObject {
  const { id, admin, limits, upstream } = role
  return bootstrap({
    id,
    admin,
    listeners: [hboneEnd(role, role.filters ?? [], names.service)],
    clusters: [
      cluster({
        ...{ name: names.service, limits, target: upstream, speaks: 'tcp' },
        ...spread(role),
      }),
    ],
  })
}

/**
 * Ends HBONE, parses the requests inside, and opens HBONE of its own towards the server. The two ends and the HTTP part
 * are joined by internal listeners, as in Istio's waypoint
 * (https://github.com/istio/istio/blob/master/pilot/pkg/networking/core/listener_waypoint.go).
 */
export function waypoint(role: Waypoint): JsonObject {
  const { id, admin, limits, upstream, authority, split = [], zones = [] } = role
  if ([...split, ...zones].some(({ at }) => at !== undefined))
    throw new Error('split and zones at a waypoint of Envoy lead to the server alone')
  return bootstrap({
    id,
    admin,
    listeners: [
      hboneEnd(role, [keepSource], names.waypointInner),
      listener({ name: names.waypointInner, filter: l7Manager(names.service, role) }),
      listener({
        name: names.waypointOrigin,
        filter: tunnelFilter(names.waypointOrigin, authority),
      }),
    ],
    clusters: [
      cluster({
        name: names.waypointInner,
        limits,
        target: { internalListener: names.waypointInner },
        speaks: 'tcp',
      }),
      ...serviceClusters(role, { name: names.service, target: { internalListener: names.waypointOrigin } }),
      hboneCluster(upstream, role.upstreamTls, limits),
      ...extra(role),
    ],
  })
}

// ---------------------------------------------------------------- parts of roles

/** The listener that ends HBONE, and hands the connections inside to a cluster. */
function hboneEnd(
  role: EnvoyBase & WithAuthority & DownstreamTls,
  filters: readonly JsonObject[],
  target: string,
): JsonObject {
  const { listen, limits, authority } = role
  return listener({
    name: names.downstream,
    address: listen,
    ...accepting(role, ['h2']),
    filter: httpManager({
      statPrefix: names.hbone,
      limits,
      connect: true,
      filters,
      virtualHost: connectHost(authority, target),
    }),
  })
}

/** Endpoints of a TCP service, and which of them a connection goes to; of a single one there is nothing to say. */
function spread({ endpoints, balance }: TunnelInbound): Pick<ClusterSpec, 'zones' | 'fields'> {
  if (endpoints === undefined) return {}
  return {
    zones: endpoints.map(({ at }, index) => ({
      ...{ name: `endpoint-${index + 1}`, priority: 0 },
      ...defined({ at }),
    })),
    fields: { lb_policy: balance === 'least-connections' ? 'LEAST_REQUEST' : 'ROUND_ROBIN' },
  }
}

/** The transport socket of a listener; none where the leg to it is not encrypted. */
const accepting = ({ downstreamTls: tls }: DownstreamTls, alpn: readonly string[]) =>
  tls && { transportSocket: downstreamTls(tls, alpn) }

function l7Bootstrap(
  role: EnvoyBase & WithFunctions,
  { service, transportSocket }: { service: Service; transportSocket?: JsonObject },
): JsonObject {
  const { id, admin, listen } = role
  return bootstrap({
    id,
    admin,
    listeners: [
      listener({
        name: names.downstream,
        address: listen,
        filter: l7Manager(service.name, role),
        ...defined({ transportSocket }),
      }),
    ],
    clusters: [...serviceClusters(role, service), ...extra(role)],
  })
}

type Service = Pick<ClusterSpec, 'name' | 'target' | 'transportSocket'>

/** The service as the functions want it: a cluster for each share of a split, with endpoints for each zone. */
function serviceClusters(
  { limits, functions = noFunctions, split = [{ weight: 1 }], zones }: EnvoyBase & WithFunctions,
  service: Service,
): JsonObject[] {
  const { thresholds, cluster: fields, nearZone } = functions
  const priority = (zone: string) => (nearZone === undefined || zone === nearZone ? 0 : 1)
  // Priorities have to begin with 0, even where none of the zones is near.
  const least = Math.min(...(zones ?? []).map(({ name }) => priority(name)))
  return split.map(({ at = service.target }, index) =>
    cluster({
      ...service,
      ...{ name: shareName(service.name, index), target: at, limits, speaks: 'http', thresholds, fields },
      ...(zones && {
        zones: zones.map((zone) => ({
          ...{ name: zone.name, priority: priority(zone.name) - least },
          ...defined({ at: zone.at }),
        })),
      }),
    }),
  )
}

function extra({ limits, extraClusters = {} }: WithFunctions & { limits: HopLimits }): JsonObject[] {
  return Object.entries(extraClusters).map(([name, { protocol, ...target }]) =>
    cluster({ name: extraName(name), limits, target, speaks: protocol === 'h2' ? 'h2' : 'http' }),
  )
}

/** Envoy's name of a cluster of the config's, so that it cannot take one of ours. */
export function extraName(name: string): string {
  return `extra_${name}`
}

function l7Manager(
  target: string,
  { limits, functions = noFunctions, split }: EnvoyBase & WithFunctions,
): JsonObject {
  const { retries, requestTimeoutMs } = limits
  return httpManager({
    statPrefix: names.l7,
    limits,
    filters: functions.filters,
    virtualHost: {
      name: 'all',
      domains: ['*'],
      routes: [
        {
          match: { prefix: '/' },
          route: {
            ...(split
              ? {
                  weighted_clusters: {
                    clusters: split.map(({ weight }, index) => ({ name: shareName(target, index), weight })),
                  },
                }
              : { cluster: target }),
            timeout: seconds(requestTimeoutMs),
            ...(retries > 0
              ? { retry_policy: { retry_on: 'connect-failure,reset', num_retries: retries } }
              : {}),
            ...functions.action,
          },
          ...functions.route,
        },
      ],
    },
  })
}

function connectHost(authority: string, target: string): JsonObject {
  return {
    name: 'hbone',
    domains: [authority],
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
}

function tunnelFilter(statPrefix: string, authority: string): JsonObject {
  return {
    name: 'envoy.filters.network.tcp_proxy',
    typed_config: typed('envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy', {
      stat_prefix: statPrefix,
      cluster: names.next,
      tunneling_config: {
        hostname: authority,
        headers_to_add: [header('forwarded', 'for="%DOWNSTREAM_REMOTE_ADDRESS%"')],
      },
    }),
  }
}

function header(key: string, value: string): Json {
  return { header: { key, value }, append_action: 'OVERWRITE_IF_EXISTS_OR_ADD' }
}

function hboneCluster(target: Endpoint, tls: TlsFiles | undefined, limits: HopLimits): JsonObject {
  return cluster({
    name: names.next,
    limits,
    target,
    speaks: 'tunnel',
    ...(tls && { transportSocket: upstreamTls(tls, ['h2']) }),
  })
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
