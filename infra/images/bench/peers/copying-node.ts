/**
 * A Node that does nothing but copy between connections, one to one: what a hop costs that Node itself takes. Run by
 * `bare-node.ts`, bundled, with its `CopyingNodeConfig` as JSON in its argument.
 */
import { readFileSync } from 'node:fs'
import { type Socket, connect, createServer } from 'node:net'
import { connect as connectTls, createServer as createTlsServer } from 'node:tls'
import type { ListenerAddress } from '../../kit/net/address.js'
import { tlsSettings } from '../../kit/tls/identities.js'
import type { PeerFiles } from './peer-files.js'

export interface CopyingNodeConfig {
  readonly at: ListenerAddress
  readonly to: ListenerAddress
  /** Mutual TLS on the side where there are files; plain where there are none. */
  readonly server?: PeerFiles
  readonly client?: PeerFiles
}

const { at, to, server, client } = JSON.parse(process.argv[2] as string) as CopyingNodeConfig

const read = (files: PeerFiles) => ({
  cert: readFileSync(files.cert),
  key: readFileSync(files.key),
  ca: readFileSync(files.ca),
  ...tlsSettings,
})
const clientTls = client && read(client)

function dial(): Socket {
  if (clientTls === undefined) return connect({ ...to, noDelay: true })
  // The certificates name no host.
  return connectTls({ ...to, ...clientTls, checkServerIdentity: () => undefined }).setNoDelay(true)
}

function copy(downstream: Socket): void {
  const upstream = dial()
  for (const [from, other] of [
    [downstream, upstream],
    [upstream, downstream],
  ] as const) {
    from.pipe(other)
    from.on('error', () => {})
    from.on('close', () => {
      other.destroy()
    })
  }
}

const listener =
  server === undefined
    ? createServer({ noDelay: true }, copy)
    : createTlsServer({ noDelay: true, requestCert: true, ...read(server) }, copy)
listener.listen(at.port, at.host)
