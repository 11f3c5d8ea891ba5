/** The HBONE listener: terminates mutual TLS, checks who calls and hands out CONNECT streams. */
import type { AddressInfo, Socket } from 'node:net'
import { type SecureContext, type TLSSocket, createServer } from 'node:tls'
import { type ListenAt, listenOptions } from '../net/address.js'
import type { ByteStream } from '../net/byte-stream.js'
import { reuseReads } from '../net/reads.js'
import type { HboneLimits } from '../process/config.js'
import { hboneAlpn } from './hbone.js'
import { H2Connection } from '../h2/connection.js'
import { type HeaderList, blockWriter } from '../h2/hpack.js'
import { readRequest } from '../h2/message.js'
import type { H2Stream } from '../h2/stream.js'
import { HboneStream } from './stream.js'
import type { HopMetrics } from '../process/hop-metrics.js'
import { type IdentityStore, tlsSettings } from '../tls/identities.js'
import { type PeerCheck, type SpiffeId, checkPeer } from '../tls/spiffe.js'

/** A CONNECT request that waits for an answer: call `accept` or `refuse` once. */
export interface HboneStreamRequest {
  readonly authority: string
  readonly peer: SpiffeId
  /** IP address of the peer hop. */
  readonly peerAddress: string
  /** Names in lower case; repeated fields joined by ", ". */
  readonly headers: Readonly<Record<string, string>>
  /** True once the peer has gone: an answer would go nowhere. */
  readonly gone: boolean
  /** Answers 200. */
  accept(): ByteStream
  /** 401 policy denial, 404 no such authority, 503 upstream unreachable. */
  refuse(status: number): void
  /** Called when the peer goes before it was answered. */
  onGone(listener: () => void): void
}

export interface HboneServer {
  listen(address: ListenAt): Promise<{ host: string; port: number }>
  /** Stops accepting; resolves when the last stream is done. */
  drain(): Promise<void>
  close(): void
  /** For connections from now on. */
  update(next: { readonly workload: string; readonly limits: HboneLimits }): void
  readonly connections: number
}

export interface HboneServerOptions {
  readonly identities: IdentityStore
  readonly metrics: HopMetrics
  readonly trustDomain: string
  readonly limits: HboneLimits
  /** Workload whose certificate is shown to peers that name no server, as ztunnel does not. */
  readonly workload: string
  /** Workload of a server name, for peers that send one. */
  readonly workloadOf?: (serverName: string) => string | undefined
  onStream(request: HboneStreamRequest): void
}

/** How often overdue and idle connections are looked for. */
const sweepMs = 1000

export function createHboneServer(options: HboneServerOptions): HboneServer {
  const { identities, metrics, trustDomain } = options
  let { limits, workload } = options
  const connections = new Set<H2Connection>()
  const sockets = new Set<TLSSocket>()
  const inbound = metrics.hboneStreams.labels('inbound')
  const gauge = metrics.hboneConnections.labels('server')
  let draining: (() => void) | undefined
  const refuse = (reason: string): void => {
    metrics.tlsHandshakeFailures.labels('server', reason).add()
  }
  const server = createServer({
    ...tlsSettings,
    ...identities.get(workload).pem,
    requestCert: true,
    // Checked below, where the reason can be told; nothing is read from a peer before.
    rejectUnauthorized: false,
    ALPNProtocols: [hboneAlpn],
    handshakeTimeout: limits.handshakeTimeoutMs,
    noDelay: true,
    keepAlive: true,
    keepAliveInitialDelay: 30_000,
    SNICallback(serverName, done) {
      const named = options.workloadOf?.(serverName)
      const context: SecureContext | undefined =
        named !== undefined && identities.has(named) ? identities.get(named).secureContext : undefined
      done(null, context)
    },
  })
  server.maxConnections = limits.connections
  server.on('drop', () => {
    refuse('too-many-connections')
  })
  server.on('connection', (socket: Socket) => {
    // Errors before the handshake is over come as tlsClientError.
    socket.on('error', () => {})
  })
  server.on('tlsClientError', (error: NodeJS.ErrnoException, socket: TLSSocket) => {
    refuse(error.code ?? 'error')
    // Node leaves a connection whose handshake timed out open.
    socket.destroy()
  })
  server.on('secureConnection', (socket) => {
    const check = checkPeer(socket, trustDomain)
    if ('peer' in check && socket.authorized && socket.alpnProtocol === hboneAlpn) {
      serve(socket, check.peer)
      return
    }
    refuse(refusalOf(socket, check))
    socket.on('error', () => {})
    socket.destroy()
  })
  const useCertificate = (): void => {
    // Connections that stand keep the certificate that they were made with; new ones get the new one.
    if (identities.has(workload)) server.setSecureContext({ ...tlsSettings, ...identities.get(workload).pem })
  }
  identities.onChange((changed) => {
    if (changed.includes(workload)) useCertificate()
  })

  function serve(socket: TLSSocket, peer: SpiffeId): void {
    metrics.tlsHandshakes.labels('server', peer.id).add()
    if (socket.isSessionReused()) metrics.tlsResumptions.labels('server').add()
    const peerAddress = socket.remoteAddress ?? ''
    const connection = new H2Connection(socket, 'server', limits, {
      onRequest(stream, list) {
        const connect = readConnect(connection, stream, list)
        if (!connect) return
        inbound.add()
        options.onStream(createRequest(connection, stream, { ...connect, peer, peerAddress }))
      },
      onClose() {
        connections.delete(connection)
        gauge.add(-1)
        if (connections.size === 0) draining?.()
      },
    })
    reuseReads(socket)
    socket.on('data', (chunk: Buffer) => {
      connection.read(chunk)
    })
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket))
    connections.add(connection)
    gauge.add(1)
    if (draining) connection.drain()
  }

  const sweep = setInterval(() => {
    const now = Date.now()
    for (const connection of connections) {
      if (connection.isOverdue(now, limits.handshakeTimeoutMs))
        connection.close(new Error('the peer is too slow'))
      else if (connection.streamCount === 0 && now - connection.idleSince > limits.idleMs) connection.drain()
    }
  }, sweepMs).unref()

  return {
    async listen(at) {
      await new Promise<void>((resolve, reject) => {
        server.once('error', reject)
        server.listen(listenOptions(at), () => {
          server.off('error', reject)
          resolve()
        })
      })
      const bound = server.address() as AddressInfo
      return { host: bound.address, port: bound.port }
    },
    async drain() {
      server.close()
      await new Promise<void>((resolve) => {
        draining = resolve
        for (const connection of [...connections]) connection.drain()
        if (connections.size === 0) resolve()
      })
    },
    close() {
      clearInterval(sweep)
      server.close()
      for (const connection of [...connections]) connection.close()
      for (const socket of sockets) socket.destroy()
    },
    update(next) {
      limits = next.limits
      server.maxConnections = limits.connections
      if (next.workload === workload) return
      workload = next.workload
      useCertificate()
    },
    get connections() {
      return connections.size
    },
  }
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
): { authority: string; headers: Readonly<Record<string, string>> } | undefined {
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
  const headers = Object.create(null) as Record<string, string>
  const { fields } = request
  for (let i = 0; i < fields.length; i += 2) {
    const [name, value] = [fields[i] as string, fields[i + 1] as string]
    const known = headers[name]
    headers[name] = known === undefined ? value : `${known}, ${value}`
  }
  return { authority: request.authority, headers }
}

/** Answers a CONNECT request; anything but 200 ends the stream. */
function answer(connection: H2Connection, stream: H2Stream, status: number): void {
  const block = blockWriter.begin().field(':status', String(status))
  if (status === 200) stream.head(block.bytes, block.length, false)
  else connection.refuse(stream, block.bytes, block.length)
}

function createRequest(
  connection: H2Connection,
  h2: H2Stream,
  head: Pick<HboneStreamRequest, 'authority' | 'peer' | 'peerAddress' | 'headers'>,
): HboneStreamRequest {
  let isAnswered = false
  const stream = new HboneStream().attach(h2)
  return {
    ...head,
    get gone() {
      return h2.isClosed
    },
    accept() {
      isAnswered = true
      answer(connection, h2, 200)
      return stream
    },
    refuse(status) {
      isAnswered = true
      answer(connection, h2, status)
    },
    onGone(listener) {
      stream.on('close', () => {
        // What was accepted belongs to whoever took it: its other side may still have bytes to send.
        if (!isAnswered) listener()
      })
    },
  }
}
