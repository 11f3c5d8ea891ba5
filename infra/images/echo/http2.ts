/** HTTP/2 with prior knowledge and gRPC, on connections that began with the HTTP/2 preface. */
import {
  type IncomingHttpHeaders,
  type ServerHttp2Session,
  type ServerHttp2Stream,
  constants,
  createServer,
} from 'node:http2'
import type { Socket } from 'node:net'
import { decodeEchoRequest, echoReplyHead, grpcPath } from '../kit/grpc/grpc-echo.js'
import { EchoRequestError, parseTarget } from './request.js'
import { type EchoConnection, type EchoService, maxEchoedBytes, pattern, writePattern } from './service.js'

const maxConcurrentStreams = 1000
/** gRPC status codes that this server answers with. */
const grpcStatus = { ok: '0', invalidArgument: '3', unimplemented: '12' } as const

export interface Http2Service {
  /** Serves one connection. `first` is what was already read from it. */
  serve(socket: Socket, first: Buffer): EchoConnection
}

export function createHttp2Service(service: EchoService): Http2Service {
  const server = createServer({ settings: { maxConcurrentStreams, initialWindowSize: 1024 * 1024 } })
  server.on('stream', (stream, headers) => {
    // A client may reset a stream at any time; that is its business.
    stream.on('error', () => {})
    readBody(stream, service, (body) => {
      if (isGrpc(headers)) answerGrpc(stream, headers, body, service)
      else answer(stream, headers, body, service)
    })
  })
  server.on('sessionError', () => {})
  return {
    serve(socket, first) {
      let session: ServerHttp2Session | undefined
      server.once('session', (opened) => {
        session = opened
      })
      // Paused, so that what is put back waits for the session to take it.
      socket.pause()
      socket.unshift(first)
      server.emit('connection', socket)
      return {
        drain() {
          session?.close()
        },
      }
    },
  }
}

function isGrpc(headers: IncomingHttpHeaders): boolean {
  return headers['content-type']?.startsWith('application/grpc') ?? false
}

function readBody(stream: ServerHttp2Stream, service: EchoService, done: (body: Buffer) => void): void {
  if (stream.readableEnded || stream.endAfterHeaders) {
    done(Buffer.alloc(0))
    return
  }
  const parts: Buffer[] = []
  let bytes = 0
  stream.on('data', (part: Buffer) => {
    service.receivedBytes.add(part.length)
    bytes += part.length
    if (bytes > maxEchoedBytes) stream.close(constants.NGHTTP2_ENHANCE_YOUR_CALM)
    else parts.push(part)
  })
  stream.on('end', () => {
    if (!stream.destroyed) done(parts.length === 1 ? (parts[0] as Buffer) : Buffer.concat(parts))
  })
}

function answer(
  stream: ServerHttp2Stream,
  headers: IncomingHttpHeaders,
  body: Buffer,
  service: EchoService,
): void {
  let asked
  try {
    asked = parseTarget(headers[':path'] ?? '/')
  } catch (error) {
    if (!(error instanceof EchoRequestError)) throw error
    service.countRequest(400)
    stream.respond({ ':status': 400 })
    stream.end(`${error.message}\n`)
    return
  }
  const { sizeBytes, status, delayUs } = asked
  service.faults.apply(delayUs, () => {
    if (stream.destroyed) return
    service.countRequest(status)
    const size = status === 204 || status === 304 ? 0 : (sizeBytes ?? body.length)
    stream.respond({ ':status': status, 'content-type': 'application/octet-stream', 'content-length': size })
    if (headers[':method'] === 'HEAD') {
      stream.end()
      return
    }
    service.sentBytes.add(size)
    if (sizeBytes === undefined) stream.end(body)
    else if (size <= pattern.length) stream.end(pattern.subarray(0, size))
    else writePattern(stream, size, () => stream.end())
  })
}

function answerGrpc(
  stream: ServerHttp2Stream,
  headers: IncomingHttpHeaders,
  body: Buffer,
  service: EchoService,
): void {
  const refuse = (status: string, message: string): void => {
    service.countRequest(200)
    stream.respond(
      { ':status': 200, 'content-type': 'application/grpc', 'grpc-status': status, 'grpc-message': message },
      { endStream: true },
    )
  }
  if (headers[':path'] !== grpcPath) {
    refuse(grpcStatus.unimplemented, `only ${grpcPath}`)
    return
  }
  let size: number
  try {
    size = decodeEchoRequest(body)
    if (size > 0xfffffff0) throw new Error('a message holds at most 4 GiB')
  } catch (error) {
    refuse(grpcStatus.invalidArgument, (error as Error).message)
    return
  }
  service.faults.apply(0, () => {
    if (stream.destroyed) return
    service.countRequest(200)
    service.sentBytes.add(size)
    stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true })
    stream.on('wantTrailers', () => {
      stream.sendTrailers({ 'grpc-status': grpcStatus.ok })
    })
    const head = echoReplyHead(size)
    if (size <= pattern.length) {
      stream.end(Buffer.concat([head, pattern.subarray(0, size)]))
      return
    }
    stream.write(head)
    writePattern(stream, size, () => stream.end())
  })
}
