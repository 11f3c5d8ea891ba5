/** Envoy's configuration as the bench needs it: as little of it as a hop can do with, and no request ids or logs. */
import type { ListenerAddress } from '../../kit/net/address.js'
import type { PeerFiles } from './peer-files.js'

type Json = Record<string, unknown>
const type = (name: string): { '@type': string } => ({ '@type': `type.googleapis.com/envoy.${name}` })

export interface EnvoyEnd {
  readonly address: ListenerAddress
  readonly protocol: 'http1' | 'h2'
  /** Mutual TLS with these files; absent: plain text. */
  readonly tls?: PeerFiles
}

/** One L7 hop. */
export const envoyProxy = (listener: EnvoyEnd, upstream: EnvoyEnd): Json =>
  resources(listener, [httpFilter(listener, { match: { prefix: '/' }, route: toApp })], upstream)

/** The client's end of a tunnel: TCP carried over a CONNECT stream each. */
export const envoyOutbound = (address: ListenerAddress, upstream: EnvoyEnd, authority: string): Json =>
  resources(
    { address, protocol: 'http1' },
    [
      {
        name: 'envoy.filters.network.tcp_proxy',
        typed_config: {
          ...type('extensions.filters.network.tcp_proxy.v3.TcpProxy'),
          stat_prefix: 'out',
          cluster: 'app',
          tunneling_config: { hostname: authority },
        },
      },
    ],
    upstream,
  )

/** The server's end of a tunnel. */
export const envoyInbound = (listener: EnvoyEnd, upstream: ListenerAddress): Json =>
  resources(
    listener,
    [
      httpFilter(listener, {
        match: { connect_matcher: {} },
        route: { ...toApp, upgrade_configs: [{ upgrade_type: 'CONNECT', connect_config: {} }] },
      }),
    ],
    { address: upstream, protocol: 'http1' },
  )

const toApp = { cluster: 'app', timeout: '0s' }

function httpFilter({ protocol }: EnvoyEnd, route: Json): Json {
  return {
    name: 'envoy.filters.network.http_connection_manager',
    typed_config: {
      ...type('extensions.filters.network.http_connection_manager.v3.HttpConnectionManager'),
      stat_prefix: 'in',
      codec_type: protocol === 'h2' ? 'HTTP2' : 'HTTP1',
      generate_request_id: false,
      ...('connect_matcher' in (route['match'] as Json)
        ? { upgrade_configs: [{ upgrade_type: 'CONNECT' }], http2_protocol_options: { allow_connect: true } }
        : {}),
      http_filters: [
        {
          name: 'envoy.filters.http.router',
          typed_config: type('extensions.filters.http.router.v3.Router'),
        },
      ],
      route_config: { virtual_hosts: [{ name: 'all', domains: ['*'], routes: [route] }] },
    },
  }
}

function resources(listener: EnvoyEnd, filters: readonly Json[], upstream: EnvoyEnd): Json {
  const enough = 100_000
  return {
    listeners: [
      {
        name: 'in',
        address: socketAddress(listener.address),
        filter_chains: [
          {
            filters,
            ...(listener.tls === undefined
              ? {}
              : { transport_socket: tls('server', listener.tls, listener) }),
          },
        ],
      },
    ],
    clusters: [
      {
        name: 'app',
        type: 'STATIC',
        connect_timeout: '10s',
        load_assignment: {
          cluster_name: 'app',
          endpoints: [{ lb_endpoints: [{ endpoint: { address: socketAddress(upstream.address) } }] }],
        },
        circuit_breakers: {
          thresholds: [
            {
              max_connections: enough,
              max_pending_requests: enough,
              max_requests: enough,
              max_retries: enough,
            },
          ],
        },
        typed_extension_protocol_options: {
          'envoy.extensions.upstreams.http.v3.HttpProtocolOptions': {
            ...type('extensions.upstreams.http.v3.HttpProtocolOptions'),
            explicit_http_config:
              upstream.protocol === 'h2' ? { http2_protocol_options: {} } : { http_protocol_options: {} },
          },
        },
        ...(upstream.tls === undefined ? {} : { transport_socket: tls('client', upstream.tls, upstream) }),
      },
    ],
  }
}

const socketAddress = ({ host, port }: ListenerAddress): Json => ({
  socket_address: { address: host, port_value: port },
})

function tls(role: 'client' | 'server', files: PeerFiles, { protocol }: EnvoyEnd): Json {
  const context = role === 'client' ? 'UpstreamTlsContext' : 'DownstreamTlsContext'
  return {
    name: 'envoy.transport_sockets.tls',
    typed_config: {
      ...type(`extensions.transport_sockets.tls.v3.${context}`),
      ...(role === 'server' ? { require_client_certificate: true } : {}),
      common_tls_context: {
        alpn_protocols: [protocol === 'h2' ? 'h2' : 'http/1.1'],
        tls_params: { tls_minimum_protocol_version: 'TLSv1_3', tls_maximum_protocol_version: 'TLSv1_3' },
        tls_certificates: [
          { certificate_chain: { filename: files.cert }, private_key: { filename: files.key } },
        ],
        validation_context: { trusted_ca: { filename: files.ca } },
      },
    },
  }
}
