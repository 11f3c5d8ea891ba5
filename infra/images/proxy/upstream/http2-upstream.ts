/** The HTTP/2 client side: sessions to one endpoint, and a request on each of their streams. */
import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  type IncomingHttpHeaders,
  connect,
  constants,
} from 'node:http2'
import { toDuplex } from '../../kit/net/byte-stream.js'
import type { ClusterContext, Dialler } from './cluster.js'
import type { UpstreamOwner, UpstreamSide } from '../exchange/sides.js'
import { fieldsFromHttp2, fieldsToHttp2, trailersFromHttp2 } from '../exchange/http2-headers.js'
import { type Fields, type RequestHead, ResponseHead } from '../exchange/message.js'
import type { Lease } from '../exchange/wire.js'

export interface Http2Pool {
  /** A stream, or undefined when it comes later. */
  acquire(owner: UpstreamOwner): UpstreamSide | undefined
  forget(owner: UpstreamOwner): void
  onTick(nowMs: number): void
  retire(): void
}

/** What a session may carry at most, whatever the peer allows: beyond it another session is opened. */
const maxStreams = 100

interface Session {
  readonly http2: ClientHttp2Session
  streams: number
  isRetired: boolean
  /** It has carried a stream before. */
  isUsed: boolean
  idleSinceMs: number
}

export function createHttp2Pool(dialler: Dialler, context: ClusterContext): Http2Pool {
  const sessions = new Set<Session>()
  const waiting: UpstreamOwner[] = []
  let dialling = 0
  let isRetired = false

  const find = (): Session | undefined => {
    for (const session of sessions) {
      const limit = Math.min(maxStreams, session.http2.remoteSettings?.maxConcurrentStreams ?? maxStreams)
      if (!session.isRetired && session.streams < limit) return session
    }
    return undefined
  }

  const closeWhenIdle = (session: Session): void => {
    if (session.streams === 0 && session.isRetired && !session.http2.closed) session.http2.close()
  }

  const retireSession = (session: Session): void => {
    session.isRetired = true
    sessions.delete(session)
    closeWhenIdle(session)
  }

  const dial = (): void => {
    dialling++
    dialler.dial().then(
      (stream) => {
        dialling--
        const duplex = toDuplex(stream)
        // HTTP/2 knows no half-close: without this, what waits on a connection that its server ended waits for ever.
        duplex.once('end', () => {
          duplex.destroy()
        })
        const http2 = connect('http://upstream', {
          createConnection: () => duplex,
          settings: { enablePush: false, initialWindowSize: 1 << 20 },
        })
        http2.setMaxListeners(0)
        const session: Session = {
          http2,
          streams: 0,
          isRetired: false,
          isUsed: false,
          idleSinceMs: context.clock.nowMs,
        }
        sessions.add(session)
        http2.on('error', () => {})
        http2.on('goaway', () => {
          retireSession(session)
        })
        http2.on('close', () => {
          retireSession(session)
          serveWaiting()
        })
        // Until the peer's settings are known, how many streams it takes is not.
        http2.once('remoteSettings', () => {
          serveWaiting()
        })
        serveWaiting()
      },
      () => {
        dialling--
        for (const owner of waiting.splice(0)) owner.onFailure('connect')
      },
    )
  }

  const take = (session: Session, owner: UpstreamOwner): UpstreamSide => {
    session.streams++
    const isReused = session.isUsed
    session.isUsed = true
    return new Http2Upstream(session.http2, owner, context, isReused, () => {
      session.streams--
      session.idleSinceMs = context.clock.nowMs
      closeWhenIdle(session)
      serveWaiting()
    })
  }

  const serveWaiting = (): void => {
    while (waiting.length > 0) {
      const session = find()
      if (session === undefined) break
      const owner = waiting.shift() as UpstreamOwner
      if (!owner.isOver) owner.onUpstream(take(session, owner))
    }
    if (waiting.length > dialling * maxStreams) dial()
  }

  return {
    acquire(owner) {
      const session = find()
      if (session !== undefined && waiting.length === 0) return take(session, owner)
      waiting.push(owner)
      if (waiting.length > dialling * maxStreams) dial()
      return undefined
    },
    forget(owner) {
      const at = waiting.indexOf(owner)
      if (at >= 0) waiting.splice(at, 1)
    },
    onTick(nowMs) {
      for (const session of sessions) {
        if (session.streams === 0 && nowMs - session.idleSinceMs > context.idleMs) retireSession(session)
      }
    },
    retire() {
      if (isRetired) return
      isRetired = true
      for (const session of [...sessions]) retireSession(session)
    },
  }
}

class Http2Upstream implements UpstreamSide {
  /** The session may have been going away when this stream was opened, or the peer says that it never began with it. */
  isReused: boolean
  readonly #session: ClientHttp2Session
  readonly #owner: UpstreamOwner
  readonly #context: ClusterContext
  readonly #released: () => void
  #stream: ClientHttp2Stream | undefined
  #isOver = false
  #isHead = false
  #status = 0
  #trailers: Fields | undefined
  #ended = false
  #sentTrailers: Fields | undefined

  constructor(
    session: ClientHttp2Session,
    owner: UpstreamOwner,
    context: ClusterContext,
    isReused: boolean,
    released: () => void,
  ) {
    this.isReused = isReused
    this.#session = session
    this.#owner = owner
    this.#context = context
    this.#released = released
  }

  send(request: RequestHead, body: Buffer | undefined, lease: Lease, ended: boolean): boolean {
    this.#isHead = request.method === 'HEAD'
    const headers = fieldsToHttp2(request.fields, {
      ':method': request.method,
      ':path': request.path,
      ':scheme': request.scheme,
      ':authority': request.authority,
    })
    if (request.clientCert !== undefined) headers['x-forwarded-client-cert'] = request.clientCert
    if (request.contentLength > 0) headers['content-length'] = String(request.contentLength)
    if (request.acceptsTrailers) headers['te'] = 'trailers'
    let stream: ClientHttp2Stream
    try {
      stream = this.#session.request(headers, {
        endStream: ended && body === undefined,
        waitForTrailers: !ended,
      })
    } catch {
      // The session went away between the choice and now.
      this.isReused = true
      process.nextTick(() => {
        if (this.#isOver) return
        this.#released()
        this.#fail('reset')
      })
      return true
    }
    this.#stream = stream
    const isWhole = watchEnd(stream)
    stream.on('headers', (inform: IncomingHttpHeaders & { ':status'?: number | undefined }) => {
      if (!this.#isOver)
        this.#owner.onInform(
          new ResponseHead(inform[':status'] ?? 103, 0, undefined, fieldsFromHttp2(inform)),
        )
    })
    stream.on(
      'response',
      (response: IncomingHttpHeaders & { ':status'?: number | undefined }, flags: number) => {
        this.#onResponse(response, (flags & constants.NGHTTP2_FLAG_END_STREAM) !== 0)
        // Not before: over a stream of JavaScript's, such as HBONE's, node hands out the body ahead of this event.
        stream.on('data', (bytes: Buffer) => {
          this.#context.receivedBytes.value += bytes.length
          if (!this.#isOver) this.#owner.onResponseBody(bytes, 'owned')
        })
      },
    )
    stream.on('trailers', (trailers: IncomingHttpHeaders) => {
      this.#trailers = trailersFromHttp2(trailers)
    })
    stream.on('end', () => {
      if (this.#isOver || this.#status === 0 || !isWhole()) return
      this.#ended = true
      this.#isOver = true
      this.#owner.onResponseEnd(this.#trailers)
    })
    stream.on('drain', () => {
      if (!this.#isOver) this.#owner.onUpstreamDrain()
    })
    stream.on('wantTrailers', () => {
      stream.sendTrailers(this.#sentTrailers === undefined ? {} : fieldsToHttp2(this.#sentTrailers, {}))
    })
    stream.on('error', () => {})
    stream.on('close', () => {
      this.#released()
      // RFC 9113 §8.7: the peer has done nothing with a stream that it refused.
      if (stream.rstCode === constants.NGHTTP2_REFUSED_STREAM) this.isReused = true
      this.#fail('reset')
    })
    if (body === undefined) return true
    const ok = this.body(body, lease)
    if (ended) stream.end()
    return ok
  }

  body(bytes: Buffer, lease: Lease): boolean {
    const stream = this.#stream
    if (stream === undefined || stream.destroyed || stream.writableEnded) return true
    this.#context.sentBytes.value += bytes.length
    return stream.write(lease === 'owned' ? bytes : Buffer.from(bytes))
  }

  finish(trailers: Fields | undefined): void {
    this.#sentTrailers = trailers
    this.#stream?.end()
  }

  cut(): void {
    this.#isOver = true
    if (this.#stream === undefined) this.#released()
    else if (!this.#stream.closed) this.#stream.close(constants.NGHTTP2_CANCEL)
  }

  pause(): void {
    this.#stream?.pause()
  }

  resume(): void {
    this.#stream?.resume()
  }

  #onResponse(headers: IncomingHttpHeaders & { ':status'?: number | undefined }, isWhole: boolean): void {
    if (this.#isOver) return
    const status = headers[':status'] ?? 0
    if (status < 200 || status > 599) {
      this.#stream?.close(constants.NGHTTP2_PROTOCOL_ERROR)
      this.#fail('protocol')
      return
    }
    this.#status = status
    const length = headers['content-length']
    const isBodyless = isWhole || this.#isHead || status === 204 || status === 304
    const contentLength = isBodyless
      ? 0
      : length !== undefined && /^\d{1,15}$/.test(length)
        ? Number(length)
        : -1
    const head = new ResponseHead(status, contentLength, undefined, fieldsFromHttp2(headers))
    if (isBodyless && length !== undefined) head.statedLength = length
    // With END_STREAM on the headers there is nothing more; else the end, and trailers, follow.
    if (isWhole) this.#isOver = true
    this.#owner.onResponse(head, nothing, -1, 0, 0, 'owned', isWhole)
  }

  #fail(kind: 'reset' | 'protocol'): void {
    if (this.#isOver || this.#ended) return
    this.#isOver = true
    this.#owner.onFailure(kind)
  }
}

/**
 * Tells whether the peer ended the stream. node:http2 emits `end` for a stream that was reset as well, with nothing that
 * sets the two apart, and a cut answer must not pass for a whole one; but at the peer's end the stream is not closed yet.
 */
function watchEnd(stream: ClientHttp2Stream): () => boolean {
  let isWhole = false
  const push = stream.push.bind(stream)
  stream.push = (chunk: unknown, encoding?: BufferEncoding) => {
    if (chunk === null && !stream.closed) isWhole = true
    return push(chunk, encoding)
  }
  return () => isWhole
}

const nothing = Buffer.alloc(0)
