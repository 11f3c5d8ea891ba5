/** What accepts connections, by transport: plain, TLS, mutual TLS, CONNECT. Each hands streams over to the listener behind it. */
import { type Socket, createServer } from 'node:net'
import { type TLSSocket, createServer as createTlsServer } from 'node:tls'
import { HboneServer } from '../../kit/hbone/server.js'
import { acceptWithReads } from '../../kit/net/accept-with-reads.js'
import { type ListenerAddress, listen } from '../../kit/net/address.js'
import type { ByteStream } from '../../kit/net/byte-stream.js'
import { type Leasing, emitData, plainReads } from '../../kit/net/reads.js'
import type { HopMetrics } from '../../kit/process/hop-metrics.js'
import { type IdentityStore, tlsSettings } from '../../kit/tls/identities.js'
import { paceHandshakes } from '../../kit/tls/paced-handshakes.js'
import { type SpiffeId, checkCertificate } from '../../kit/tls/spiffe.js'
import type { ProxyConfig } from '../config.js'
import { type ProxyLimits, type ProxyListenerConfig, connectSecurity } from '../shapes.js'

export interface Front {
  readonly address: ListenerAddress
  /** Takes on the limits of a new config, for connections from now on. */
  update(limits: ProxyLimits): void
  /** Stops accepting; resolves when what it still holds itself is closed. */
  stop(): Promise<void>
  close(): void
}

export interface FrontContext {
  readonly metrics: HopMetrics
  readonly identities: IdentityStore
}

export type Serve = (stream: ByteStream, address: string, peer: SpiffeId | undefined, reads: Leasing) => void

/** Bytes that a client's socket takes before the upstream is told to wait. */
const writeBytes = 64 * 1024

/** Streams whose every read is in fresh memory. */
const fresh: Leasing = { lease: 'owned' }
/** Streams whose bytes are somebody else's. */
const foreign: Leasing = { lease: 'borrowed' }

/** Listens. Rejects when the port cannot be had. */
export function openFront(
  listener: ProxyListenerConfig,
  config: ProxyConfig,
  context: FrontContext,
  serve: Serve,
): Promise<Front> {
  switch (listener.transport) {
    case 'plain':
      return openPlainFront(listener, serve)
    case 'tls':
    case 'mtls':
      return openTlsFront(listener, config, context, serve)
    case 'connect':
    case 'connect-tls':
    case 'hbone':
      return openHboneFront(listener, config, context, serve)
  }
}

async function openPlainFront(listener: ProxyListenerConfig, serve: Serve): Promise<Front> {
  // Should Node make the sockets itself, their memory is fresh.
  const accept = (socket: Socket, reads: Leasing = fresh): void => {
    serve(socket, socket.remoteAddress ?? '', undefined, reads)
    socket.resume()
  }
  const server = createServer({ allowHalfOpen: true, noDelay: true, highWaterMark: writeBytes }, (socket) => {
    accept(socket)
  })
  const address = await listen(server, listener)
  const reads = (socket: () => Socket) => plainReads(emitData(socket))
  // The connections that there may be are counted over all listeners, by `serve`.
  acceptWithReads(server, { hasRoom: () => true, reads, highWaterMark: writeBytes }, accept)
  return {
    address,
    // Connections are counted by `serve`, which asks for the limits each time.
    update: () => {},
    async stop() {
      server.close()
    },
    close() {
      server.close()
    },
  }
}

/** Over mutual TLS a client is who its certificate says, over TLS it is nobody. */
async function openTlsFront(
  listener: ProxyListenerConfig,
  config: ProxyConfig,
  { metrics, identities }: FrontContext,
  serve: Serve,
): Promise<Front> {
  const mutual = listener.transport === 'mtls'
  const spiffeId = config.identity?.spiffeId as string
  const certificate = () => ({ ...identities.get(spiffeId).pem, ...tlsSettings })
  const countFailure = (reason: string): void => {
    metrics.tlsHandshakeFailures.labels('server', reason).add()
  }
  const tls = createTlsServer(
    {
      ...certificate(),
      requestCert: mutual,
      rejectUnauthorized: mutual,
      ALPNProtocols: ['h2', 'http/1.1'],
      handshakeTimeout: config.limits.hbone.handshakeTimeoutMs,
      allowHalfOpen: true,
    },
    (socket: TLSSocket) => {
      if (!mutual) {
        metrics.tlsHandshakes.labels('server', '').add()
        serve(socket, socket.remoteAddress ?? '', undefined, fresh)
        return
      }
      const check = checkCertificate(socket.getPeerCertificate(), config.trustDomain, listener.expect)
      if ('refusal' in check) {
        countFailure(check.refusal)
        socket.destroy()
        return
      }
      metrics.tlsHandshakes.labels('server', check.peer.id).add()
      serve(socket, socket.remoteAddress ?? '', check.peer, fresh)
    },
  )
  tls.on('tlsClientError', (error: NodeJS.ErrnoException, socket: TLSSocket) => {
    countFailure(error.code ?? 'error')
    // Node leaves a connection whose handshake timed out open.
    socket.destroy()
  })
  identities.onChange(() => {
    tls.setSecureContext(certificate())
  })
  const begin = paceHandshakes(tls)
  const sockets = new Set<Socket>()
  const server = createServer({ allowHalfOpen: true, noDelay: true, pauseOnConnect: true }, (socket) => {
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket))
    begin(socket)
  })
  // `serve` counts what has shaken hands; without this, who never does so costs a descriptor and nobody's budget.
  server.maxConnections = config.limits.connections
  server.on('drop', () => {
    countFailure('too-many-connections')
  })
  return {
    address: await listen(server, listener),
    update: ({ connections }) => {
      server.maxConnections = connections
    },
    async stop() {
      server.close()
    },
    close() {
      server.close()
      for (const socket of sockets) socket.destroy()
    },
  }
}

async function openHboneFront(
  listener: ProxyListenerConfig,
  config: ProxyConfig,
  { identities, metrics }: FrontContext,
  serve: Serve,
): Promise<Front> {
  const workload = config.identity?.spiffeId as string
  const server = new HboneServer({
    identities,
    metrics,
    trustDomain: config.trustDomain,
    limits: config.limits.hbone,
    workload,
    security: connectSecurity(listener.transport),
    onStream(request) {
      const isExpected = listener.expect.length === 0 || listener.expect.includes(request.peer?.id ?? '')
      const isServed = listener.authorities.length === 0 || listener.authorities.includes(request.authority)
      if (!isExpected || !isServed) {
        request.refuse(isExpected ? 404 : 401)
        return
      }
      serve(request.accept(), request.peerAddress, request.peer, foreign)
    },
  })
  const address = await server.listen(listener)
  return {
    address,
    update: ({ hbone: limits }) => {
      server.update({ workload, limits })
    },
    stop: () => server.drain(),
    close: () => {
      server.close()
    },
  }
}
