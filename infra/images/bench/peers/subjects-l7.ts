/** The L7 rows: haproxy, nginx, Envoy, nghttpx and our proxy, over HTTP/1.1 or HTTP/2, plain or with mutual TLS between two. */
import { startImage, trustDomain, writeWorkload, createTestAuthority } from '../../kit/testing.js'
import type { ListenerAddress } from '../../kit/net/address.js'
import { proxyConfig } from '../proxy-config.js'
import { bareNode, bareNodeMtls } from './bare-node.js'
import { envoyProxy } from './envoy-config.js'
import { haproxyTls } from './haproxy-tls.js'
import { createPeerFiles } from './peer-files.js'
import { freePort, missing, startEnvoy, startHaproxy, startNghttpx, startNginx } from './programs.js'
import { type Subject, ofImage, oneHop, twoHops } from './subject.js'

type Protocol = 'http1' | 'h2'
const loopback = async (): Promise<ListenerAddress> => ({ host: '127.0.0.1', port: await freePort() })

const haproxyHttp = (protocol: Protocol): Subject => ({
  name: 'haproxy',
  missing: () => missing('haproxy'),
  async start(workspace, application) {
    const port = await freePort()
    const proto = protocol === 'h2' ? ' proto h2' : ''
    return oneHop(
      await startHaproxy(
        workspace,
        `haproxy-${protocol}`,
        port,
        `frontend in
  mode http
  bind 127.0.0.1:${port}${proto}
  default_backend app
backend app
  mode http
  http-reuse always
  server app 127.0.0.1:${application.port}${proto}`,
      ),
    )
  },
})

const nginxHttp: Subject = {
  name: 'nginx',
  missing: () => missing('nginx'),
  async start(workspace, application) {
    const port = await freePort()
    return oneHop(
      await startNginx(
        workspace,
        'nginx-http',
        port,
        `upstream app { server 127.0.0.1:${application.port}; keepalive 1100; keepalive_requests 1000000000; }
  server {
    listen 127.0.0.1:${port};
    location / { proxy_pass http://app; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_max_temp_file_size 0; }
  }`,
      ),
    )
  },
}

const envoyHttp = (protocol: Protocol): Subject => ({
  name: 'Envoy',
  missing: () => missing('envoy'),
  async start(workspace, application) {
    const address = await loopback()
    const config = envoyProxy({ address, protocol }, { address: application, protocol })
    return oneHop(await startEnvoy(workspace, `envoy-${protocol}`, address.port, config))
  },
})

const nghttpxHttp = (protocol: Protocol): Subject => ({
  name: 'nghttpx',
  missing: () => missing('nghttpx'),
  async start(_workspace, application) {
    const port = await freePort()
    const proto = protocol === 'h2' ? ';;proto=h2' : ''
    return oneHop(
      await startNghttpx(port, [
        `--frontend=127.0.0.1,${port};no-tls`,
        `--backend=127.0.0.1,${application.port}${proto}`,
        // Else two connections carry all, and the requests beyond their streams wait.
        '--backend-connections-per-host=100',
      ]),
    )
  },
})

const plain = { transport: 'plain' } as const

const ourProxy = (name: string, protocol: Protocol, filters: Record<string, unknown> = {}): Subject => ({
  name,
  async start(workspace, application, nodeArguments = []) {
    const config = proxyConfig(plain, { endpoints: [application], protocol, ...plain }, { filters })
    const image = await startImage('proxy', workspace, config, { nodeArguments })
    return oneHop(ofImage(image, 'downstream'))
  },
})

const haproxyMtls: Subject = {
  name: 'haproxy mTLS',
  missing: () => missing('haproxy'),
  start: (workspace, application) => haproxyTls(workspace, application, 'http'),
}

const envoyMtls: Subject = {
  name: 'Envoy mTLS',
  missing: () => missing('envoy'),
  async start(workspace, application) {
    const { client, server } = await createPeerFiles(workspace, 'envoy-mtls')
    const [via, entry] = [await loopback(), await loopback()]
    const protocol = 'http1'
    const inbound = envoyProxy({ address: via, protocol, tls: server }, { address: application, protocol })
    const outbound = envoyProxy({ address: entry, protocol }, { address: via, protocol, tls: client })
    const started = await startEnvoy(workspace, 'envoy-mtls-inbound', via.port, inbound)
    return twoHops(await startEnvoy(workspace, 'envoy-mtls-outbound', entry.port, outbound), started)
  },
}

const nghttpxMtls: Subject = {
  name: 'nghttpx mTLS',
  missing: () => missing('nghttpx'),
  async start(workspace, application) {
    const { client, server } = await createPeerFiles(workspace, 'nghttpx')
    const [via, entry] = [await freePort(), await freePort()]
    const inbound = await startNghttpx(via, [
      `--frontend=127.0.0.1,${via}`,
      `--backend=127.0.0.1,${application.port}`,
      '--verify-client',
      `--verify-client-cacert=${server.ca}`,
      '--tls-min-proto-version=TLSv1.3',
      server.key,
      server.cert,
    ])
    const outbound = await startNghttpx(entry, [
      `--frontend=127.0.0.1,${entry};no-tls`,
      `--backend=127.0.0.1,${via};;tls;proto=http/1.1`,
      `--client-private-key-file=${client.key}`,
      `--client-cert-file=${client.cert}`,
      // The certificates name no host, and nghttpx knows no other way to check one.
      '--insecure',
    ])
    return twoHops(outbound, inbound)
  },
}

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
      endpoints: [{ host: via.host, port: via.port }],
      transport: 'mtls',
      expect: [server.spiffeId],
    })
    return twoHops(ofImage(outbound, 'downstream'), ofImage(inbound, 'downstream'))
  },
}

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

export const mtlsSubjects: readonly Subject[] = [haproxyMtls, ourMtls, bareNodeMtls, envoyMtls, nghttpxMtls]

export const h2Subjects: readonly Subject[] = [
  haproxyHttp('h2'),
  ourProxy('proxy h2', 'h2'),
  envoyHttp('h2'),
  nghttpxHttp('h2'),
]
