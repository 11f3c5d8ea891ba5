/** The HTTP/1.1 client side of one connection: one request at a time, then back to its endpoint's pool. */
import type { ByteStream } from '../../kit/net/byte-stream.js'
import { endedByReset, reset } from '../../kit/net/reset.js'
import { ChunkedDecoder } from '../../kit/http1/chunked.js'
import { endOfHead, parseResponseHead } from '../../kit/http1/head.js'
import { HeadError, type Http1Head } from '../../kit/http1/http1-head.js'
import type { UpstreamOwner, UpstreamSide } from '../exchange/sides.js'
import { Fields, type RequestHead, ResponseHead } from '../exchange/message.js'
import type { Lease } from '../../kit/net/reads.js'
import { Wire, chunkedEnd } from '../exchange/wire.js'
import type { PoolContext } from './pool.js'

export interface Http1Keeper {
  /** The connection may serve another request. */
  release(connection: Http1Upstream): void
  /** The connection is gone. */
  remove(connection: Http1Upstream): void
}

type Mode = 'idle' | 'head' | 'length' | 'chunked' | 'close' | 'tunnel' | 'over'

export class Http1Upstream implements UpstreamSide {
  isReused = false
  /** Coarse time of the last release, for the pool's sweep. */
  idleSinceMs = 0
  readonly #pool: Http1Keeper
  readonly #context: PoolContext
  readonly #stream: ByteStream
  readonly #wire: Wire
  #exchange: UpstreamOwner | undefined
  #request: RequestHead | undefined
  #mode: Mode = 'idle'
  /** The beginning of a head that has not come whole. */
  #pending: Buffer | undefined
  #left = 0
  #decoder: ChunkedDecoder | undefined
  #responseCloses = false
  #chunkedOut = false
  #requestEnded = true
  #isPaused = false

  /** Bytes come through `onBytes`. */
  constructor(stream: ByteStream, pool: Http1Keeper, context: PoolContext) {
    this.#pool = pool
    this.#context = context
    this.#stream = stream
    this.#wire = new Wire(stream)
    stream.on('drain', () => {
      this.#exchange?.onUpstreamDrain()
    })
    stream.on('end', () => {
      if (endedByReset(stream)) this.#fail()
      else this.#onEnd()
    })
    stream.on('error', () => {
      this.#fail()
    })
    stream.on('close', () => {
      this.#fail()
    })
  }

  begin(exchange: UpstreamOwner): void {
    this.#exchange = exchange
  }

  send(request: RequestHead, body: Buffer | undefined, lease: Lease, ended: boolean): boolean {
    const wire = this.#wire
    this.#request = request
    this.#mode = 'head'
    this.#requestEnded = ended
    this.#chunkedOut = request.contentLength < 0
    const text = request.toHttp1()
    this.#context.sentBytes.value += text.length + (body?.length ?? 0)
    if (!this.#chunkedOut) return body === undefined ? wire.putText(text) : wire.putBoth(text, body)
    if (body === undefined) return wire.putText(ended ? text + chunkedEnd(undefined) : text)
    wire.cork()
    wire.putText(text)
    let ok = wire.putChunk(body, lease)
    if (ended) ok = wire.putText(chunkedEnd(undefined))
    wire.uncork()
    return ok
  }

  body(bytes: Buffer, lease: Lease): boolean {
    this.#context.sentBytes.value += bytes.length
    return this.#chunkedOut ? this.#wire.putChunk(bytes, lease) : this.#wire.put(bytes, lease)
  }

  finish(trailers: Fields | undefined): void {
    this.#requestEnded = true
    if (this.#mode === 'tunnel') {
      this.#stream.end()
      return
    }
    if (this.#chunkedOut) this.#wire.putText(chunkedEnd(trailers))
  }

  cut(): void {
    this.#exchange = undefined
    // The server must not take what it has of the request, or of a tunnel's bytes, for all.
    if (this.#mode !== 'over') {
      this.#wire.sendNow()
      reset(this.#stream)
    }
    this.#close()
  }

  pause(): void {
    this.#isPaused = true
    this.#stream.pause()
  }

  resume(): void {
    this.#isPaused = false
    this.#stream.resume()
  }

  retire(): void {
    this.#close()
  }

  onBytes(buffer: Buffer, length: number, lease: Lease): void {
    this.#context.receivedBytes.value += length
    try {
      if (this.#pending === undefined) {
        this.#consume(buffer, length, lease)
      } else {
        const all = Buffer.concat([this.#pending, buffer.subarray(0, length)])
        const checkedBytes = this.#pending.length
        this.#pending = undefined
        this.#consume(all, all.length, 'owned', checkedBytes)
      }
    } catch (error) {
      if (!(error instanceof HeadError)) throw error
      const exchange = this.#exchange
      this.#exchange = undefined
      this.#close()
      exchange?.onFailure('protocol')
    }
  }

  #consume(buffer: Buffer, length: number, lease: Lease, checkedBytes = 0): void {
    let at = 0
    while (at < length) {
      const exchange = this.#exchange
      if (exchange === undefined) {
        // Bytes that nobody asked for could be taken for the answer to the next request.
        this.#close()
        return
      }
      switch (this.#mode) {
        case 'head': {
          const end = endOfHead(buffer, at, length, this.#context.limits, at === 0 ? checkedBytes : 0)
          if (end < 0) {
            this.#pending = Buffer.from(buffer.subarray(at, length))
            return
          }
          const head = parseResponseHead(buffer.toString('latin1', at, end), this.#context.limits)
          at = this.#onHead(exchange, head, buffer, at, end, length, lease)
          break
        }
        case 'length': {
          const to = Math.min(length, at + this.#left)
          this.#left -= to - at
          const ended = this.#left === 0
          const bytes = buffer.subarray(at, to)
          exchange.onResponseBody(bytes, lease)
          at = to
          if (ended) this.#complete(exchange, at === length, undefined)
          break
        }
        case 'chunked':
          at = this.#readChunks(exchange, buffer, at, length, lease)
          break
        case 'close':
        case 'tunnel':
          exchange.onResponseBody(buffer.subarray(at, length), lease)
          return
        case 'idle':
        case 'over':
          this.#close()
          return
      }
    }
  }

  /** Handles a response head and what is there of its body; returns how far the bytes were used. */
  #onHead(
    exchange: UpstreamOwner,
    head: Http1Head,
    buffer: Buffer,
    headStart: number,
    bodyStart: number,
    length: number,
    lease: Lease,
  ): number {
    const { status } = head
    const request = this.#request as RequestHead
    if (status < 200) {
      if (status !== 101) {
        exchange.onInform(new ResponseHead(status, 0, head))
        return bodyStart
      }
      if (request.upgrade === '' || head.upgrade !== request.upgrade) {
        throw new HeadError(502, 'a switch of protocols that nobody asked for')
      }
      this.#mode = 'tunnel'
      this.#requestEnded = false
      exchange.onSwitch(new ResponseHead(101, 0, head))
      return bodyStart
    }
    this.#responseCloses = head.close || (head.minor === 0 && !head.keepAlive)
    const isBodyless = request.method === 'HEAD' || status === 204 || status === 304
    const isChunked = head.chunked && !isBodyless
    const contentLength = isBodyless ? 0 : isChunked ? -1 : head.contentLength
    const most = isChunked ? 0 : contentLength < 0 ? length : contentLength
    const bodyEnd = Math.min(length, bodyStart + most)
    const ended = contentLength === bodyEnd - bodyStart
    if (ended) {
      this.#finishExchange(bodyEnd === length)
    } else if (isChunked) {
      this.#mode = 'chunked'
      this.#decoder = new ChunkedDecoder(this.#context.limits)
      exchange.cork()
    } else if (contentLength < 0) {
      this.#mode = 'close'
      this.#responseCloses = true
    } else {
      this.#mode = 'length'
      this.#left = contentLength - (bodyEnd - bodyStart)
    }
    const answer = new ResponseHead(status, contentLength, head)
    exchange.onResponse({ head: answer, buffer, headStart, bodyStart, bodyEnd, lease, ended })
    if (!isChunked) return bodyEnd
    const at =
      this.#exchange === undefined ? bodyStart : this.#readChunks(exchange, buffer, bodyStart, length, lease)
    exchange.uncork()
    return at
  }

  #readChunks(exchange: UpstreamOwner, buffer: Buffer, at: number, length: number, lease: Lease): number {
    const decoder = this.#decoder as ChunkedDecoder
    exchange.cork()
    try {
      const to = decoder.feed(buffer, at, length, (start, end) => {
        exchange.onResponseBody(buffer.subarray(start, end), lease)
      })
      if (decoder.done) {
        const trailers = decoder.trailers
        this.#complete(exchange, to === length, trailers?.length ? new Fields(trailers) : undefined)
      }
      return to
    } finally {
      exchange.uncork()
    }
  }

  #complete(exchange: UpstreamOwner, isReusable: boolean, trailers: Fields | undefined): void {
    // The exchange was given up while its body came.
    if (this.#exchange === undefined) return
    this.#finishExchange(isReusable)
    exchange.onResponseEnd(trailers)
  }

  /** Goes back to the pool before the client is told, so that its next request finds this connection. */
  #finishExchange(isReusable: boolean): void {
    this.#exchange = undefined
    this.#request = undefined
    this.#decoder = undefined
    if (!isReusable || this.#responseCloses || !this.#requestEnded) {
      this.#close()
      return
    }
    this.#mode = 'idle'
    this.isReused = true
    // A slow client had stopped the end of this response; the next request's client is another one.
    if (this.#isPaused) this.resume()
    this.#pool.release(this)
  }

  #onEnd(): void {
    const exchange = this.#exchange
    if (exchange !== undefined && this.#mode === 'close') {
      this.#exchange = undefined
      this.#close()
      exchange.onResponseEnd(undefined)
    } else if (exchange !== undefined && this.#mode === 'tunnel') {
      this.#exchange = undefined
      exchange.onResponseEnd(undefined)
      this.#stream.end()
    } else {
      this.#fail()
    }
  }

  #fail(): void {
    const exchange = this.#exchange
    this.#exchange = undefined
    this.#close()
    exchange?.onFailure('reset')
  }

  #close(): void {
    if (this.#mode === 'over') return
    this.#mode = 'over'
    this.#pending = undefined
    this.#pool.remove(this)
    this.#stream.destroy()
  }
}
