/**
 * What is compared: haproxy, nginx, Envoy, nghttpx, a bare Node and ours, over HTTP/1.1 or HTTP/2, plain or with mutual TLS
 * between two; and as tunnels of TCP.
 */
import { fileURLToPath } from 'node:url'
import { bundleSource } from '../../bundles.js'
import type { ListenerAddress } from '../../kit/net/address.js'
import { startImage, trustDomain, writeWorkload, createTestAuthority } from '../../kit/testing.js'
import { startTunnelPair } from '../../tunnel/pair.js'
import { proxyConfig } from '../proxy-config.js'
import { envoyInbound, envoyOutbound, envoyProxy } from './envoy-config.js'
import { startEnvoy, startHaproxy, startNghttpx, startNginx, startNode } from './programs.js'
import { type Subject, ofImage, oneHop, onePeer, twoHops, twoPeers } from './subject.js'

type Protocol = 'http1' | 'h2'

const haproxyHttp = (protocol: Protocol): Subject =>
  onePeer('haproxy', 'haproxy', (workspace, place) =>
    startHaproxy(workspace, place, 'http', protocol === 'h2' ? 'proto h2' : ''),
  )

const nginxHttp = onePeer('nginx', 'nginx', (workspace, { at, to }) =>
  startNginx(
    workspace,
    at,
    `upstream app { server 127.0.0.1:${to.port}; keepalive 1100; keepalive_requests 1000000000; }
  server {
    listen 127.0.0.1:${at.port};
    location / { proxy_pass http://app; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_max_temp_file_size 0; }
  }`,
  ),
)

const envoyHttp = (protocol: Protocol): Subject =>
  onePeer('Envoy', 'envoy', (workspace, { at, to }) =>
    startEnvoy(workspace, at, envoyProxy({ address: at, protocol }, { address: to, protocol })),
  )

const nghttpxHttp = (protocol: Protocol): Subject =>
  onePeer('nghttpx', 'nghttpx', (_workspace, { at, to }) =>
    startNghttpx(at, [
      `--frontend=127.0.0.1,${at.port};no-tls`,
      `--backend=127.0.0.1,${to.port}${protocol === 'h2' ? ';;proto=h2' : ''}`,
      // Else two connections carry all, and the requests beyond their streams wait.
      '--backend-connections-per-host=100',
    ]),
  )

/** A connection of TLS for each of TCP, of the same suite as the tunnel. */
const haproxyTls = (name: string, mode: 'tcp' | 'http'): Subject =>
  twoPeers(name, 'haproxy', (workspace, place) => startHaproxy(workspace, place, mode))

const envoyMtls = twoPeers('Envoy mTLS', 'envoy', (workspace, { at, to, inbound, outbound }) => {
  const protocol = 'http1'
  const listener = { address: at, protocol, tls: inbound } as const
  return startEnvoy(workspace, at, envoyProxy(listener, { address: to, protocol, tls: outbound }))
})

const envoyTunnel = twoPeers('Envoy HBONE', 'envoy', (workspace, { at, to, inbound, outbound }) => {
  const [hbone, tcp] = [{ protocol: 'h2' }, { protocol: 'http1' }] as const
  const config = inbound
    ? envoyInbound({ address: at, ...hbone, tls: inbound }, { address: to, ...tcp })
    : envoyOutbound({ address: at, ...tcp }, { address: to, ...hbone, tls: outbound }, 'server.bench:8080')
  return startEnvoy(workspace, at, config)
})

const nghttpxMtls = twoPeers('nghttpx mTLS', 'nghttpx', (_workspace, { at, to, inbound, outbound }) => {
  const frontend = `--frontend=127.0.0.1,${at.port}`
  const backend = `--backend=127.0.0.1,${to.port}`
  const server = inbound && [
    ...[frontend, backend, '--verify-client', `--verify-client-cacert=${inbound.ca}`],
    ...['--tls-min-proto-version=TLSv1.3', inbound.key, inbound.cert],
  ]
  const client = outbound && [
    ...[`${frontend};no-tls`, `${backend};;tls;proto=http/1.1`],
    ...[`--client-private-key-file=${outbound.key}`, `--client-cert-file=${outbound.cert}`],
    // The certificates name no host, and nghttpx knows no other way to check one.
    '--insecure',
  ]
  return startNghttpx(at, server ?? client ?? [])
})

const copyingNode = fileURLToPath(new URL('copying-node.ts', import.meta.url))
const startCopying: Parameters<typeof onePeer>[2] = async (workspace, place) => {
  const program = workspace.write('copying-node.mjs', await bundleSource(copyingNode))
  return startNode([program, JSON.stringify(place)], place.at)
}
/** The floor of what can be reached on Node: hops that only copy, plain or with mutual TLS between two, without a pool. */
const bareNode: Subject = { ...onePeer('bare Node', 'node', startCopying), isFloor: true }
const bareNodeMtls: Subject = { ...twoPeers('bare Node mTLS', 'node', startCopying), isFloor: true }

const plain = { transport: 'plain' } as const

const ourProxy = (name: string, protocol: Protocol, filters: Record<string, unknown> = {}): Subject => ({
  name,
  async start(workspace, application, nodeArguments = []) {
    const config = proxyConfig(plain, { endpoints: [application], protocol, ...plain }, { filters })
    const image = await startImage('proxy', workspace, config, { nodeArguments })
    return oneHop(ofImage(image, 'downstream'))
  },
})

const ourMtls: Subject = {
  name: 'proxy mTLS',
  async start(workspace, application, nodeArguments = []) {
    const authority = await createTestAuthority()
    const client = await writeWorkload(workspace, authority, 'mtls-client')
    const server = await writeWorkload(workspace, authority, 'mtls-server')
    const start = (identity: typeof client, listener: object, cluster: object) => {
      const config = proxyConfig(listener, cluster, { trustDomain, identity })
      return startImage('proxy', workspace, config, { nodeArguments })
    }
    const inbound = await start(
      server,
      { transport: 'mtls', expect: [client.spiffeId] },
      { endpoints: [application], ...plain },
    )
    const via = inbound.listeners['downstream'] as ListenerAddress
    const outbound = await start(client, plain, {
      ...{ endpoints: [{ host: via.host, port: via.port }], transport: 'mtls', expect: [server.spiffeId] },
    })
    return twoHops(ofImage(outbound, 'downstream'), ofImage(inbound, 'downstream'))
  },
}

const ourTunnels = (name: string, pool: Record<string, unknown>): Subject => ({
  name,
  async start(workspace, application, nodeArguments = []) {
    const { outbound, inbound } = await startTunnelPair(workspace, application, { pool, nodeArguments })
    return twoHops(ofImage(outbound, 'outbound'), ofImage(inbound, 'inbound'))
  },
})

const functions = {
  requestMetrics: {},
  trace: {},
  timeouts: { requestMs: 15_000 },
  headers: { request: { set: { 'x-bench': '1' } } },
}

// The first of each list is the peer that the others are compared with.

export const http1Subjects: readonly Subject[] = [
  haproxyHttp('http1'),
  ourProxy('proxy HTTP', 'http1'),
  ourProxy('proxy with functions', 'http1', functions),
  bareNode,
  nginxHttp,
  envoyHttp('http1'),
  nghttpxHttp('http1'),
]

export const mtlsSubjects: readonly Subject[] = [
  haproxyTls('haproxy mTLS', 'http'),
  ourMtls,
  bareNodeMtls,
  envoyMtls,
  nghttpxMtls,
]

export const h2Subjects: readonly Subject[] = [
  haproxyHttp('h2'),
  ourProxy('proxy h2', 'h2'),
  envoyHttp('h2'),
  nghttpxHttp('h2'),
]

export const l4Subjects: readonly Subject[] = [
  haproxyTls('haproxy TCP over TLS', 'tcp'),
  ourTunnels('tunnel HBONE', {}),
  ourTunnels('tunnel, one TLS each', { multiplex: false }),
  bareNodeMtls,
  envoyTunnel,
]
