/** HTTP/2 with prior knowledge and gRPC, on connections that began with the HTTP/2 preface. */
import type { Socket } from 'node:net'
import { decodeEchoRequest, echoReplyHead, grpcPath } from '../kit/grpc/grpc-echo.js'
import { H2Connection } from '../kit/h2/connection.js'
import { errorCode } from '../kit/h2/frames.js'
import { type HeaderList, blockWriter } from '../kit/h2/hpack.js'
import { type RequestFields, readRequest, readTrailers } from '../kit/h2/message.js'
import type { ConnectionLimits } from '../kit/h2/settings.js'
import type { H2Stream, StreamHandler } from '../kit/h2/stream.js'
import { HeadError, firstValue } from '../kit/http1/http1-head.js'
import { Pieces } from '../kit/net/pieces.js'
import { parseTarget } from './request.js'
import { type EchoConnection, type EchoService, maxEchoedBytes, writePattern } from './service.js'

/** An application trusts whoever calls it: only what would break it is bounded. */
const limits: ConnectionLimits = {
  streamsPerConnection: 1000,
  headerBytes: 65_536,
  headerCount: 1000,
  continuationFrames: 16,
  resetsPerSecond: 100_000,
  controlFramesPerSecond: 100_000,
  streamWindowBytes: 1 << 20,
}
/** gRPC status codes that this server answers with. */
const grpcStatus = { ok: '0', invalidArgument: '3', unimplemented: '12' } as const

/** What a call is answered with: bytes of a framed message, and how many of the pattern come behind them. */
export interface GrpcReply {
  readonly bytes: Buffer
  readonly patternBytes: number
}

/** Path of a call → what answers it, given the framed request; one that throws is answered with an invalid argument. */
export type GrpcCalls = ReadonlyMap<string, (body: Buffer) => GrpcReply>

const echoCalls: GrpcCalls = new Map([
  [
    grpcPath,
    (body) => {
      const patternBytes = decodeEchoRequest(body)
      if (patternBytes > 0xfffffff0) throw new Error('a message holds at most 4 GiB')
      return { bytes: echoReplyHead(patternBytes), patternBytes }
    },
  ],
])

/** Serves one connection. `first` is what was already read from it; with `calls` it answers these and is no echo. */
export function serveHttp2(
  socket: Socket,
  first: Buffer,
  service: EchoService,
  calls?: GrpcCalls,
): EchoConnection {
  const connection = new H2Connection(socket, 'server', limits, {
    onRequest(stream, list, ended) {
      const request = requestOf(list)
      if (request === undefined || (ended && request.contentLength > 0)) {
        connection.fault(stream, 'a malformed request')
        return
      }
      if (!ended) stream.contentLeft = request.contentLength
      new EchoExchange(connection, stream, request, service, calls)
    },
  })
  socket.on('data', (bytes: Buffer) => {
    connection.read(bytes)
  })
  connection.read(first)
  return {
    drain() {
      connection.drain()
    },
  }
}

function requestOf(list: HeaderList): RequestFields | undefined {
  if (list.memo !== undefined) return list.memo as RequestFields
  const request = list.isTooLarge ? undefined : readRequest(list)
  if (list.isKept) list.memo = request
  return request
}

const grpcTrailers = blockWriter.begin().field('grpc-status', grpcStatus.ok).copy()

class EchoExchange implements StreamHandler {
  readonly #connection: H2Connection
  readonly #stream: H2Stream
  readonly #request: RequestFields
  readonly #service: EchoService
  readonly #calls: GrpcCalls | undefined
  readonly #body = new Pieces()
  /** Bytes of the pattern that are still to be sent. */
  #left = 0
  #trailers: Buffer | undefined

  constructor(
    connection: H2Connection,
    stream: H2Stream,
    request: RequestFields,
    service: EchoService,
    calls: GrpcCalls | undefined,
  ) {
    this.#connection = connection
    this.#stream = stream
    this.#request = request
    this.#service = service
    this.#calls = calls
    stream.handler = this
  }

  onHead(): void {}

  onData(bytes: Buffer): void {
    this.#service.receivedBytes.add(bytes.length)
    if (this.#body.length + bytes.length > maxEchoedBytes) this.#stream.reset(errorCode.enhanceYourCalm)
    else this.#body.keep(bytes)
  }

  onEnd(trailers: HeaderList | undefined): void {
    if (trailers !== undefined && readTrailers(trailers) === undefined)
      this.#connection.fault(this.#stream, 'malformed trailers')
    else this.#answer(this.#body.join())
  }

  onDrain(): void {
    this.#writePattern()
  }

  onReset(): void {}
  onOver(): void {}

  #answer(body: Buffer): void {
    const type = firstValue(this.#request.fields, 'content-type')
    if (this.#calls) this.#answerCall(body, this.#calls)
    else if (type?.startsWith('application/grpc') === true) this.#answerCall(body, echoCalls)
    else this.#answerHttp(body)
  }

  #answerHttp(body: Buffer): void {
    let asked
    try {
      asked = parseTarget(this.#request.path)
    } catch (error) {
      if (!(error instanceof HeadError)) throw error
      this.#service.countRequest(400)
      this.#head([':status', '400'], false)
      this.#stream.write(Buffer.from(`${error.message}\n`))
      this.#stream.end()
      return
    }
    const { sizeBytes, status, delayUs } = asked
    this.#service.faults.apply(delayUs, () => {
      if (this.#stream.isClosed) return
      this.#service.countRequest(status)
      const size = status === 204 || status === 304 ? 0 : (sizeBytes ?? body.length)
      const isWhole = size === 0 || this.#request.method === 'HEAD'
      const type = 'application/octet-stream'
      this.#head([':status', String(status), 'content-type', type, 'content-length', String(size)], isWhole)
      if (isWhole) return
      this.#service.sentBytes.add(size)
      if (sizeBytes === undefined) {
        this.#stream.write(body)
        this.#stream.end()
        return
      }
      this.#left = size
      this.#writePattern()
    })
  }

  #answerCall(body: Buffer, calls: GrpcCalls): void {
    const call = calls.get(this.#request.path)
    if (call === undefined) {
      this.#refuseGrpc(grpcStatus.unimplemented, `only ${[...calls.keys()].join(', ')}`)
      return
    }
    let reply: GrpcReply
    try {
      reply = call(body)
    } catch (error) {
      this.#refuseGrpc(grpcStatus.invalidArgument, (error as Error).message)
      return
    }
    this.#service.faults.apply(0, () => {
      if (this.#stream.isClosed) return
      const { bytes, patternBytes } = reply
      this.#service.countRequest(200)
      this.#service.sentBytes.add(bytes.length + patternBytes)
      this.#head([':status', '200', 'content-type', 'application/grpc'], false)
      this.#stream.write(bytes)
      this.#left = patternBytes
      this.#trailers = grpcTrailers
      this.#writePattern()
    })
  }

  #refuseGrpc(status: string, message: string): void {
    this.#service.countRequest(200)
    this.#head(
      [
        ...[':status', '200', 'content-type', 'application/grpc'],
        ...['grpc-status', status, 'grpc-message', message],
      ],
      true,
    )
  }

  #head(fields: readonly string[], ended: boolean): void {
    const block = blockWriter.begin().fields(fields)
    this.#stream.head(block.bytes, block.length, ended)
  }

  /** As much of the pattern as the client takes; the rest when it has room. */
  #writePattern(): void {
    this.#left = writePattern(this.#left, (chunk) => this.#stream.write(chunk))
    if (this.#left === 0) this.#stream.end(this.#trailers)
  }
}
