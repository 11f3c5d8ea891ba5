/**
 * The ends of an endurance run over HTTP/2 and gRPC, on Node's own implementation: what our hops say is read by somebody
 * else's code. Bytes are counted below it, at the socket.
 */
import { connect, createServer, type ClientHttp2Session, type IncomingHttpHeaders } from 'node:http2'
import { connect as dial, type Socket } from 'node:net'
import { Duplex } from 'node:stream'
import { framed, grpcPrefixBytes } from '../../kit/grpc/framing.js'
import type { ListenerAddress } from '../../kit/net/address.js'
import { listenTcp } from '../../kit/testing.js'
import { bodyBytes, bodyOf, type EchoServer, type Totals } from './load.js'

/** Requests of one connection that are open at a time. */
const streams = 4
/** Content of a request, and of its answer. */
export const messageBytes = { h2: bodyBytes, grpc: grpcPrefixBytes + bodyBytes }

/** A socket whose bytes are counted, to the last one of either side. */
class CountedSocket extends Duplex {
  readonly #socket: Socket
  readonly #onSent: (bytes: number) => void

  constructor(socket: Socket, onReceived: (bytes: number) => void, onSent: (bytes: number) => void) {
    super({ allowHalfOpen: true })
    this.#socket = socket
    this.#onSent = onSent
    socket.on('data', (chunk: Buffer) => {
      onReceived(chunk.length)
      if (!this.destroyed && !this.push(chunk)) socket.pause()
    })
    socket.on('end', () => {
      if (!this.destroyed) this.push(null)
      socket.end()
    })
    socket.on('error', (error) => this.destroy(error))
  }

  override _read(): void {
    this.#socket.resume()
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    this.#onSent(chunk.length)
    this.#socket.write(chunk, done)
  }

  override _final(done: () => void): void {
    this.#socket.end(done)
  }

  /** What the peer still says is read: it is in its books. */
  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#socket.end()
    this.#socket.resume()
    done(error)
  }
}

/** Echoes the body of each request; a gRPC call ends with its status. */
export async function startHttp2EchoServer(): Promise<EchoServer> {
  const bytes = { received: 0, sent: 0 }
  const http2 = createServer((request, response) => {
    if (request.headers['content-type'] === 'application/grpc') {
      response.setHeader('content-type', 'application/grpc')
      response.addTrailers({ 'grpc-status': '0' })
    }
    const chunks: Buffer[] = []
    request.on('error', () => {})
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => response.end(Buffer.concat(chunks)))
  })
  const server = await listenTcp((socket) => {
    const counted = new CountedSocket(
      socket,
      (count) => (bytes.received += count),
      (count) => (bytes.sent += count),
    )
    http2.emit('connection', counted)
  })
  return { ...server, bytes }
}

/** One connection with so many requests, a few at a time. Rejects with what was wrong. */
export async function runHttp2Connection(
  entry: ListenerAddress,
  index: number,
  requests: number,
  totals: Totals,
  isGrpc: boolean,
): Promise<void> {
  const socket = dial({ ...entry, allowHalfOpen: true, noDelay: true })
  const closed = new Promise<void>((resolve) =>
    socket.once('close', () => {
      resolve()
    }),
  )
  const counted = new CountedSocket(
    socket,
    (count) => (totals.receivedBytes += count),
    (count) => (totals.sentBytes += count),
  )
  const session = connect('http://bench', { createConnection: () => counted })
  const failed = new Promise<never>((_resolve, reject) => session.once('error', reject))
  let next = 0
  const lane = async (): Promise<void> => {
    while (next < requests) {
      next += 1
      await askOnce(session, index, next, isGrpc)
      totals.requests += 1
    }
  }
  try {
    await Promise.race([Promise.all(Array.from({ length: streams }, lane)), failed])
    session.close()
    await Promise.race([closed, failed])
  } catch (error) {
    session.destroy()
    socket.destroy()
    throw new Error(
      `connection ${index}, request ${next}: ${error instanceof Error ? error.message : String(error)}`,
      { cause: error },
    )
  }
  totals.connections += 1
}

async function askOnce(
  session: ClientHttp2Session,
  index: number,
  request: number,
  isGrpc: boolean,
): Promise<void> {
  const body = bodyOf(index + request)
  const message = isGrpc ? framed(body) : body
  const stream = session.request({
    ...{ ':method': 'POST', ':path': `/${index}/${request}` },
    ...(isGrpc
      ? { 'content-type': 'application/grpc', te: 'trailers' }
      : { 'content-length': message.length }),
  })
  let status: number | undefined
  let grpcStatus: unknown
  stream.on('response', (headers) => (status = headers[':status']))
  stream.on('trailers', (trailers: IncomingHttpHeaders) => {
    grpcStatus = trailers['grpc-status']
  })
  stream.end(message)
  const chunks: Buffer[] = []
  for await (const chunk of stream as AsyncIterable<Buffer>) chunks.push(chunk)
  if (status !== 200) throw new Error(`answered ${String(status)}`)
  if (!Buffer.concat(chunks).equals(message)) throw new Error('a wrong body')
  if (isGrpc && grpcStatus !== '0') throw new Error(`grpc-status ${String(grpcStatus)}`)
}
