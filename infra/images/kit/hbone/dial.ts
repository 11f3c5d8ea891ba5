/**
 * Dials a peer hop: mutual TLS with its workload; or, where that is asked for, without a certificate of its own, or without
 * TLS.
 */
import type { Socket } from 'node:net'
import { tlsReads } from '../net/reads.js'
import { DialError, type PeerDial, type PeerTls, dialPeer } from '../tls/dial.js'
import { type HboneDestination, HboneError, hboneAlpn } from './hbone.js'

export interface HboneDial
  extends
    Pick<PeerDial, 'timeoutMs' | 'metrics' | 'waiter'>,
    Pick<PeerTls, 'identity' | 'trustDomain' | 'sessions'> {
  readonly destination: HboneDestination
  /** What comes in, from the handshake on. The memory is used again when it returns, unless `keepRead` is called. */
  onBytes(bytes: Buffer): void
}

/** Rejects with `HboneError` 503; its reason is the label of the metric. */
export async function dialHbone(dial: HboneDial): Promise<Socket> {
  const { identity, destination, trustDomain, timeoutMs, metrics, sessions, waiter } = dial
  const { via, serverName, expect, security } = destination
  const name = `${via.host}:${via.port}`
  const isAnonymous = security === 'tls'
  try {
    const socket = await dialPeer({
      ...{ host: via.host, port: via.port, destination: name, timeoutMs, metrics, waiter },
      // Its bytes go on to other sockets, which may keep them: memory of its own, in plain text, too.
      reads: tlsReads((buffer, length) => {
        dial.onBytes(buffer.subarray(0, length))
      }),
      ...(security !== 'plain' && {
        tls: { identity, isAnonymous, alpn: hboneAlpn, trustDomain, expect, serverName, sessions },
      }),
    })
    return socket.setKeepAlive(true, 30_000)
  } catch (error) {
    if (!(error instanceof DialError)) throw error
    const what = security === 'plain' ? 'CONNECT' : 'HBONE'
    throw new HboneError(503, error.reason, `${what} to ${name}: ${error.message}`)
  }
}
