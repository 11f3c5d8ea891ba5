/**
 * Dials a peer: TCP, and where that is asked for TLS 1.3, ALPN and the peer's SPIFFE identity, before a single byte of
 * payload.
 */
import { type Socket, connect as connectPlain } from 'node:net'
import { type PeerCertificate, type TLSSocket, connect as connectTls } from 'node:tls'
import type { ReusedReads } from '../net/reads.js'
import type { Waiter } from '../net/waiter.js'
import type { HopMetrics } from '../process/hop-metrics.js'
import { type Identity, tlsSettings } from './identities.js'
import { checkCertificate } from './spiffe.js'

/** A session that a peer offered, and the certificate that it showed when it proved who it is. */
export interface TlsSession {
  readonly ticket: Buffer
  /** Whoever resumes shows no certificate again: that it knows the session's key stands for it. */
  readonly certificate: PeerCertificate
}

export interface PeerTls {
  readonly identity: Identity
  /** No certificate of our own is shown. */
  readonly isAnonymous: boolean
  /** What is offered; a peer that is offered `h2` has to speak it. */
  readonly alpn: 'h2' | 'http/1.1'
  readonly trustDomain: string
  /** SPIFFE ids that the peer may have; empty: any of the trust domain. */
  readonly expect: readonly string[]
  readonly serverName?: string | undefined
  /**
   * Where the latest session is kept, and by what name: of this peer, made with the certificate that the workload has now.
   * Absent: every handshake is a full one.
   */
  readonly sessions?: { readonly kept: Map<string, TlsSession>; readonly key: string } | undefined
}

export interface PeerDial {
  readonly host: string
  readonly port: number
  /** What its connections are counted by. */
  readonly destination: string
  /** What comes in, from the handshake on. */
  readonly reads: ReusedReads
  readonly timeoutMs: number
  readonly metrics: HopMetrics
  /** When it leaves, the dial is given up, which is not counted as a failure. */
  readonly waiter: Waiter
  /** Absent: plain text, in which nothing is proved. */
  readonly tls?: PeerTls | undefined
}

/** Why a peer could not be had; the reason is the label of the metric. */
export class DialError extends Error {
  readonly reason: string
  constructor(reason: string, message: string) {
    super(message)
    this.reason = reason
  }
}

/** Rejects with `DialError`. */
export function dialPeer(dial: PeerDial): Promise<Socket> {
  const { host, port, destination, reads, timeoutMs, metrics, waiter, tls } = dial
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
      reject(new DialError(reason, message))
    }
    const fail = (reason: string, message: string): void => {
      tls?.sessions?.kept.delete(tls.sessions.key)
      if (tls) metrics.tlsHandshakeFailures.labels('client', reason).add()
      giveUp(reason, message)
    }
    const onError = (error: NodeJS.ErrnoException): void => {
      fail(error.code ?? 'error', error.message)
    }
    waiter.onLeave = () => {
      giveUp('client-gone', 'nobody waits for it')
    }
    const timer = setTimeout(() => {
      fail('timeout', `${tls ? 'no handshake' : 'not connected'} within ${timeoutMs} ms`)
    }, timeoutMs)
    const done = (): void => {
      settle()
      resolve(socket)
    }
    const options = { host, port, onread: reads }
    const socket: Socket = tls
      ? handshake(connectTls({ ...options, ...tlsOptions(tls) }), tls, metrics, done, fail)
      : connectPlain(options).once('connect', done)
    socket.setNoDelay(true)
    socket.on('error', onError)
    socket.once('close', reads.release)
    socket.once('connect', () => {
      metrics.upstreamConnections.labels(destination).add()
    })
  })
}

function tlsOptions({ identity, isAnonymous, alpn, serverName, sessions }: PeerTls) {
  const ticket = sessions?.kept.get(sessions.key)?.ticket
  return {
    secureContext: isAnonymous ? identity.anonymousContext : identity.secureContext,
    ALPNProtocols: [alpn],
    minVersion: tlsSettings.minVersion,
    maxVersion: tlsSettings.maxVersion,
    rejectUnauthorized: true,
    ...(ticket === undefined ? {} : { session: ticket }),
    ...(serverName === undefined ? {} : { servername: serverName }),
    // The name that counts is the SPIFFE id, checked after the handshake.
    checkServerIdentity: () => undefined,
  }
}

/** Checks who answers, when the handshake is over. */
function handshake(
  socket: TLSSocket,
  { alpn, trustDomain, expect, sessions }: PeerTls,
  metrics: HopMetrics,
  done: () => void,
  fail: (reason: string, message: string) => void,
): TLSSocket {
  const offered = sessions?.kept.get(sessions.key)
  return socket.once('secureConnect', () => {
    const resumed = socket.isSessionReused()
    const certificate = resumed && offered ? offered.certificate : socket.getPeerCertificate()
    const check = checkCertificate(certificate, trustDomain, expect)
    if ('refusal' in check) {
      fail(check.refusal, check.detail)
    } else if (alpn === 'h2' && socket.alpnProtocol !== alpn) {
      fail('alpn', 'the peer does not speak h2')
    } else {
      metrics.tlsHandshakes.labels('client', check.peer.id).add()
      if (resumed) metrics.tlsResumptions.labels('client').add()
      // Tickets come after the handshake (RFC 8446 §4.6.1).
      if (sessions) socket.on('session', (ticket) => sessions.kept.set(sessions.key, { ticket, certificate }))
      done()
    }
  })
}
