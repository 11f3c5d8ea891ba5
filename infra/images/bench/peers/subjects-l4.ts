/** The L4 rows: haproxy's TCP over mutual TLS, Envoy's tunnel, and ours. */
import { startTunnelPair } from '../../tunnel/pair.js'
import { bareNodeMtls } from './bare-node.js'
import { envoyInbound, envoyOutbound } from './envoy-config.js'
import { createPeerFiles } from './peer-files.js'
import { freePort, missing, startEnvoy } from './programs.js'
import { haproxyTls } from './haproxy-tls.js'
import { type Subject, ofImage, twoHops } from './subject.js'

/** Mutual TLS 1.3 with the same suite as the tunnel; one TLS connection per TCP connection. */
const haproxyTcp: Subject = {
  name: 'haproxy TCP over TLS',
  missing: () => missing('haproxy'),
  start: (workspace, application) => haproxyTls(workspace, application, 'tcp'),
}

const envoyTunnel: Subject = {
  name: 'Envoy HBONE',
  missing: () => missing('envoy'),
  async start(workspace, application) {
    const { client, server } = await createPeerFiles(workspace, 'envoy-tunnel')
    const via = { host: '127.0.0.1', port: await freePort() }
    const inbound = await startEnvoy(
      workspace,
      'envoy-inbound',
      via.port,
      envoyInbound({ address: via, protocol: 'h2', tls: server }, application),
    )
    const entry = { host: '127.0.0.1', port: await freePort() }
    const outbound = await startEnvoy(
      workspace,
      'envoy-outbound',
      entry.port,
      envoyOutbound(entry, { address: via, protocol: 'h2', tls: client }, 'server.bench:8080'),
    )
    return twoHops(outbound, inbound)
  },
}

const tunnel = (name: string, pool: Record<string, unknown>): Subject => ({
  name,
  async start(workspace, application, nodeArguments = []) {
    const { outbound, inbound } = await startTunnelPair(workspace, application, { pool, nodeArguments })
    return twoHops(ofImage(outbound, 'outbound'), ofImage(inbound, 'inbound'))
  },
})

/** The first is the peer that the others are compared with. */
export const l4Subjects: readonly Subject[] = [
  haproxyTcp,
  tunnel('tunnel HBONE', {}),
  tunnel('tunnel, one TLS each', { multiplex: false }),
  bareNodeMtls,
  envoyTunnel,
]
