/**
 * A Node that does nothing but copy between connections, one to one: what a hop costs that Node itself takes. Run bundled, with
 * its place as JSON in its argument.
 */
import { readFileSync } from 'node:fs'
import { type Socket, connect, createServer } from 'node:net'
import { connect as connectTls, createServer as createTlsServer } from 'node:tls'
import { tlsSettings } from '../../kit/tls/identities.js'
import type { PeerFiles, Place } from './programs.js'

const { at, to, inbound, outbound } = JSON.parse(process.argv[2] as string) as Place

const read = (files: PeerFiles) => ({
  cert: readFileSync(files.cert),
  key: readFileSync(files.key),
  ca: readFileSync(files.ca),
  ...tlsSettings,
})
const clientTls = outbound && read(outbound)

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
  inbound === undefined
    ? createServer({ noDelay: true }, copy)
    : createTlsServer({ noDelay: true, requestCert: true, ...read(inbound) }, copy)
listener.listen(at.port, at.host)
