/**
 * The pieces that every Envoy bootstrap here is put together from, so that each role differs only in what it is for.
 *
 * Field names are those of Envoy's v3 API (https://www.envoyproxy.io/docs/envoy/latest/api-v3/api).
 */
import { isIP } from 'node:net'
import type { Endpoint } from '../../../harness/model.js'
import { defined } from '../../../harness/model/defined.js'
import { hopLimits as limits } from '../hops/hop-limits.js'

export type Json = string | number | boolean | null | readonly Json[] | { readonly [key: string]: Json }
export type JsonObject = { readonly [key: string]: Json }

const typePrefix = 'type.googleapis.com/'

/** A `typed_config`: Envoy finds the extension by the message's type. */
export function typed(type: string, fields: JsonObject = {}): JsonObject {
  return { '@type': typePrefix + type, ...fields }
}

/** Proto durations are seconds with an `s`. */
export function seconds(ms: number): string {
  return `${ms / 1000}s`
}

export function socketAddress({ host, port }: Endpoint): JsonObject {
  return { socket_address: { address: host, port_value: port } }
}

// ---------------------------------------------------------------- TLS

/** Where a workload's credentials lie, and whom it talks to. */
export interface TlsFiles {
  readonly certFile: string
  readonly keyFile: string
  readonly caFile: string
  /** SPIFFE ids, one of which the peer must have. */
  readonly peers: readonly string[]
  /** False: the server alone shows a certificate. */
  readonly mutual: boolean
}

/**
 * TLS 1.3 alone, the run's CA, and exactly the expected SPIFFE ids. Without `alpn` an upstream is offered what its connection
 * pool speaks.
 */
export function tlsSocket(
  side: 'Downstream' | 'Upstream',
  { certFile, keyFile, caFile, peers, mutual }: TlsFiles,
  alpn: readonly string[] = [],
): JsonObject {
  const isServer = side === 'Downstream'
  return {
    name: 'envoy.transport_sockets.tls',
    typed_config: typed(`envoy.extensions.transport_sockets.tls.v3.${side}TlsContext`, {
      ...(isServer && { require_client_certificate: mutual }),
      common_tls_context: {
        tls_params: {
          tls_minimum_protocol_version: 'TLSv1_3',
          tls_maximum_protocol_version: 'TLSv1_3',
          ecdh_curves: ['X25519', 'P-256'],
        },
        alpn_protocols: alpn,
        ...((isServer || mutual) && {
          tls_certificates: [
            { certificate_chain: { filename: certFile }, private_key: { filename: keyFile } },
          ],
        }),
        // With it a server would ask for a certificate, wanted or not.
        ...((!isServer || mutual) && {
          validation_context: {
            trusted_ca: { filename: caFile },
            match_typed_subject_alt_names: peers.map((peer) => ({
              ...{ san_type: 'URI', matcher: { exact: peer } },
            })),
          },
        }),
      },
    }),
  }
}

// ---------------------------------------------------------------- listeners

/** Without an address it is an internal listener: reached from inside this process alone. */
export function listener(
  name: string,
  filter: JsonObject,
  { address, transportSocket }: { address?: Endpoint; transportSocket?: JsonObject | undefined } = {},
): JsonObject {
  return {
    name,
    // Without it statistics are named after the address, which differs in every run.
    stat_prefix: name,
    ...(address
      ? { address: socketAddress(address), enable_reuse_port: false, tcp_backlog_size: 1024 }
      : { internal_listener: {} }),
    filter_chains: [{ filters: [filter], ...defined({ transport_socket: transportSocket }) }],
  }
}

/** `TCP_NODELAY` is Envoy's default on every socket; keep-alive has to be asked for. */
const tcpKeepalive: JsonObject = {
  tcp_keepalive: { keepalive_probes: 9, keepalive_time: 180, keepalive_interval: 75 },
}

const routerFilter: JsonObject = {
  name: 'envoy.filters.http.router',
  typed_config: typed('envoy.extensions.filters.http.router.v3.Router', { suppress_envoy_headers: true }),
}

const managerType = 'envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager'

/**
 * An HTTP connection manager that adds nothing to a request which the reference proxy does not add. `filters` come before the
 * router; with `connect` it accepts CONNECT and nothing else of HTTP/1.
 */
export function httpManager(
  statPrefix: string,
  virtualHost: JsonObject,
  filters: readonly JsonObject[],
  { connect = false } = {},
): JsonObject {
  return {
    name: 'envoy.filters.network.http_connection_manager',
    typed_config: typed(managerType, {
      stat_prefix: statPrefix,
      codec_type: connect ? 'HTTP2' : 'AUTO',
      http2_protocol_options: http2Options(connect),
      ...(connect && { upgrade_configs: [{ upgrade_type: 'CONNECT' }] }),
      generate_request_id: false,
      server_header_transformation: 'PASS_THROUGH',
      use_remote_address: false,
      skip_xff_append: true,
      // A tunnel is as long-lived as the connection inside it.
      stream_idle_timeout: connect ? '0s' : seconds(limits.idleMs),
      common_http_protocol_options: {
        idle_timeout: seconds(limits.idleMs),
        max_headers_count: limits.headerCount,
        headers_with_underscores_action: 'ALLOW',
      },
      max_request_headers_kb: Math.ceil(limits.headerBytes / 1024),
      request_headers_timeout: seconds(limits.headersTimeoutMs),
      route_config: { name: statPrefix, validate_clusters: true, virtual_hosts: [virtualHost] },
      http_filters: [...filters, routerFilter],
    }),
  }
}

/** Windows and streams of HTTP/2, the same at both ends of a leg. */
const http2Options = (connect: boolean): JsonObject => ({
  max_concurrent_streams: limits.streamsPerConnection,
  initial_stream_window_size: limits.streamWindowBytes,
  initial_connection_window_size: limits.connectionWindowBytes,
  ...(connect && { allow_connect: true }),
})

// ---------------------------------------------------------------- clusters

export interface ClusterSpec {
  readonly name: string
  readonly target: Endpoint | { readonly internalListener: string }
  readonly transportSocket?: JsonObject
  /** `http`: the protocol that the client speaks; `h2`: HTTP/2; `tunnel`: HTTP/2 for CONNECT; `tcp`: bytes. */
  readonly speaks: 'http' | 'h2' | 'tunnel' | 'tcp'
  /** Fields of the circuit breaker beside, or instead of, the limits'. */
  readonly thresholds?: JsonObject
  /** Other fields of the cluster. */
  readonly fields?: JsonObject
  /** Endpoints by locality in the place of the one target, each absent where it is the target; priority 0 is used first. */
  readonly zones?: readonly { readonly name: string; readonly priority: number; readonly at?: Endpoint }[]
}

const internalUpstream = 'envoy.extensions.transport_sockets.internal_upstream.v3.InternalUpstreamTransport'

export function cluster(spec: ClusterSpec): JsonObject {
  const { name, target, transportSocket, speaks, thresholds = {}, fields = {}, zones } = spec
  const internal = 'internalListener' in target
  const hosts = internal ? [] : [target.host, ...(zones ?? []).flatMap(({ at }) => at?.host ?? [])]
  const socket = internal
    ? {
        name: 'envoy.transport_sockets.internal_upstream',
        typed_config: typed(internalUpstream, {
          transport_socket: {
            name: 'envoy.transport_sockets.raw_buffer',
            typed_config: typed('envoy.extensions.transport_sockets.raw_buffer.v3.RawBuffer'),
          },
        }),
      }
    : transportSocket
  return {
    name,
    type: hosts.every((host) => isIP(host) !== 0) ? 'STATIC' : 'STRICT_DNS',
    connect_timeout: seconds(limits.connectTimeoutMs),
    load_assignment: {
      cluster_name: name,
      endpoints: zones?.map(({ name: zone, priority, at = target }) => ({
        ...{ locality: { zone }, priority },
        lb_endpoints: [{ endpoint: { address: addressOf(at, zone) } }],
      })) ?? [{ lb_endpoints: [{ endpoint: { address: addressOf(target) } }] }],
    },
    circuit_breakers: {
      thresholds: [
        {
          max_connections: limits.upstreamConnections,
          max_pending_requests: limits.pendingRequests,
          max_requests: limits.upstreamRequests,
          max_retries: limits.pendingRequests,
          ...thresholds,
        },
      ],
    },
    ...(!internal && { upstream_connection_options: tcpKeepalive }),
    ...defined({ transport_socket: socket }),
    ...fields,
    ...(speaks !== 'tcp' && {
      typed_extension_protocol_options: { [upstreamOptions]: typed(upstreamOptions, upstreamFields(speaks)) },
    }),
  }
}

/** Endpoints that lead to one internal listener are told apart by an id. */
function addressOf(target: ClusterSpec['target'], id?: string): JsonObject {
  if (!('internalListener' in target)) return socketAddress(target)
  return {
    envoy_internal_address: {
      server_listener_name: target.internalListener,
      ...defined({ endpoint_id: id }),
    },
  }
}

const upstreamOptions = 'envoy.extensions.upstreams.http.v3.HttpProtocolOptions'

function upstreamFields(speaks: 'http' | 'h2' | 'tunnel'): JsonObject {
  const idleMs = speaks === 'tunnel' ? limits.tunnelIdleMs : limits.upstreamIdleMs
  const http2 = { http2_protocol_options: http2Options(speaks === 'tunnel') }
  return {
    common_http_protocol_options: { idle_timeout: seconds(idleMs) },
    ...(speaks === 'http'
      ? { use_downstream_protocol_config: { http_protocol_options: {}, ...http2 } }
      : { explicit_http_config: http2 }),
  }
}

// ---------------------------------------------------------------- bootstrap

/** `id`: the component's name, for Envoy's own messages. */
export function bootstrap(
  { id, admin }: { readonly id: string; readonly admin: Endpoint },
  listeners: readonly JsonObject[],
  clusters: readonly JsonObject[],
): JsonObject {
  return {
    node: { id, cluster: 'meshbench' },
    admin: { address: socketAddress(admin) },
    ...(listeners.some((entry) => 'internal_listener' in entry) && {
      bootstrap_extensions: [
        {
          name: 'envoy.bootstrap.internal_listener',
          typed_config: typed('envoy.extensions.bootstrap.internal_listener.v3.InternalListener'),
        },
      ],
    }),
    static_resources: { listeners, clusters },
  }
}
