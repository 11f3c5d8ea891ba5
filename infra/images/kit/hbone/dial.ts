/**
 * Dials a peer hop: TCP, mutual TLS 1.3, ALPN, and the peer's SPIFFE identity, before a single byte of payload; or, where
 * that is asked for, without a certificate of its own, or without TLS.
 */
import { type Socket, connect as connectPlain } from 'node:net'
import { type PeerCertificate, type TLSSocket, connect } from 'node:tls'
import { type HboneDestination, HboneError, hboneAlpn } from './hbone.js'
import type { HopMetrics } from '../process/hop-metrics.js'
import { tlsReads } from '../net/reads.js'
import type { Waiter } from '../net/waiter.js'
import { type Identity, tlsSettings } from '../tls/identities.js'
import { checkCertificate } from '../tls/spiffe.js'

/** A session that a peer offered, and the certificate that it showed when it proved who it is. */
export interface TlsSession {
  readonly ticket: Buffer
  /** Whoever resumes shows no certificate again: that it knows the session's key stands for it. */
  readonly certificate: PeerCertificate
}

/** The latest TLS session with one peer, made with the certificate that the dialling workload has now. */
export interface TlsSessions {
  readonly latest: TlsSession | undefined
  /** A ticket came, or, with undefined, the latest is of no use. */
  keep(session: TlsSession | undefined): void
}

function tlsOptions(
  identity: Identity,
  { via, serverName, security }: HboneDestination,
  offered: TlsSession | undefined,
) {
  return {
    host: via.host,
    port: via.port,
    secureContext: security === 'tls' ? identity.anonymousContext : identity.secureContext,
    ALPNProtocols: [hboneAlpn],
    minVersion: tlsSettings.minVersion,
    maxVersion: tlsSettings.maxVersion,
    rejectUnauthorized: true,
    ...(offered === undefined ? {} : { session: offered.ticket }),
    ...(serverName === undefined ? {} : { servername: serverName }),
    // The name that counts is the SPIFFE id, checked by who dials.
    checkServerIdentity: () => undefined,
  }
}

export interface HboneDial {
  readonly identity: Identity
  readonly destination: HboneDestination
  readonly trustDomain: string
  readonly timeoutMs: number
  readonly metrics: HopMetrics
  /** Where sessions to this peer are kept; absent: every handshake is a full one. */
  readonly sessions?: TlsSessions
  /** When it leaves, the dial is given up, which is not counted as a failure. */
  readonly waiter: Waiter
  /** What comes in, from the handshake on. The memory is used again when it returns, unless `keepRead` is called. */
  onBytes(bytes: Buffer): void
}

/** Rejects with `HboneError` 503; its reason is the label of the metric. */
export function dialHbone(options: HboneDial): Promise<TLSSocket | Socket> {
  return options.destination.security === 'plain' ? dialPlain(options) : dialTls(options)
}

async function dialPlain(options: HboneDial): Promise<Socket> {
  const { destination, timeoutMs, metrics, waiter } = options
  const { via } = destination
  // Its bytes go on to other sockets, which may keep them: memory of its own, as with TLS.
  const reads = tlsReads((buffer, length) => {
    options.onBytes(buffer.subarray(0, length))
  })
  return new Promise((resolve, reject) => {
    const settle = (): void => {
      clearTimeout(timer)
      waiter.onLeave = undefined
      socket.off('error', onError)
    }
    const giveUp = (reason: string, message: string): void => {
      settle()
      socket.on('error', () => {})
      socket.destroy()
      reject(new HboneError(503, reason, `CONNECT to ${via.host}:${via.port}: ${message}`))
    }
    const onError = (error: NodeJS.ErrnoException): void => {
      giveUp(error.code ?? 'error', error.message)
    }
    waiter.onLeave = () => {
      giveUp('client-gone', 'nobody waits for it')
    }
    const timer = setTimeout(() => {
      giveUp('timeout', `not connected within ${timeoutMs} ms`)
    }, timeoutMs)
    const socket = connectPlain({ host: via.host, port: via.port, noDelay: true, onread: reads })
    socket.on('error', onError)
    socket.once('close', reads.release)
    socket.once('connect', () => {
      settle()
      socket.setKeepAlive(true, 30_000)
      metrics.upstreamConnections.labels(`${via.host}:${via.port}`).add()
      resolve(socket)
    })
  })
}

async function dialTls(options: HboneDial): Promise<TLSSocket> {
  const { identity, destination, trustDomain, timeoutMs, metrics, sessions, waiter } = options
  const reads = tlsReads((buffer, length) => {
    options.onBytes(buffer.subarray(0, length))
  })
  const { via, expect } = destination
  const offered = sessions?.latest
  return new Promise((resolve, reject) => {
    const giveUp = (reason: string, message: string): void => {
      clearTimeout(timer)
      waiter.onLeave = undefined
      socket.off('error', onError)
      socket.on('error', () => {})
      socket.destroy()
      reject(new HboneError(503, reason, `HBONE to ${via.host}:${via.port}: ${message}`))
    }
    const fail = (reason: string, message: string): void => {
      sessions?.keep(undefined)
      metrics.tlsHandshakeFailures.labels('client', reason).add()
      giveUp(reason, message)
    }
    waiter.onLeave = () => {
      giveUp('client-gone', 'nobody waits for it')
    }
    const timer = setTimeout(() => {
      fail('timeout', `no handshake within ${timeoutMs} ms`)
    }, timeoutMs)
    const onError = (error: NodeJS.ErrnoException): void => {
      fail(error.code ?? 'error', error.message)
    }
    const settings = { ...tlsOptions(identity, destination, offered), onread: reads }
    const socket = connect(settings)
    socket.setNoDelay(true)
    socket.on('error', onError)
    socket.once('connect', () => {
      metrics.upstreamConnections.labels(`${via.host}:${via.port}`).add()
    })
    socket.on('secureConnect', () => {
      clearTimeout(timer)
      waiter.onLeave = undefined
      const resumed = socket.isSessionReused()
      const certificate = resumed && offered ? offered.certificate : socket.getPeerCertificate()
      const check = checkCertificate(certificate, trustDomain, expect)
      if ('refusal' in check) {
        fail(check.refusal, check.detail)
      } else if (socket.alpnProtocol !== hboneAlpn) {
        fail('alpn', 'the peer does not speak h2')
      } else {
        socket.off('error', onError)
        socket.setKeepAlive(true, 30_000)
        metrics.tlsHandshakes.labels('client', check.peer.id).add()
        if (resumed) metrics.tlsResumptions.labels('client').add()
        // Tickets come after the handshake (RFC 8446 §4.6.1).
        if (sessions) socket.on('session', (ticket) => sessions.keep({ ticket, certificate }))
        resolve(socket)
      }
    })
  })
}
