/** Accepts connections, plain, mutual TLS or HBONE, tells HTTP/2 from HTTP/1.1 and keeps track of what is open. */
import { type AddressInfo, type Server, type Socket, createServer } from 'node:net'
import { type TLSSocket, createServer as createTlsServer } from 'node:tls'
import { acceptWithReads } from '../../kit/net/accept-with-reads.js'
import type { ByteStream } from '../../kit/net/byte-stream.js'
import { HboneServer } from '../../kit/hbone/server.js'
import type { HopMetrics } from '../../kit/process/hop-metrics.js'
import { type IdentityStore, tlsSettings } from '../../kit/tls/identities.js'
import type { ListenerAddress } from '../../kit/net/address.js'
import { type SpiffeId, checkPeer } from '../../kit/tls/spiffe.js'
import type { ProxyConfig } from '../config.js'
import type { ProxyListenerConfig } from '../shapes.js'
import type { Clock } from '../exchange/clock.js'
import type { DownstreamConnection, DownstreamContext } from './downstream-context.js'
import { Http1Downstream } from './http1-downstream.js'
import { Http2Connection } from './http2-downstream.js'
import type { Runtime } from '../runtime.js'
import { type Leasing, type ReusedReads, plainReads } from '../../kit/net/reads.js'

export interface ListenerContext {
  readonly metrics: HopMetrics
  readonly identities: IdentityStore
  readonly clock: Clock
  runtime(): Runtime
  isDraining(): boolean
}

export interface ProxyListener {
  readonly name: string
  readonly address: ListenerAddress
  onTick(nowMs: number): void
  renewCertificate(): void
  /** Stops accepting; resolves when the last connection is closed. */
  drain(): Promise<void>
  close(): void
}

/** Bytes that a client's socket takes before the upstream is told to wait. */
const writeBytes = 64 * 1024

interface Accepted {
  readonly stream: ByteStream
  connection: DownstreamConnection | undefined
  sinceMs: number
  /** Too few to tell its protocol. */
  hasBytes: boolean
}

/** Listens. Rejects when the port cannot be had. */
export async function openListener(
  listener: ProxyListenerConfig,
  config: ProxyConfig,
  context: ListenerContext,
): Promise<ProxyListener> {
  const { metrics, clock } = context
  const open = new Set<Accepted>()
  let drained: (() => void) | undefined
  const accepted = metrics.downstreamConnections.labels(listener.name)
  const receivedBytes = metrics.receivedBytes.labels('downstream')
  const sentBytes = metrics.sentBytes.labels('downstream')

  const serve = (stream: ByteStream, address: string, peer: SpiffeId | undefined, reads: Leasing): void => {
    const limits = context.runtime().limits
    if (open.size >= limits.connections) {
      stream.destroy()
      return
    }
    accepted.add()
    const entry: Accepted = { stream, connection: undefined, sinceMs: clock.nowMs, hasBytes: false }
    open.add(entry)
    stream.on('error', () => {})
    stream.on('end', () => {
      // A client that goes before its protocol is known; later the connection hears of it.
      if (entry.connection === undefined) stream.end()
    })
    stream.on('close', () => {
      open.delete(entry)
      if (open.size === 0) drained?.()
    })
    const downstream: DownstreamContext = {
      listener: listener.name,
      scheme: listener.transport === 'plain' ? 'http' : 'https',
      peer,
      address,
      clientCert:
        listener.clientCert === 'set' && peer !== undefined
          ? `By=${config.identity?.spiffeId ?? ''};URI=${peer.id}`
          : undefined,
      keepsClientCert: listener.clientCert === 'keep',
      receivedBytes,
      sentBytes,
      clock,
      runtime: () => context.runtime(),
      isDraining: () => context.isDraining(),
    }
    sniff(stream, {
      onFirstByte: () => {
        entry.sinceMs = clock.nowMs
        entry.hasBytes = true
      },
      decide: (isHttp2) =>
        (entry.connection = isHttp2
          ? new Http2Connection(stream, downstream)
          : new Http1Downstream(stream, downstream, reads)),
    })
  }

  const front = await openFront(listener, config, context, serve)
  return {
    name: listener.name,
    address: front.address,
    onTick(nowMs) {
      const { headTimeoutMs, idleMs } = context.runtime().limits
      for (const entry of open) {
        if (entry.connection !== undefined) entry.connection.onTick(nowMs)
        else if (nowMs - entry.sinceMs > (entry.hasBytes ? headTimeoutMs : idleMs)) entry.stream.destroy()
      }
    },
    renewCertificate: () => {
      front.renewCertificate()
    },
    async drain() {
      const stopped = front.stop()
      for (const entry of open) {
        if (entry.connection === undefined) entry.stream.destroy()
        else entry.connection.drain()
      }
      if (open.size > 0) await new Promise<void>((resolve) => (drained = resolve))
      await stopped
    },
    close() {
      front.close()
      for (const { stream } of open) stream.destroy()
    },
  }
}

interface Front {
  readonly address: ListenerAddress
  renewCertificate(): void
  stop(): Promise<void>
  close(): void
}

type Serve = (stream: ByteStream, address: string, peer: SpiffeId | undefined, reads: Leasing) => void

/** Streams whose every read is in fresh memory. */
const fresh: Leasing = { lease: 'owned' }
/** Streams whose bytes are somebody else's. */
const foreign: Leasing = { lease: 'borrowed' }

async function openFront(
  listener: ProxyListenerConfig,
  config: ProxyConfig,
  context: ListenerContext,
  serve: Serve,
): Promise<Front> {
  if (listener.transport === 'hbone') return openHboneFront(listener, config, context, serve)
  const { metrics, identities } = context
  let server: Server
  let renewCertificate = (): void => {}
  // Should Node make the sockets itself, their memory is fresh.
  const accept = (socket: Socket, reads: Leasing = fresh): void => {
    serve(socket, socket.remoteAddress ?? '', undefined, reads)
    socket.resume()
  }
  if (listener.transport === 'plain') {
    server = createServer({ allowHalfOpen: true, noDelay: true, highWaterMark: writeBytes }, (socket) => {
      accept(socket)
    })
  } else {
    const spiffeId = config.identity?.spiffeId as string
    const tlsServer = createTlsServer(
      {
        ...identities.get(spiffeId).pem,
        ...tlsSettings,
        requestCert: true,
        rejectUnauthorized: true,
        ALPNProtocols: ['h2', 'http/1.1'],
        handshakeTimeout: config.limits.hbone.handshakeTimeoutMs,
        allowHalfOpen: true,
        noDelay: true,
      },
      (socket: TLSSocket) => {
        const check = checkPeer(socket, config.trustDomain, listener.expect)
        if ('refusal' in check) {
          metrics.tlsHandshakeFailures.labels('server', check.refusal).add()
          socket.destroy()
          return
        }
        metrics.tlsHandshakes.labels('server', check.peer.id).add()
        serve(socket, socket.remoteAddress ?? '', check.peer, fresh)
      },
    )
    tlsServer.on('tlsClientError', (error: NodeJS.ErrnoException, socket: TLSSocket) => {
      metrics.tlsHandshakeFailures.labels('server', error.code ?? 'error').add()
      // Node leaves a connection whose handshake timed out open.
      socket.destroy()
    })
    renewCertificate = () => {
      tlsServer.setSecureContext({ ...identities.get(spiffeId).pem, ...tlsSettings })
    }
    server = tlsServer
  }
  const handshaking = new Set<Socket>()
  if (listener.transport === 'mtls') {
    server.on('connection', (socket: Socket) => {
      handshaking.add(socket)
      socket.on('close', () => handshaking.delete(socket))
    })
    // `serve` counts what has shaken hands; without this, who never does so costs a descriptor and nobody's budget.
    server.maxConnections = config.limits.connections
    server.on('drop', () => {
      metrics.tlsHandshakeFailures.labels('server', 'too-many-connections').add()
    })
  }
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error) => {
      reject(new Error(`listener ${listener.name}: ${error.message}`))
    })
    server.listen({ host: listener.host, port: listener.port, backlog: 4096 }, resolve)
  })
  if (listener.transport === 'plain') {
    const reads = (socket: () => Socket): ReusedReads =>
      plainReads((buffer, length) => {
        socket().emit('data', buffer.subarray(0, length))
      })
    // The connections that there may be are counted over all listeners, by `serve`.
    acceptWithReads(server, { hasRoom: () => true, reads, highWaterMark: writeBytes }, accept)
  }
  const { address, port } = server.address() as AddressInfo
  return {
    address: { host: address, port },
    renewCertificate: () => {
      renewCertificate()
    },
    async stop() {
      server.close()
    },
    close() {
      server.close()
      for (const socket of handshaking) socket.destroy()
    },
  }
}

async function openHboneFront(
  listener: ProxyListenerConfig,
  config: ProxyConfig,
  { identities, metrics }: ListenerContext,
  serve: Serve,
): Promise<Front> {
  const server = new HboneServer({
    identities,
    metrics,
    trustDomain: config.trustDomain,
    limits: config.limits.hbone,
    workload: config.identity?.spiffeId as string,
    onStream(request) {
      const isExpected = listener.expect.length === 0 || listener.expect.includes(request.peer.id)
      const isServed = listener.authorities.length === 0 || listener.authorities.includes(request.authority)
      if (!isExpected || !isServed) {
        request.refuse(isExpected ? 404 : 401)
        return
      }
      serve(request.accept(), request.peerAddress, request.peer, foreign)
    },
  })
  const address = await server.listen({ host: listener.host, port: listener.port })
  return {
    address,
    // The HBONE server follows the identity store by itself.
    renewCertificate: () => {},
    stop: () => server.drain(),
    close: () => {
      server.close()
    },
  }
}

const preface = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'latin1')

/** Reads as much as tells HTTP/2 with prior knowledge from HTTP/1.1, then hands the stream over. */
function sniff(
  stream: ByteStream,
  { onFirstByte, decide }: { onFirstByte: () => void; decide: (isHttp2: boolean) => DownstreamConnection },
): void {
  let first: Buffer | undefined
  let connection: DownstreamConnection | undefined
  stream.on('data', (bytes) => {
    if (connection !== undefined) {
      connection.onBytes(bytes)
      return
    }
    const all = first === undefined ? bytes : Buffer.concat([first, bytes])
    const length = Math.min(all.length, preface.length)
    const isPreface = all.compare(preface, 0, length, 0, length) === 0
    if (isPreface && length < preface.length) {
      if (first === undefined) onFirstByte()
      first = Buffer.from(all)
      return
    }
    first = undefined
    connection = decide(isPreface)
    connection.onBytes(all)
  })
}
