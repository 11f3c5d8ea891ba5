/** Two haproxies with mutual TLS 1.3 between them, as TCP proxies or as HTTP proxies. */
import type { ListenerAddress } from '../../kit/net/address.js'
import type { Workspace } from '../../kit/testing.js'
import { createPeerFiles } from './peer-files.js'
import { freePort, startHaproxy } from './programs.js'
import { type RunningSubject, twoHops } from './subject.js'

const suite = 'verify required ssl-min-ver TLSv1.3 ciphersuites TLS_AES_128_GCM_SHA256'

export async function haproxyTls(
  workspace: Workspace,
  application: ListenerAddress,
  mode: 'tcp' | 'http',
): Promise<RunningSubject> {
  const { client, server } = await createPeerFiles(workspace, `haproxy-${mode}`)
  const via = await freePort()
  const backend = `  mode ${mode}${mode === 'http' ? '\n  http-reuse always' : ''}`
  const inbound = await startHaproxy(
    workspace,
    `haproxy-${mode}-inbound`,
    via,
    `frontend in
  mode ${mode}
  bind 127.0.0.1:${via} ssl crt ${server.both} ca-file ${server.ca} ${suite}
  default_backend app
backend app
${backend}
  server app 127.0.0.1:${application.port}`,
  )
  const entry = await freePort()
  const outbound = await startHaproxy(
    workspace,
    `haproxy-${mode}-outbound`,
    entry,
    `frontend in
  mode ${mode}
  bind 127.0.0.1:${entry}
  default_backend peer
backend peer
${backend}
  server peer 127.0.0.1:${via} ssl crt ${client.both} ca-file ${client.ca} ${suite}`,
  )
  return twoHops(outbound, inbound)
}
