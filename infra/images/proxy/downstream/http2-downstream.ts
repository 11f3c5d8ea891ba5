/** The HTTP/2 server side of one connection: its streams become exchanges. */
import { H2Connection } from '../../kit/h2/connection.js'
import { errorCode } from '../../kit/h2/frames.js'
import { type HeaderList, blockWriter } from '../../kit/h2/hpack.js'
import type { H2Stream, StreamHandler } from '../../kit/h2/stream.js'
import { firstValue } from '../../kit/http1/http1-head.js'
import type { ByteStream } from '../../kit/net/byte-stream.js'
import type { DownstreamContext } from './downstream-context.js'
import { Exchange } from '../exchange/exchange.js'
import {
  type RequestOrigin,
  readRequestOrigin,
  readTrailerFields,
  responseBlock,
  trailerBlock,
} from '../exchange/http2-heads.js'
import { http2Limits } from '../exchange/http2-limits.js'
import { grpcFields } from '../exchange/reply.js'
import type { DownstreamSide, ResponseStart } from '../exchange/sides.js'
import { type Fields, RequestHead, type ResponseHead } from '../exchange/message.js'
import { StallWatch } from './stall.js'

/** Serves a connection whose client began with the preface of HTTP/2. */
export class Http2Connection {
  readonly #connection: H2Connection
  readonly #context: DownstreamContext
  readonly #streams = new Set<Http2Downstream>()
  readonly #stallWatch = new StallWatch()

  constructor(stream: ByteStream, context: DownstreamContext) {
    this.#context = context
    this.#connection = new H2Connection(stream, 'server', http2Limits(context.runtime().limits), {
      onRequest: (h2, list, ended) => {
        const downstream = new Http2Downstream(h2, this.#connection, context, this.#streams)
        this.#streams.add(downstream)
        downstream.start(list, ended)
        if (context.isDraining()) this.drain()
      },
    })
  }

  onBytes(bytes: Buffer): void {
    this.#connection.read(bytes)
  }

  onTick(nowMs: number): void {
    const connection = this.#connection
    const { idleMs, sendIdleMs, bodyIdleMs, headTimeoutMs } = this.#context.runtime().limits
    const { stream } = connection
    const backlog = stream.writableLength
    if (this.#stallWatch.isStalled(nowMs, backlog, stream.bytesWritten - backlog, sendIdleMs))
      stream.destroy()
    else if (connection.isOverdue(nowMs, headTimeoutMs)) connection.close()
    else if (connection.streamCount === 0 && nowMs - connection.idleSince > idleMs) connection.drain()
    for (const downstream of this.#streams) downstream.onTick(nowMs, sendIdleMs, bodyIdleMs)
  }

  drain(): void {
    // GOAWAY; streams that are open may finish.
    this.#connection.drain()
  }
}

class Http2Downstream implements DownstreamSide, StreamHandler {
  readonly protocol = 'h2'
  readonly #stream: H2Stream
  readonly #connection: H2Connection
  readonly client: DownstreamContext
  readonly #siblings: Set<Http2Downstream>
  #exchange: Exchange | undefined
  #isHead = false
  #isAnswered = false
  #lastReadMs: number
  #stallWatch: StallWatch | undefined

  constructor(
    stream: H2Stream,
    connection: H2Connection,
    context: DownstreamContext,
    siblings: Set<Http2Downstream>,
  ) {
    this.#stream = stream
    this.#connection = connection
    this.client = context
    this.#siblings = siblings
    this.#lastReadMs = context.clock.nowMs
    stream.handler = this
  }

  start(list: HeaderList, ended: boolean): void {
    const stream = this.#stream
    if (list.isTooLarge) {
      this.#refuse(431, list)
      return
    }
    const origin = readRequestOrigin(list)
    const length = origin?.contentLength ?? -1
    if (origin === undefined || (ended && length > 0)) {
      this.#siblings.delete(this)
      this.#connection.fault(stream, 'a malformed request')
      return
    }
    const runtime = this.client.runtime()
    const refusal = origin.refusal ?? (origin.path.length > runtime.limits.targetBytes ? 414 : undefined)
    if (refusal !== undefined) {
      this.#refuse(refusal, list)
      return
    }
    if (!ended) stream.contentLeft = length
    const request = requestOf(origin, this.client, ended ? 0 : length)
    this.#isHead = origin.method === 'HEAD'
    const exchange = new Exchange(runtime, this, request)
    this.#exchange = exchange
    exchange.start(nothing, 0, 0, 'owned', ended)
  }

  /** Called a few times a second: cuts off clients that send too slowly, or that open no window for their answer. */
  onTick(nowMs: number, sendIdleMs: number, bodyIdleMs: number): void {
    const stream = this.#stream
    const backlog = stream.pendingBytes
    if (backlog > 0 || this.#stallWatch !== undefined) {
      const watch = (this.#stallWatch ??= new StallWatch())
      if (watch.isStalled(nowMs, backlog, stream.writtenBytes - backlog, sendIdleMs)) {
        this.#exchange?.onDownstreamGone()
        this.cut()
        return
      }
    }
    // The end of an early answer may have waited for the client's window.
    if (this.#exchange?.isOver === true) this.#dropRest()
    else if (stream.isPaused) this.#lastReadMs = nowMs
    else if (this.#exchange?.requestEnded === false && nowMs - this.#lastReadMs > bodyIdleMs)
      this.#exchange.reply({ status: 408, reason: 'slow-body' })
  }

  // ------------------------------------------------------------ DownstreamSide

  inform(head: ResponseHead): boolean {
    const stream = this.#stream
    if (this.#isAnswered || stream.isClosed) return true
    const block = responseBlock(head, true)
    stream.head(block.bytes, block.length, false)
    // Nothing is written, but the stream says whether there is room, and when.
    return stream.write(nothing)
  }

  respond({ head, buffer, bodyStart, bodyEnd, ended }: ResponseStart): boolean {
    if (this.#isAnswered) return true
    this.#isAnswered = true
    const stream = this.#stream
    const isBodyless = this.#isHead || head.status === 204 || head.status === 304
    const hasBody = bodyEnd > bodyStart && !isBodyless
    const block = responseBlock(head, isBodyless)
    stream.head(block.bytes, block.length, isBodyless || (ended && !hasBody))
    if (!hasBody) return true
    const ok = this.body(buffer.subarray(bodyStart, bodyEnd))
    if (ended) stream.end()
    return ok
  }

  body(bytes: Buffer): boolean {
    const stream = this.#stream
    if (stream.localEnded || stream.isClosed) return true
    this.client.sentBytes.value += bytes.length
    return stream.write(bytes)
  }

  finish(trailers: Fields | undefined): void {
    this.#stream.end(trailerBlock(trailers))
  }

  cut(): void {
    this.#siblings.delete(this)
    this.#stream.reset(errorCode.internal)
  }

  release(): void {
    const stream = this.#stream
    if (this.#exchange?.requestEnded !== false || stream.isClosed) return
    stream.resume()
    this.#dropRest()
  }

  /** RFC 9113 §8.1: after an early answer, once that is out, the rest of the request is not wanted. */
  #dropRest(): void {
    if (!this.#stream.localEnded) return
    this.#siblings.delete(this)
    this.#stream.reset(errorCode.noError)
  }

  pauseRequest(): void {
    this.#stream.pause()
  }

  resumeRequest(): void {
    this.#lastReadMs = this.client.clock.nowMs
    this.#stream.resume()
  }

  /** No upgrade in HTTP/2 (RFC 9113 §8.6), so this is never asked for. */
  becomeTunnel(): void {}
  cork(): void {}
  uncork(): void {}

  // ------------------------------------------------------------ StreamHandler

  onHead(): void {}

  onData(bytes: Buffer): void {
    this.#lastReadMs = this.client.clock.nowMs
    this.client.receivedBytes.value += bytes.length
    if (this.#exchange?.onRequestBody(bytes, 'borrowed') === false) this.#stream.pause()
  }

  onEnd(trailers: HeaderList | undefined): void {
    const fields = trailers && readTrailerFields(trailers)
    if (trailers !== undefined && fields === undefined)
      this.#connection.fault(this.#stream, 'malformed trailers')
    else this.#exchange?.onRequestEnd(fields)
  }

  onDrain(): void {
    this.#exchange?.onDownstreamDrain()
  }

  onReset(): void {
    this.#siblings.delete(this)
    this.#exchange?.onDownstreamGone()
  }

  onOver(): void {
    this.#siblings.delete(this)
  }

  /** A request that is refused before it became an exchange. */
  #refuse(status: number, { fields }: HeaderList): void {
    const runtime = this.client.runtime()
    runtime.countRequest(status)
    runtime.countRefusal(status)
    this.#siblings.delete(this)
    const type = firstValue(fields, 'content-type')
    const block = blockWriter.begin()
    if (type?.startsWith('application/grpc') === true)
      block.field(':status', '200').fields(grpcFields({ status, reason: 'refused' }))
    else block.field(':status', String(status))
    this.#connection.refuse(this.#stream, block.bytes, block.length)
  }
}

function requestOf(origin: RequestOrigin, context: DownstreamContext, contentLength: number): RequestHead {
  const { method, path, authority, acceptsTrailers } = origin
  const { scheme, clientCert, keepsClientCert } = context
  const request = new RequestHead({ method, path, authority, scheme, contentLength }, undefined, origin)
  request.clientCert = clientCert
  request.keepsClientCert = keepsClientCert
  request.acceptsTrailers = acceptsTrailers
  return request
}

const nothing = Buffer.alloc(0)
