/**
 * The HBONE listener: terminates mutual TLS, checks who calls and hands out CONNECT streams. Where that is asked for it
 * wants no certificate of who calls, or no TLS: then it does not know who that is.
 */
import { type Server, type Socket, createServer as createPlainServer } from 'node:net'
import { type SecureContext, type Server as TlsServer, type TLSSocket, createServer } from 'node:tls'
import { acceptWithReads } from '../net/accept-with-reads.js'
import { type ListenAt, type ListenerAddress, listen } from '../net/address.js'
import type { ByteStream } from '../net/byte-stream.js'
import { emitData, reuseReads, tlsReads } from '../net/reads.js'
import type { HboneLimits, Security } from '../process/config.js'
import { hboneAlpn } from './hbone.js'
import { H2Connection } from '../h2/connection.js'
import { type HeaderList, blockWriter } from '../h2/hpack.js'
import { readRequest } from '../h2/message.js'
import type { H2Stream } from '../h2/stream.js'
import { HboneStream } from './stream.js'
import type { HopMetrics } from '../process/hop-metrics.js'
import type { Cell, Metric } from '../process/metrics.js'
import { type IdentityStore, tlsSettings } from '../tls/identities.js'
import { paceHandshakes } from '../tls/paced-handshakes.js'
import { type PeerCheck, type SpiffeId, checkCertificate } from '../tls/spiffe.js'

interface ConnectHead {
  readonly authority: string
  /** Absent where it showed no certificate, since none was asked for. */
  readonly peer: SpiffeId | undefined
  /** IP address of the peer hop. */
  readonly peerAddress: string
  /** Flat pairs of lower-case name and value, as they came. */
  readonly fields: readonly string[]
}

export type HboneStreamRequest = ReturnType<typeof createRequest>

export interface HboneServerOptions {
  readonly identities: IdentityStore
  readonly metrics: HopMetrics
  readonly trustDomain: string
  readonly limits: HboneLimits
  /** Absent: `mtls`, which HBONE demands. */
  readonly security?: Security | undefined
  /** Workload whose certificate is shown to peers that name no server, as ztunnel does not. */
  readonly workload: string
  /** Workload of a server name, for peers that send one. */
  readonly workloadOf?: (serverName: string) => string | undefined
  readonly onStream: (request: HboneStreamRequest) => void
}

/** How often overdue and idle connections are looked for. */
const sweepMs = 1000

export class HboneServer {
  readonly #options: HboneServerOptions
  readonly #server: Server
  /** Shakes hands on the connections of `#server`, where it speaks TLS. */
  readonly #tls: TlsServer | undefined
  readonly #connections = new Set<H2Connection>()
  readonly #sockets = new Set<Socket>()
  readonly #refusals: Metric<Cell>
  readonly #sweep: NodeJS.Timeout
  #limits: HboneLimits
  #workload: string
  #draining: (() => void) | undefined

  constructor(options: HboneServerOptions) {
    const { identities, metrics, limits, workload, security = 'mtls' } = options
    this.#options = options
    this.#limits = limits
    this.#workload = workload
    this.#refusals = metrics.registry.counter('meshbench_hbone_refusals_total', 'CONNECT streams refused.', [
      'status',
    ])
    this.#tls = security === 'plain' ? undefined : createTlsServer(options, security)
    this.#server = createPlainServer(socketOptions)
    this.#server.maxConnections = limits.connections
    this.#server.on('drop', () => {
      this.#countRefused('too-many-connections')
    })
    if (this.#tls) this.#follow(this.#tls)
    identities.onChange((changed) => {
      if (changed.includes(this.#workload)) this.#useCertificate()
    })
    this.#sweep = setInterval(() => {
      this.#closeOverdue()
    }, sweepMs).unref()
  }

  async listen(at: ListenAt): Promise<ListenerAddress> {
    const address = await listen(this.#server, at)
    if (!this.#tls) this.#acceptPlain()
    return address
  }

  /** Stops accepting; resolves when the last stream is done. */
  async drain(): Promise<void> {
    this.#server.close()
    await new Promise<void>((resolve) => {
      this.#draining = resolve
      for (const connection of [...this.#connections]) connection.drain()
      if (this.#connections.size === 0) resolve()
    })
  }

  close(): void {
    clearInterval(this.#sweep)
    this.#server.close()
    for (const connection of [...this.#connections]) connection.close()
    for (const socket of this.#sockets) socket.destroy()
  }

  /** For connections from now on. */
  update(next: { readonly workload: string; readonly limits: HboneLimits }): void {
    this.#limits = next.limits
    this.#server.maxConnections = next.limits.connections
    if (next.workload === this.#workload) return
    this.#workload = next.workload
    this.#useCertificate()
  }

  /** There is nothing to check: whoever connects is served, and is nobody. */
  #acceptPlain(): void {
    const accept = (socket: Socket): void => {
      socket.setKeepAlive(true, 30_000)
      this.#serve(socket, undefined)
      socket.resume()
    }
    this.#server.on('connection', accept)
    const options = {
      hasRoom: () => this.#sockets.size < this.#limits.connections,
      // Its bytes go on to other sockets, which may keep them: memory of its own, as with TLS.
      reads: (socket: () => Socket) => tlsReads(emitData(socket)),
      highWaterMark: writeBytes,
    }
    acceptWithReads(this.#server, options, accept)
  }

  #follow(server: TlsServer): void {
    const begin = paceHandshakes(server)
    this.#server.on('connection', (socket) => {
      this.#hold(socket)
      begin(socket)
    })
    server.on('tlsClientError', (error: NodeJS.ErrnoException, socket: TLSSocket) => {
      this.#countRefused(error.code ?? 'error')
      // Node leaves a connection whose handshake timed out open.
      socket.destroy()
    })
    server.on('secureConnection', (socket) => {
      if (this.#options.security === 'tls' && socket.alpnProtocol === hboneAlpn) {
        this.#serveTls(socket, undefined)
        return
      }
      const check = checkCertificate(socket.getPeerCertificate(), this.#options.trustDomain)
      if ('peer' in check && socket.authorized && socket.alpnProtocol === hboneAlpn) {
        this.#serveTls(socket, check.peer)
        return
      }
      this.#countRefused(refusalOf(socket, check))
      socket.on('error', () => {})
      socket.destroy()
    })
  }

  #countRefused(reason: string): void {
    this.#options.metrics.tlsHandshakeFailures.labels('server', reason).add()
  }

  /** Connections that stand keep the certificate that they were made with; new ones get the new one. */
  #useCertificate(): void {
    const { identities } = this.#options
    if (identities.has(this.#workload))
      this.#tls?.setSecureContext({ ...tlsSettings, ...identities.get(this.#workload).pem })
  }

  #serveTls(socket: TLSSocket, peer: SpiffeId | undefined): void {
    const { metrics } = this.#options
    metrics.tlsHandshakes.labels('server', peer?.id ?? '').add()
    if (socket.isSessionReused()) metrics.tlsResumptions.labels('server').add()
    reuseReads(socket)
    this.#serve(socket, peer)
  }

  #serve(socket: Socket, peer: SpiffeId | undefined): void {
    const { metrics, onStream } = this.#options
    const inbound = metrics.hboneStreams.labels('inbound')
    const gauge = metrics.hboneConnections.labels('server')
    const peerAddress = socket.remoteAddress ?? ''
    const connection = new H2Connection(socket, 'server', this.#limits, {
      onRequest: (stream, list) => {
        const connect = readConnect(connection, stream, list)
        if (!connect) return
        inbound.add()
        onStream(createRequest(connection, stream, this.#refusals, { ...connect, peer, peerAddress }))
      },
      onClose: () => {
        this.#connections.delete(connection)
        gauge.add(-1)
        if (this.#connections.size === 0) this.#draining?.()
      },
    })
    socket.on('data', (chunk: Buffer) => {
      connection.read(chunk)
    })
    this.#hold(socket)
    this.#connections.add(connection)
    gauge.add(1)
    if (this.#draining) connection.drain()
  }

  #hold(socket: Socket): void {
    this.#sockets.add(socket)
    socket.on('close', () => this.#sockets.delete(socket))
  }

  #closeOverdue(): void {
    const now = performance.now()
    const { handshakeTimeoutMs, idleMs } = this.#limits
    for (const connection of this.#connections) {
      if (connection.isOverdue(now, handshakeTimeoutMs)) connection.close(new Error('the peer is too slow'))
      else if (connection.streamCount === 0 && now - connection.idleSince > idleMs) connection.drain()
    }
  }
}

const socketOptions = {
  noDelay: true,
  keepAlive: true,
  keepAliveInitialDelay: 30_000,
  pauseOnConnect: true,
} as const

/** Bytes that a client's socket takes before streams are told to wait. */
const writeBytes = 64 * 1024

function createTlsServer(options: HboneServerOptions, security: Exclude<Security, 'plain'>): TlsServer {
  const { identities, limits, workload } = options
  return createServer({
    ...tlsSettings,
    ...identities.get(workload).pem,
    requestCert: security === 'mtls',
    // Checked where the reason can be told; nothing is read from a peer before.
    rejectUnauthorized: false,
    ALPNProtocols: [hboneAlpn],
    handshakeTimeout: limits.handshakeTimeoutMs,
    SNICallback(serverName, done) {
      const named = options.workloadOf?.(serverName)
      const context: SecureContext | undefined =
        named !== undefined && identities.has(named) ? identities.get(named).secureContext : undefined
      done(null, context)
    },
  })
}

function refusalOf(socket: TLSSocket, check: PeerCheck): string {
  if ('refusal' in check && check.refusal === 'no-certificate') return check.refusal
  if (!socket.authorized) return String(socket.authorizationError)
  return 'refusal' in check ? check.refusal : 'alpn'
}

/** Answers whatever is no CONNECT request that can be served. */
function readConnect(
  connection: H2Connection,
  stream: H2Stream,
  list: HeaderList,
): Pick<ConnectHead, 'authority' | 'fields'> | undefined {
  if (list.isTooLarge) {
    answer(connection, stream, 431)
    return undefined
  }
  const request = readRequest(list)
  if (request?.method !== 'CONNECT') {
    if (request) answer(connection, stream, 405)
    else connection.fault(stream, 'a malformed request')
    return undefined
  }
  if (!/^[!-~]{1,260}$/.test(request.authority)) {
    connection.fault(stream, 'a malformed authority')
    return undefined
  }
  return request
}

/** Answers a CONNECT request; anything but 200 ends the stream. */
function answer(connection: H2Connection, stream: H2Stream, status: number): void {
  const block = blockWriter.begin().field(':status', String(status))
  if (status === 200) stream.head(block.bytes, block.length, false)
  else connection.refuse(stream, block.bytes, block.length)
}

/** A CONNECT request that waits for an answer: call `accept` or `refuse` once. */
function createRequest(connection: H2Connection, h2: H2Stream, refusals: Metric<Cell>, head: ConnectHead) {
  let isAnswered = false
  const stream = new HboneStream().attach(h2)
  return {
    ...head,
    /** True once the peer has gone: an answer would go nowhere. */
    get gone() {
      return h2.isClosed
    },
    accept(): ByteStream {
      isAnswered = true
      answer(connection, h2, 200)
      return stream
    },
    /** 401 policy denial, 404 no such authority, 503 upstream unreachable. */
    refuse(status: number): void {
      isAnswered = true
      refusals.labels(String(status)).add()
      answer(connection, h2, status)
    },
    /** Called when the peer goes before it was answered. */
    onGone(listener: () => void): void {
      stream.on('close', () => {
        // What was accepted belongs to whoever took it: its other side may still have bytes to send.
        if (!isAnswered) listener()
      })
    },
  }
}
