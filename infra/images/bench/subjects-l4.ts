/** The L4 rows: haproxy's TCP over mutual TLS, and our tunnels. */
import type { ListenerAddress } from '../kit/process/image.js'
import { type Workspace, createTestAuthority } from '../kit/testing.js'
import { startTunnelPair } from '../tunnel/pair.js'
import { freePort, startHaproxy } from './peers.js'
import type { Subject } from './subject.js'

/** Mutual TLS 1.3 with the same suite as the tunnel; one TLS connection per TCP connection. */
const haproxyTls: Subject = {
  name: 'haproxy TCP over TLS',
  async start(workspace: Workspace, application: ListenerAddress) {
    const authority = await createTestAuthority()
    const ca = workspace.write('haproxy-ca.pem', authority.caPem)
    const pem = async (name: string): Promise<string> => {
      const { certPem, keyPem } = await authority.issue(
        `spiffe://${authority.trustDomain}/ns/bench/sa/${name}`,
      )
      return workspace.write(`haproxy-${name}.pem`, certPem + '\n' + keyPem)
    }
    const serverPort = await freePort()
    const server = await startHaproxy(
      workspace,
      'haproxy-server',
      serverPort,
      `frontend in
  mode tcp
  bind 127.0.0.1:${serverPort} ssl crt ${await pem('server')} ca-file ${ca} verify required ssl-min-ver TLSv1.3 ciphersuites TLS_AES_128_GCM_SHA256
  default_backend app
backend app
  mode tcp
  server app 127.0.0.1:${application.port}`,
    )
    const clientPort = await freePort()
    const client = await startHaproxy(
      workspace,
      'haproxy-client',
      clientPort,
      `frontend in
  mode tcp
  bind 127.0.0.1:${clientPort}
  default_backend peer
backend peer
  mode tcp
  server peer 127.0.0.1:${serverPort} ssl crt ${await pem('client')} ca-file ${ca} verify required ssl-min-ver TLSv1.3 ciphersuites TLS_AES_128_GCM_SHA256`,
    )
    return {
      entry: client.address,
      hops: [
        { name: 'outbound', pid: client.pid },
        { name: 'inbound', pid: server.pid },
      ],
      async stop() {
        await client.stop()
        await server.stop()
      },
    }
  },
}

const tunnel = (name: string, pool: Record<string, unknown>): Subject => ({
  name,
  async start(workspace, application, nodeArguments = []) {
    const pair = await startTunnelPair(workspace, application, { pool, nodeArguments })
    return {
      entry: pair.entry,
      hops: [
        { name: 'outbound', pid: pair.outbound.pid },
        { name: 'inbound', pid: pair.inbound.pid },
      ],
      stop: (signal) => pair.stop(signal),
    }
  },
})

/** The first is the peer that the others are compared with. */
export const l4Subjects: readonly Subject[] = [
  haproxyTls,
  tunnel('tunnel HBONE', {}),
  tunnel('tunnel, one TLS each', { multiplex: false }),
]
