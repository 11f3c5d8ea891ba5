/** One request on a stream of an HTTP/2 upstream. */
import type { H2Connection } from '../../kit/h2/connection.js'
import { errorCode } from '../../kit/h2/frames.js'
import type { HeaderList } from '../../kit/h2/hpack.js'
import type { H2Stream, StreamHandler, StreamResetError } from '../../kit/h2/stream.js'
import {
  type ResponseOrigin,
  readResponseOrigin,
  readTrailerFields,
  requestBlock,
  trailerBlock,
} from '../exchange/http2-heads.js'
import { responseStart, type FailureKind, type UpstreamOwner, type UpstreamSide } from '../exchange/sides.js'
import { type Fields, type RequestHead, ResponseHead } from '../exchange/message.js'
import type { Lease } from '../../kit/net/reads.js'
import type { PoolContext } from './pool.js'

export class Http2Upstream implements UpstreamSide, StreamHandler {
  readonly isReused: boolean
  readonly #connection: H2Connection
  readonly #owner: UpstreamOwner
  readonly #context: PoolContext
  #stream: H2Stream | undefined
  #isOver = false
  #isHead = false

  constructor(connection: H2Connection, owner: UpstreamOwner, context: PoolContext, isReused: boolean) {
    this.isReused = isReused
    this.#connection = connection
    this.#owner = owner
    this.#context = context
  }

  send(request: RequestHead, body: Buffer | undefined, lease: Lease, ended: boolean): boolean {
    if (!this.#connection.usable) {
      // It went away between the choice and now.
      process.nextTick(() => {
        this.#fail('refused')
      })
      return true
    }
    this.#isHead = request.method === 'HEAD'
    const block = requestBlock(request)
    const isWhole = ended && body === undefined
    const stream = this.#connection.request(block.bytes, block.length, isWhole, this)
    this.#stream = stream
    if (body === undefined) return true
    const ok = this.body(body)
    if (ended) stream.end()
    return ok
  }

  body(bytes: Buffer): boolean {
    const stream = this.#stream
    if (stream === undefined || stream.isClosed) return true
    this.#context.sentBytes.value += bytes.length
    return stream.write(bytes)
  }

  finish(trailers: Fields | undefined): void {
    this.#stream?.end(trailerBlock(trailers))
  }

  cut(): void {
    this.#isOver = true
    this.#stream?.reset(errorCode.cancel)
  }

  pause(): void {
    this.#stream?.pause()
  }

  resume(): void {
    this.#stream?.resume()
  }

  // ------------------------------------------------------------ StreamHandler

  onHead(list: HeaderList, ended: boolean): void {
    if (this.#isOver) return
    const origin = readResponseOrigin(list)
    if (origin === undefined) this.#refuse()
    else if (origin.status >= 200) this.#onResponse(origin, ended)
    // A pause holds DATA back and no heads: what the client does not take is left out.
    else if (this.#stream?.isPaused !== true)
      this.#owner.onInform(new ResponseHead(origin.status, 0, undefined, origin))
  }

  onData(bytes: Buffer): void {
    this.#context.receivedBytes.value += bytes.length
    if (!this.#isOver) this.#owner.onResponseBody(bytes, 'borrowed')
  }

  onEnd(trailers: HeaderList | undefined): void {
    if (this.#isOver) return
    const fields = trailers && readTrailerFields(trailers)
    if (trailers !== undefined && fields === undefined) {
      this.#refuse()
      return
    }
    this.#isOver = true
    this.#owner.onResponseEnd(fields)
    this.#dropRest()
  }

  onDrain(): void {
    if (!this.#isOver) this.#owner.onUpstreamDrain()
  }

  onReset({ h2Code }: StreamResetError): void {
    // RFC 9113 §8.7: the peer has done nothing with a stream that it refused.
    this.#fail(h2Code === errorCode.refusedStream ? 'refused' : 'reset')
  }

  onOver(): void {}

  #onResponse(origin: ResponseOrigin, ended: boolean): void {
    const { status, contentLength } = origin
    const isContentless = this.#isHead || status === 204 || status === 304
    const isBodyless = ended || isContentless
    // DATA of an answer that has no content would be read as the beginning of the next one by an HTTP/1.1 client.
    if (!ended && this.#stream) this.#stream.contentLeft = isContentless ? 0 : contentLength
    else if (ended && contentLength > 0 && !this.#isHead && status !== 304) {
      // RFC 9113 §8.1.1.
      this.#refuse()
      return
    }
    const head = new ResponseHead(status, isBodyless ? 0 : contentLength, undefined, origin)
    if (isBodyless && contentLength >= 0) head.statedLength = String(contentLength)
    if (ended) this.#isOver = true
    this.#owner.onResponse(responseStart(head, ended))
    if (ended) this.#dropRest()
  }

  /** After an early answer the rest of the request is of no use. */
  #dropRest(): void {
    if (this.#stream?.localEnded === false) this.#stream.reset(errorCode.cancel)
  }

  #refuse(): void {
    this.#stream?.reset(errorCode.protocol)
    this.#fail('protocol')
  }

  #fail(kind: FailureKind): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#owner.onFailure(kind)
  }
}
