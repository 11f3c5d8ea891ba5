/** Dials a peer hop: TCP, mutual TLS 1.3, ALPN, and the peer's SPIFFE identity, before a single byte of payload. */
import { type TLSSocket, connect } from 'node:tls'
import { type HboneDestination, HboneError, hboneAlpn } from './hbone.js'
import type { HopMetrics } from './hop-metrics.js'
import { type Identity, tlsSettings } from './identities.js'
import { checkPeer } from './spiffe.js'

/** Rejects with `HboneError` 503; its reason is the label of the metric. */
export async function dialHbone(options: {
  readonly identity: Identity
  readonly destination: HboneDestination
  readonly trustDomain: string
  readonly timeoutMs: number
  readonly metrics: HopMetrics
}): Promise<TLSSocket> {
  const { identity, destination, trustDomain, timeoutMs, metrics } = options
  const { via, expect } = destination
  return new Promise((resolve, reject) => {
    const fail = (reason: string, message: string): void => {
      clearTimeout(timer)
      socket.off('error', onError)
      socket.on('error', () => {})
      socket.destroy()
      metrics.tlsHandshakeFailures.labels('client', reason).add()
      reject(new HboneError(503, reason, `HBONE to ${via.host}:${via.port}: ${message}`))
    }
    const timer = setTimeout(() => {
      fail('timeout', `no handshake within ${timeoutMs} ms`)
    }, timeoutMs)
    const onError = (error: NodeJS.ErrnoException): void => {
      fail(error.code ?? 'error', error.message)
    }
    const socket = connect({
      host: via.host,
      port: via.port,
      secureContext: identity.secureContext,
      ALPNProtocols: [hboneAlpn],
      minVersion: tlsSettings.minVersion,
      maxVersion: tlsSettings.maxVersion,
      rejectUnauthorized: true,
      ...(destination.serverName === undefined ? {} : { servername: destination.serverName }),
      // The name that counts is the SPIFFE id, checked below.
      checkServerIdentity: () => undefined,
    })
    socket.setNoDelay(true)
    socket.on('error', onError)
    socket.once('connect', () => {
      metrics.upstreamConnections.labels(`${via.host}:${via.port}`).add()
    })
    socket.on('secureConnect', () => {
      clearTimeout(timer)
      const check = checkPeer(socket, trustDomain, expect)
      if ('refusal' in check) {
        fail(check.refusal, check.detail)
      } else if (socket.alpnProtocol !== hboneAlpn) {
        fail('alpn', 'the peer does not speak h2')
      } else {
        socket.off('error', onError)
        socket.setKeepAlive(true, 30_000)
        metrics.tlsHandshakes.labels('client', check.peer.id).add()
        resolve(socket)
      }
    })
  })
}
