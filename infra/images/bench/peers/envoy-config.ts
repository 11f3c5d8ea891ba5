/** Envoy's configuration as the bench needs it: as little of it as a hop can do with, and no request ids or logs. */
import type { ListenerAddress } from '../../kit/net/address.js'
import type { PeerFiles } from './programs.js'

export interface EnvoyEnd {
  readonly address: ListenerAddress
  readonly protocol: 'http1' | 'h2'
  /** Mutual TLS with these files; absent: plain text. */
  readonly tls?: PeerFiles | undefined
}

/** One L7 hop. */
export const envoyProxy = (listener: EnvoyEnd, upstream: EnvoyEnd): string =>
  bootstrap(
    listener,
    httpFilter(listener, '{ match: { prefix: / }, route: { cluster: app, timeout: 0s } }'),
    upstream,
  )

/** The client's end of a tunnel: TCP carried over a CONNECT stream each. */
export const envoyOutbound = (listener: EnvoyEnd, upstream: EnvoyEnd, authority: string): string =>
  bootstrap(
    listener,
    `name: envoy.filters.network.tcp_proxy
          typed_config:
            '@type': ${type('filters.network.tcp_proxy.v3.TcpProxy')}
            stat_prefix: out
            cluster: app
            tunneling_config: { hostname: '${authority}' }`,
    upstream,
  )

/** The server's end of a tunnel. */
export const envoyInbound = (listener: EnvoyEnd, upstream: EnvoyEnd): string =>
  bootstrap(
    listener,
    `${httpFilter(
      listener,
      '{ match: { connect_matcher: {} }, route: { cluster: app, timeout: 0s, upgrade_configs: [{ upgrade_type: CONNECT, connect_config: {} }] } }',
    )}
            upgrade_configs: [{ upgrade_type: CONNECT }]
            http2_protocol_options: { allow_connect: true }`,
    upstream,
  )

const type = (name: string) => `type.googleapis.com/envoy.extensions.${name}`

const httpFilter = (
  { protocol }: EnvoyEnd,
  route: string,
) => `name: envoy.filters.network.http_connection_manager
          typed_config:
            '@type': ${type('filters.network.http_connection_manager.v3.HttpConnectionManager')}
            stat_prefix: in
            codec_type: ${protocol === 'h2' ? 'HTTP2' : 'HTTP1'}
            generate_request_id: false
            http_filters:
              - name: envoy.filters.http.router
                typed_config: { '@type': ${type('filters.http.router.v3.Router')} }
            route_config: { virtual_hosts: [{ name: all, domains: ['*'], routes: [${route}] }] }`

function bootstrap(listener: EnvoyEnd, filter: string, upstream: EnvoyEnd): string {
  const http = type('upstreams.http.v3.HttpProtocolOptions')
  return `static_resources:
  listeners:
    - name: in
      address: ${socketAddress(listener)}
      filter_chains:
      - filters:
        - ${filter}
        ${tlsSocket('Downstream', listener)}
  clusters:
    - name: app
      type: STATIC
      connect_timeout: 10s
      load_assignment:
        cluster_name: app
        endpoints: [{ lb_endpoints: [{ endpoint: { address: ${socketAddress(upstream)} } }] }]
      circuit_breakers:
        thresholds:
          - { max_connections: 100000, max_pending_requests: 100000, max_requests: 100000, max_retries: 100000 }
      typed_extension_protocol_options:
        envoy.extensions.upstreams.http.v3.HttpProtocolOptions:
          '@type': ${http}
          explicit_http_config: { ${upstream.protocol === 'h2' ? 'http2' : 'http'}_protocol_options: {} }
      ${tlsSocket('Upstream', upstream)}
`
}

const socketAddress = ({ address: { host, port } }: EnvoyEnd) =>
  `{ socket_address: { address: ${host}, port_value: ${port} } }`

/** In flow style, so that it fits wherever it stands. */
function tlsSocket(side: 'Downstream' | 'Upstream', { tls, protocol }: EnvoyEnd): string {
  if (tls === undefined) return ''
  return `transport_socket: { name: envoy.transport_sockets.tls, typed_config: {
          '@type': ${type(`transport_sockets.tls.v3.${side}TlsContext`)},
          ${side === 'Downstream' ? 'require_client_certificate: true,' : ''}
          common_tls_context: {
            alpn_protocols: [${protocol === 'h2' ? 'h2' : 'http/1.1'}],
            tls_params: { tls_minimum_protocol_version: TLSv1_3, tls_maximum_protocol_version: TLSv1_3 },
            tls_certificates: [{ certificate_chain: { filename: ${tls.cert} }, private_key: { filename: ${tls.key} } }],
            validation_context: { trusted_ca: { filename: ${tls.ca} } } } } }`
}
