/** The HTTP/1.1 server side of one connection: reads requests strictly, one at a time, and writes their responses. */
import type { ByteStream } from '../../kit/net/byte-stream.js'
import { endedByReset, isDisconnected, reset } from '../../kit/net/reset.js'
import { ChunkedDecoder } from '../../kit/http1/chunked.js'
import { endOfHead, parseRequestHead, startOfHead } from '../../kit/http1/head.js'
import { HeadError } from '../../kit/http1/http1-head.js'
import type { DownstreamContext } from './downstream-context.js'
import { Exchange } from '../exchange/exchange.js'
import type { DownstreamSide, ResponseStart } from '../exchange/sides.js'
import { Http1ResponseWriter } from './http1-response-writer.js'
import { Fields, RequestHead, ResponseHead } from '../exchange/message.js'
import { StallWatch } from './stall.js'
import type { Lease, Leasing } from '../../kit/net/reads.js'
import { Wire } from '../exchange/wire.js'

/** Pipelined bytes beyond this wait in the kernel. */
const maxPendingBytes = 64 * 1024
/** Answers beyond this have to leave before the next request is read. */
const maxBacklogBytes = 1024 * 1024
/** After an early or a bad end, what the client still sends is read and dropped for this long, so that it sees the answer. */
const lingerMs = 1000

type BodyState = 'none' | 'length' | 'chunked' | 'tunnel'

export class Http1Downstream implements DownstreamSide {
  readonly protocol = 'http1'
  readonly client: DownstreamContext
  readonly #stream: ByteStream
  readonly #wire: Wire
  readonly #reads: Leasing
  #pending: Buffer | undefined
  #exchange: Exchange | undefined
  #body: BodyState = 'none'
  #bodyLeft = 0
  #decoder: ChunkedDecoder | undefined
  readonly #writer: Http1ResponseWriter
  #clientCloses = false
  #consuming = false
  #paused = false
  /** The next request waits until the answers before it have left. */
  #isBacklogged = false
  /** No further request is read. */
  #closing = false
  /** It closes as soon as nothing is in flight. */
  #isDraining = false
  #clientEnded = false
  /** What had been sent when the client had ended, or last time that something was, and when that was. */
  #sentBytes = 0
  #silentSinceMs = 0
  #lastReadMs: number
  #headSinceMs = 0
  /** Of the head that has not come whole: what has been looked at. */
  #checkedBytes = 0
  #closeAtMs = Infinity
  readonly #stallWatch = new StallWatch()

  constructor(stream: ByteStream, context: DownstreamContext, reads: Leasing) {
    this.#stream = stream
    this.#wire = new Wire(stream)
    this.#writer = new Http1ResponseWriter(this.#wire, context.sentBytes)
    this.#reads = reads
    this.client = context
    this.#lastReadMs = context.clock.nowMs
    stream.on('drain', () => {
      this.#exchange?.onDownstreamDrain()
      if (!this.#isBacklogged) return
      this.#isBacklogged = false
      this.resumeRequest()
      this.#continue()
    })
    stream.on('end', () => {
      if (endedByReset(stream)) stream.destroy()
      else this.#onEnd()
    })
    stream.on('close', () => {
      this.#closing = true
      this.#exchange?.onDownstreamGone()
    })
  }

  /** The memory is leased as the reads of its stream say. */
  onBytes(bytes: Buffer): void {
    this.client.receivedBytes.value += bytes.length
    this.#lastReadMs = this.client.clock.nowMs
    if (this.#pending === undefined) {
      this.#consume(bytes, this.#reads.lease)
      return
    }
    const all = Buffer.concat([this.#pending, bytes])
    this.#pending = undefined
    this.#consume(all, 'owned')
  }

  /** Called a few times a second: closes what is too slow. */
  onTick(nowMs: number): void {
    const { limits } = this.client.runtime()
    const { backlog } = this.#wire
    if (this.#stallWatch.isStalled(nowMs, backlog, backlog === 0 ? 0 : this.#wire.taken, limits.sendIdleMs)) {
      this.#stream.destroy()
    } else if (this.#isClientGone(nowMs)) {
      this.#stream.destroy()
    } else if (nowMs >= this.#closeAtMs) {
      // What a slow client has not had yet is still part of its answer.
      if (backlog === 0) this.#stream.destroy()
    } else if (this.#exchange === undefined) {
      if (this.#closing || this.#isBacklogged) return
      if (this.#pending === undefined) {
        if (nowMs - this.#lastReadMs > limits.idleMs) this.#end()
      } else if (nowMs - this.#headSinceMs > limits.headTimeoutMs) {
        this.#refuse(new HeadError(408, 'the request head came too slowly'))
      }
    } else if ((this.#body === 'length' || this.#body === 'chunked') && !this.#paused) {
      if (nowMs - this.#lastReadMs > limits.bodyIdleMs)
        this.#refuseBody(new HeadError(408, 'the body came too slowly'))
    }
  }

  /**
   * Whether nobody waits for the answer any more. An end says so only after a while, as a client may end its half and
   * still read; a reset goes unnoticed while nothing is read, unless it is asked for.
   */
  #isClientGone(nowMs: number): boolean {
    if (this.#exchange === undefined || this.#body === 'tunnel') return false
    if (this.#paused && isDisconnected(this.#stream)) return true
    if (!this.#clientEnded) return false
    const { bytesWritten } = this.#stream
    if (bytesWritten !== this.#sentBytes || this.#wire.backlog > 0) {
      this.#sentBytes = bytesWritten
      this.#silentSinceMs = nowMs
    }
    return nowMs - this.#silentSinceMs > this.client.runtime().limits.halfCloseMs
  }

  /** No further request after the one in progress. */
  drain(): void {
    this.#isDraining = true
    if (this.#exchange === undefined && this.#pending === undefined) this.#end()
  }

  inform(head: ResponseHead): boolean {
    return this.#writer.inform(head)
  }

  respond(start: ResponseStart): boolean {
    const { head } = start
    if (head.status === 101) return this.#writer.switchProtocol(head, this.#exchange?.request.upgrade ?? '')
    const close = this.#closing || this.#clientCloses || this.#body !== 'none' || this.client.isDraining()
    const ok = this.#writer.respond(start, close)
    if (close || this.#writer.mustClose) this.#closing = true
    return ok
  }

  body(bytes: Buffer, lease: Lease): boolean {
    return this.#writer.body(bytes, lease)
  }

  finish(trailers: Fields | undefined): void {
    if (this.#body === 'tunnel') {
      this.#stream.end()
      this.#closeAtMs = this.client.clock.nowMs + lingerMs
      return
    }
    this.#writer.finish(trailers)
  }

  cut(): void {
    this.#closing = true
    this.#wire.sendNow()
    reset(this.#stream)
  }

  release(): void {
    this.#exchange = undefined
    // What comes next may be no request at all, and is answered with a body.
    this.#writer.isHead = false
    if (this.#body === 'tunnel') return
    if (this.#closing || ((this.#clientEnded || this.#isDraining) && this.#pending === undefined)) {
      this.#end()
      return
    }
    if (this.#wire.backlog > maxBacklogBytes) {
      // A client that sends requests without reading the answers must not fill the memory.
      this.#isBacklogged = true
      this.pauseRequest()
      return
    }
    if (this.#paused) this.resumeRequest()
    this.#continue()
  }

  #continue(): void {
    if (this.#consuming || this.#pending === undefined) return
    const pending = this.#pending
    this.#pending = undefined
    this.#consume(pending, 'owned')
  }

  pauseRequest(): void {
    if (this.#paused) return
    this.#paused = true
    this.#stream.pause()
  }

  resumeRequest(): void {
    if (!this.#paused) return
    this.#paused = false
    this.#lastReadMs = this.client.clock.nowMs
    this.#stream.resume()
  }

  becomeTunnel(): void {
    this.#body = 'tunnel'
    this.#closing = true
    const pending = this.#pending
    this.#pending = undefined
    if (pending !== undefined) this.#exchange?.onRequestBody(pending, 'owned')
    if (this.#clientEnded) this.#exchange?.onRequestEnd(undefined)
  }

  cork(): void {
    this.#wire.cork()
  }

  uncork(): void {
    this.#wire.uncork()
  }

  #consume(bytes: Buffer, lease: Lease): void {
    this.#consuming = true
    let at = 0
    try {
      for (;;) {
        if (this.#body !== 'none') {
          at = this.#readBody(bytes, at, lease)
          if (at >= bytes.length) break
        }
        if (this.#exchange !== undefined || this.#isBacklogged) {
          this.#stash(bytes, at, lease)
          break
        }
        if (this.#closing) break
        const end = this.#findHead(bytes, at, lease)
        if (end < 0) {
          if (this.#clientEnded) this.#end()
          break
        }
        at = this.#begin(bytes, this.#headStart, end, lease)
        if (at >= bytes.length && this.#body === 'none') break
      }
    } catch (error) {
      if (!(error instanceof HeadError)) throw error
      if (this.#exchange === undefined) this.#refuse(error)
      else this.#refuseBody(error)
    } finally {
      this.#consuming = false
    }
  }

  #headStart = 0

  /** Returns the end of a whole head, or −1 after putting aside what there is of it. */
  #findHead(bytes: Buffer, from: number, lease: Lease): number {
    const at = startOfHead(bytes, from)
    if (at >= bytes.length) {
      // Of a head nothing has come: its time does not run yet.
      this.#headSinceMs = 0
      return -1
    }
    this.#headStart = at
    const end = endOfHead(bytes, at, bytes.length, this.client.runtime().limits, this.#checkedBytes)
    this.#checkedBytes = 0
    if (end < 0) {
      this.#checkedBytes = bytes.length - at
      if (this.#headSinceMs === 0) this.#headSinceMs = this.client.clock.nowMs
      this.#keep(bytes, at, lease)
    } else {
      this.#headSinceMs = 0
    }
    return end
  }

  /** Starts an exchange; returns how far the bytes were used. */
  #begin(bytes: Buffer, start: number, end: number, lease: Lease): number {
    const runtime = this.client.runtime()
    const head = parseRequestHead(bytes.toString('latin1', start, end), runtime.limits)
    this.#writer.begin(head.method === 'HEAD', head.minor)
    this.#clientCloses = head.close || (head.minor === 0 && !head.keepAlive)
    if (head.method === 'CONNECT') throw new HeadError(405, 'CONNECT is served over HBONE only')
    const length = head.chunked ? -1 : Math.max(head.contentLength, 0)
    const request = new RequestHead(
      {
        method: head.method,
        path: head.target,
        authority: head.authority,
        scheme: this.client.scheme,
        contentLength: length,
      },
      head,
    )
    request.clientCert = this.client.clientCert
    request.keepsClientCert = this.client.keepsClientCert
    if (
      head.connectionUpgrade &&
      head.upgrade === 'websocket' &&
      head.method === 'GET' &&
      length === 0 &&
      head.minor === 1
    ) {
      request.upgrade = 'websocket'
    }
    const exchange = new Exchange(runtime, this, request)
    this.#exchange = exchange
    if (length < 0) {
      this.#body = 'chunked'
      this.#decoder = new ChunkedDecoder(runtime.limits)
      exchange.start(bytes, end, end, lease, false)
      return end
    }
    const to = Math.min(bytes.length, end + length)
    this.#bodyLeft = length - (to - end)
    this.#body = this.#bodyLeft > 0 ? 'length' : 'none'
    exchange.start(bytes, end, to, lease, this.#bodyLeft === 0)
    return to
  }

  #readBody(bytes: Buffer, from: number, lease: Lease): number {
    const exchange = this.#exchange
    if (this.#body === 'tunnel') {
      if (exchange?.onRequestBody(bytes.subarray(from), lease) === false) this.pauseRequest()
      return bytes.length
    }
    if (this.#body === 'length') {
      const to = Math.min(bytes.length, from + this.#bodyLeft)
      this.#bodyLeft -= to - from
      if (to > from && exchange?.onRequestBody(bytes.subarray(from, to), lease) === false) this.pauseRequest()
      if (this.#bodyLeft === 0) {
        this.#body = 'none'
        exchange?.onRequestEnd(undefined)
      }
      return to
    }
    const decoder = this.#decoder as ChunkedDecoder
    let goOn = true
    const to = decoder.feed(bytes, from, bytes.length, (start, end) => {
      if (exchange?.onRequestBody(bytes.subarray(start, end), lease) === false) goOn = false
    })
    if (!goOn) this.pauseRequest()
    if (decoder.done) {
      this.#body = 'none'
      this.#decoder = undefined
      exchange?.onRequestEnd(decoder.trailers?.length ? new Fields(decoder.trailers) : undefined)
    }
    return to
  }

  /** Keeps pipelined bytes until the response in progress is out. */
  #stash(bytes: Buffer, from: number, lease: Lease): void {
    if (from >= bytes.length) return
    this.#keep(bytes, from, lease)
    if (bytes.length - from > maxPendingBytes) this.pauseRequest()
  }

  #keep(bytes: Buffer, from: number, lease: Lease): void {
    const rest = bytes.subarray(from)
    this.#pending = lease === 'owned' ? rest : Buffer.from(rest)
  }

  #onEnd(): void {
    this.#clientEnded = true
    this.#silentSinceMs = this.client.clock.nowMs
    const exchange = this.#exchange
    if (this.#body === 'tunnel') exchange?.onRequestEnd(undefined)
    else if (exchange === undefined) this.#end()
    else if (this.#body !== 'none') {
      // The request can never be whole.
      exchange.onDownstreamGone()
      this.#stream.destroy()
    }
  }

  /** A request that is refused before it became an exchange. */
  #refuse(error: HeadError): void {
    const runtime = this.client.runtime()
    runtime.countRequest(error.status)
    runtime.countRefusal(error.status)
    const body = `${error.message}\n`
    const head = new ResponseHead(error.status, body.length, undefined)
    this.#writer.text(
      head.toHttp1('content-type: text/plain\r\nconnection: close\r\n') + (this.#writer.isHead ? '' : body),
    )
    this.#end()
  }

  /** A request whose body cannot be forwarded: nothing more of it may reach the upstream, and no success the client. */
  #refuseBody(error: HeadError): void {
    this.#clientCloses = true
    this.client.runtime().countRefusal(error.status)
    const exchange = this.#exchange
    exchange?.reply({ status: error.status, reason: 'bad-body', body: `${error.message}\n` })
    this.#end()
  }

  #end(): void {
    this.#closing = true
    this.#body = 'none'
    this.#pending = undefined
    if (this.#paused) this.resumeRequest()
    this.#stream.end()
    this.#closeAtMs = this.client.clock.nowMs + lingerMs
  }
}
