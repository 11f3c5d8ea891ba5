/** The HTTP/2 server side of one connection: its streams become exchanges, and its floods are cut off. */
import {
  type IncomingHttpHeaders,
  type ServerHttp2Session,
  type ServerHttp2Stream,
  constants,
  performServerHandshake,
} from 'node:http2'
import { type ByteStream, toDuplex } from '../../kit/net/byte-stream.js'
import { PeerBudget } from '../../kit/h2/peer-budget.js'
import type { SpiffeId } from '../../kit/tls/spiffe.js'
import type { DownstreamConnection, DownstreamContext } from './downstream-context.js'
import { Exchange } from '../exchange/exchange.js'
import type { DownstreamSide } from '../exchange/sides.js'
import { fieldsFromHttp2, fieldsToHttp2, trailersFromHttp2 } from '../exchange/http2-headers.js'
import { type Fields, RequestHead, type ResponseHead } from '../exchange/message.js'
import { StallWatch } from './stall.js'
import type { Lease } from '../exchange/wire.js'

/** Serves a connection whose client began with the preface of HTTP/2; `first` is what was read already. */
export function serveHttp2(
  stream: ByteStream,
  first: Buffer,
  context: DownstreamContext,
): DownstreamConnection {
  const { limits } = context.runtime()
  const duplex = toDuplex(stream)
  stream.pause()
  duplex.unshift(Buffer.from(first))
  const session: ServerHttp2Session = performServerHandshake(duplex, {
    maxHeaderListPairs: limits.headerCount + 8,
    maxSessionInvalidFrames: 50,
    maxSessionMemory: 32,
    maxOutstandingPings: 10,
    maxOutstandingSettings: 10,
    settings: {
      maxConcurrentStreams: limits.streamsPerConnection,
      maxHeaderListSize: limits.headBytes,
      initialWindowSize: 1 << 20,
      enablePush: false,
    },
  } as Parameters<typeof performServerHandshake>[1])
  tellWhy(session)
  const budget = new PeerBudget({
    resetsPerSecond: limits.resetsPerSecond,
    // nghttp2 bounds those itself.
    controlFramesPerSecond: Infinity,
  })
  /** Rapid reset (CVE-2023-44487): a stream that is opened and reset costs its client nothing, and us a request. */
  const countReset = (): void => {
    try {
      budget.reset()
    } catch (error) {
      session.destroy(error as Error, constants.NGHTTP2_ENHANCE_YOUR_CALM)
    }
  }
  const streams = new Set<Http2Downstream>()
  let isClosing = false
  let lastActiveMs = context.clock.nowMs
  const closeGently = (): void => {
    if (isClosing || session.closed) return
    isClosing = true
    // GOAWAY; streams that are open may finish.
    session.close()
  }
  session.on('error', () => {})
  // HTTP/2 knows no half-close: a client that ends its side has gone.
  duplex.once('end', () => {
    duplex.destroy()
  })
  session.on('close', () => {
    stream.destroy()
  })
  session.on('stream', (http2: ServerHttp2Stream, headers: IncomingHttpHeaders, flags: number) => {
    lastActiveMs = context.clock.nowMs
    const downstream = new Http2Downstream(http2, context)
    if (http2.closed) {
      // Reset before we were told that it was opened.
      countReset()
      return
    }
    streams.add(downstream)
    http2.on('close', () => {
      streams.delete(downstream)
      lastActiveMs = context.clock.nowMs
      if (http2.aborted && !downstream.isCut) countReset()
    })
    downstream.start(headers, (flags & constants.NGHTTP2_FLAG_END_STREAM) !== 0)
    if (context.isDraining()) closeGently()
  })
  return {
    onTick(nowMs) {
      const { idleMs, sendIdleMs } = context.runtime().limits
      if (streams.size === 0 && nowMs - lastActiveMs > idleMs) closeGently()
      for (const downstream of streams) downstream.cutWhenStalled(nowMs, sendIdleMs)
    },
    drain: closeGently,
  }
}

/** nghttp2's library errors (nghttp2.h, `nghttp2_error`) that stand for a code of RFC 9113 §7. */
const codeOfError: Readonly<Record<number, number>> = {
  [-505]: constants.NGHTTP2_PROTOCOL_ERROR,
  [-510]: constants.NGHTTP2_STREAM_CLOSED,
  [-522]: constants.NGHTTP2_FRAME_SIZE_ERROR,
  [-523]: constants.NGHTTP2_COMPRESSION_ERROR,
  [-524]: constants.NGHTTP2_FLOW_CONTROL_ERROR,
}

/** Node ends a session whose peer broke the protocol with INTERNAL_ERROR; the peer should learn that the fault is its own. */
function tellWhy(session: ServerHttp2Session): void {
  const destroy = session.destroy.bind(session)
  session.destroy = (error, code) => {
    const { errno } = (error ?? {}) as NodeJS.ErrnoException
    destroy(error, code ?? (errno === undefined ? undefined : codeOfError[errno]))
  }
}

class Http2Downstream implements DownstreamSide {
  readonly listener: string
  readonly peer: SpiffeId | undefined
  readonly address: string
  /** The proxy itself broke the stream off. */
  isCut = false
  readonly #stream: ServerHttp2Stream
  readonly #context: DownstreamContext
  #exchange: Exchange | undefined
  #isHead = false
  #trailers: Fields | undefined
  #sentTrailers: Fields | undefined
  #bodyTimer: NodeJS.Timeout | undefined
  #sentBytes = 0
  readonly #stallWatch = new StallWatch()

  constructor(stream: ServerHttp2Stream, context: DownstreamContext) {
    this.#stream = stream
    this.#context = context
    this.listener = context.listener
    this.peer = context.peer
    this.address = context.address
    stream.on('error', () => {})
  }

  start(headers: IncomingHttpHeaders, ended: boolean): void {
    const stream = this.#stream
    const runtime = this.#context.runtime()
    const refusal = checkRequest(headers, runtime.limits.targetBytes)
    if (refusal !== undefined) {
      runtime.countRequest(refusal)
      runtime.countRefusal(refusal)
      stream.respond({ ':status': refusal }, { endStream: true })
      if (!ended) stream.close(constants.NGHTTP2_NO_ERROR)
      return
    }
    const stated = headers['content-length']
    const request = new RequestHead(
      {
        method: headers[':method'] as string,
        path: headers[':path'] as string,
        authority: headers[':authority'] ?? headers.host ?? '',
        scheme: this.#context.scheme,
        contentLength: ended ? 0 : stated === undefined ? -1 : Number(stated),
      },
      undefined,
      fieldsFromHttp2(headers),
    )
    if (!this.#context.keepsClientCert) request.fields.remove('x-forwarded-client-cert')
    request.clientCert = this.#context.clientCert
    request.acceptsTrailers = headers.te === 'trailers'
    this.#isHead = request.method === 'HEAD'
    const exchange = new Exchange(runtime, this, request)
    this.#exchange = exchange
    stream.on('aborted', () => {
      exchange.onDownstreamGone()
    })
    stream.on('close', () => {
      clearInterval(this.#bodyTimer)
      exchange.onDownstreamGone()
    })
    stream.on('drain', () => {
      exchange.onDownstreamDrain()
    })
    stream.on('wantTrailers', () => {
      stream.sendTrailers(this.#sentTrailers === undefined ? {} : fieldsToHttp2(this.#sentTrailers, {}))
    })
    exchange.start(nothing, 0, 0, 'owned', ended)
    if (ended || exchange.isOver) {
      if (!ended) stream.resume()
      return
    }
    let isQuiet = false
    this.#bodyTimer = setInterval(() => {
      if (isQuiet && !stream.isPaused()) exchange.reply({ status: 408, reason: 'slow-body' })
      isQuiet = true
    }, runtime.limits.bodyIdleMs)
    this.#bodyTimer.unref()
    stream.on('trailers', (trailers: IncomingHttpHeaders) => {
      this.#trailers = trailersFromHttp2(trailers)
    })
    stream.on('data', (bytes: Buffer) => {
      isQuiet = false
      this.#context.receivedBytes.value += bytes.length
      if (!exchange.onRequestBody(bytes, 'owned')) this.pauseRequest()
    })
    stream.on('end', () => {
      clearInterval(this.#bodyTimer)
      exchange.onRequestEnd(this.#trailers)
    })
  }

  inform(head: ResponseHead): void {
    if (!this.#stream.headersSent && !this.#stream.destroyed) {
      this.#stream.additionalHeaders(fieldsToHttp2(head.fields, { ':status': head.status }))
    }
  }

  respond(
    head: ResponseHead,
    buffer: Buffer,
    _headStart: number,
    bodyStart: number,
    bodyEnd: number,
    lease: Lease,
    ended: boolean,
  ): boolean {
    const stream = this.#stream
    if (stream.destroyed || stream.headersSent) return true
    const headers = fieldsToHttp2(head.fields, { ':status': head.status })
    const isBodyless = this.#isHead || head.status === 204 || head.status === 304
    const stated = head.isLengthless
      ? undefined
      : head.source !== undefined && head.source.contentLength >= 0
        ? String(head.source.contentLength)
        : head.statedLength
    if (stated !== undefined) headers['content-length'] = stated
    else if (!isBodyless && head.contentLength >= 0) headers['content-length'] = String(head.contentLength)
    const hasBody = bodyEnd > bodyStart && !isBodyless
    const isWhole = isBodyless || (ended && !hasBody)
    stream.respond(headers, { endStream: isWhole, waitForTrailers: !isWhole && !ended })
    if (isWhole) return true
    const ok = hasBody ? this.body(buffer.subarray(bodyStart, bodyEnd), lease) : true
    if (ended) stream.end()
    return ok
  }

  body(bytes: Buffer, lease: Lease): boolean {
    const stream = this.#stream
    if (stream.destroyed || stream.writableEnded || this.#isHead) return true
    this.#context.sentBytes.value += bytes.length
    this.#sentBytes += bytes.length
    return stream.write(lease === 'owned' ? bytes : Buffer.from(bytes))
  }

  finish(trailers: Fields | undefined): void {
    this.#sentTrailers = trailers
    if (!this.#stream.destroyed && !this.#stream.writableEnded) this.#stream.end()
  }

  cut(): void {
    this.isCut = true
    if (!this.#stream.closed) this.#stream.close(constants.NGHTTP2_INTERNAL_ERROR)
  }

  /** A client that opens no window for its answer. */
  cutWhenStalled(nowMs: number, limitMs: number): void {
    const backlog = this.#stream.writableLength
    if (this.#stallWatch.isStalled(nowMs, backlog, this.#sentBytes - backlog, limitMs)) this.cut()
  }

  release(): void {
    clearInterval(this.#bodyTimer)
    const stream = this.#stream
    // RFC 9113 §8.1: after an early answer the rest of the request is not wanted.
    if (this.#exchange?.requestEnded === false && !stream.destroyed) {
      stream.resume()
      if (stream.writableEnded) stream.close(constants.NGHTTP2_NO_ERROR)
    }
  }

  pauseRequest(): void {
    this.#stream.pause()
  }

  resumeRequest(): void {
    this.#stream.resume()
  }

  /** No upgrade in HTTP/2 (RFC 9113 §8.6), so this is never asked for. */
  becomeTunnel(): void {}
  cork(): void {}
  uncork(): void {}
}

const nothing = Buffer.alloc(0)
const methodPattern = /^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,32}$/
const authorityPattern = /^(?:[A-Za-z0-9._~!$&'()*+,;=%-]+|\[[0-9A-Fa-f:.]+\])(?::\d{1,5})?$/

/** The status of a refusal, or undefined. nghttp2 has checked names, pseudo headers and connection fields before. */
function checkRequest(headers: IncomingHttpHeaders, targetBytes: number): number | undefined {
  const method = headers[':method'] ?? ''
  const path = headers[':path'] ?? ''
  const authority = headers[':authority'] ?? headers.host ?? ''
  if (method === 'CONNECT') return 405
  if (!methodPattern.test(method) || !authorityPattern.test(authority)) return 400
  if (headers.host !== undefined && headers.host.toLowerCase() !== authority.toLowerCase()) return 400
  if (path.length > targetBytes) return 414
  if (!(path === '*' && method === 'OPTIONS') && !/^\/[\x21\x22\x24-\x7e]*$/.test(path)) return 400
  const length = headers['content-length']
  if (length !== undefined && !/^\d{1,15}$/.test(length)) return 400
  if (headers['transfer-encoding'] !== undefined) return 400
  for (const name in headers) {
    const value = headers[name]
    // eslint-disable-next-line no-control-regex -- what must never reach an HTTP/1.1 upstream
    if (/[\x00-\x08\x0a-\x1f\x7f]/.test(String(value))) return 400
    if (name.charCodeAt(0) !== 58 && !/^[!#$%&'*+.^_`|~0-9a-z-]+$/.test(name)) return 400
  }
  return undefined
}
