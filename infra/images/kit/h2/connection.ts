/**
 * One HTTP/2 connection, of a client or of a server, over TCP, TLS or a stream of HBONE.
 *
 * `node:http2` gives each stream a `stream.Duplex` and crosses into C++ for each frame. This engine frames in place,
 * calls whoever uses a stream directly, and gathers everything that one turn of the event loop produces into one write.
 */
import type { ByteStream } from '../net/byte-stream.js'
import { Goodbye } from './connection/goodbye.js'
import { Incoming, type IncomingEvents } from './connection/incoming.js'
import { Outgoing } from './connection/outgoing.js'
import { StreamTable } from './connection/streams.js'
import { ConnectionError, errorCode } from './frames.js'
import { HpackError } from './hpack.js'
import type { ConnectionLimits } from './settings.js'
import { type H2Stream, type StreamHandler, StreamResetError } from './stream.js'

export interface ConnectionEvents extends IncomingEvents {
  /** A stream is over, so there is room for another. */
  onStreamClose?(): void
  /** The connection is gone. Comes once, after its streams failed. */
  onClose?(error?: Error): void
}

/** What is queued still goes out with a close; a peer that does not read is cut after this. */
const lingerMs = 1000

export class H2Connection {
  readonly stream: ByteStream
  readonly #events: ConnectionEvents
  readonly #streams: StreamTable
  readonly #outgoing: Outgoing
  readonly #incoming: Incoming
  readonly #goodbye: Goodbye

  /** Bytes come through `read`. */
  constructor(
    stream: ByteStream,
    role: 'client' | 'server',
    limits: ConnectionLimits,
    events: ConnectionEvents,
  ) {
    this.stream = stream
    this.#events = events
    this.#streams = new StreamTable(role === 'server')
    this.#outgoing = new Outgoing(stream, limits, this.#streams, () => {
      events.onStreamClose?.()
      this.#goodbye.closeWhenDone()
    })
    this.#goodbye = new Goodbye(this.#outgoing.sender, this.#streams, () => {
      this.close()
    })
    this.#incoming = new Incoming(limits, this.#streams, this.#outgoing, this.#goodbye, events)
    // HTTP/2 knows no half-close: a peer that ends its side has gone.
    stream.on('end', () => {
      this.close(new StreamResetError('the peer closed the connection'))
    })
    stream.on('error', (error: Error) => {
      this.close(error)
    })
    stream.on('close', () => {
      this.close(new StreamResetError('the connection is gone'))
    })
  }

  get streamCount(): number {
    return this.#streams.size
  }

  get peerMaxStreams(): number {
    return this.#streams.peerMaxStreams
  }

  get idleSince(): number {
    return this.#streams.idleSince
  }

  get isClosed(): boolean {
    return this.#outgoing.isClosed
  }

  /** False once either side said GOAWAY or the stream ids run out. */
  get usable(): boolean {
    return !this.isClosed && !this.#goodbye.isSaid && this.#streams.hasIds
  }

  /** The peer takes no streams at all, and there is none: nothing is lost by closing it. */
  get isUseless(): boolean {
    return this.peerMaxStreams === 0 && this.streamCount === 0
  }

  /** Takes bytes of the peer. The memory may be used again when this returns. */
  read(chunk: Buffer): void {
    if (this.isClosed) return
    try {
      this.#incoming.read(chunk)
    } catch (error) {
      this.#fail(error)
    }
  }

  /** Client: opens a stream with a head, `block[0, length)`. A failure comes as `onReset`. */
  request(block: Buffer, length: number, ended: boolean, handler: StreamHandler): H2Stream {
    const stream = this.#outgoing.open(this.#streams.takeId(), handler)
    stream.awaitsHead = true
    stream.head(block, length, ended)
    return stream
  }

  /**
   * Server: answers with a head alone, and resets what is left of the request (RFC 9113 §8.1). For what the peer can
   * have for nothing: when it does not read, such answers end the connection.
   */
  refuse(stream: H2Stream, block: Buffer, length: number): void {
    if (stream.isClosed) return
    try {
      this.#outgoing.sender.countRefusal()
    } catch (error) {
      // Not only frames of the peer bring us here: an upstream that cannot be reached does, too.
      this.#fail(error)
      return
    }
    stream.head(block, length, true)
    if (!stream.remoteEnded) stream.reset(errorCode.noError)
  }

  /** Resets a stream by the peer's fault, and tells whoever uses it. */
  fault(stream: H2Stream, message: string): void {
    if (!stream.isClosed) this.#outgoing.failStream(stream, errorCode.protocol, message)
  }

  isOverdue(now: number, timeoutMs: number): boolean {
    return this.#incoming.isOverdue(now, timeoutMs)
  }

  /** Takes no more streams, and closes when the open ones are done. */
  drain(): void {
    if (this.isClosed) return
    this.#goodbye.say()
    this.#goodbye.closeWhenDone()
  }

  /** Fails all streams and drops the connection. */
  close(error?: Error): void {
    if (this.isClosed) return
    this.#outgoing.close(
      error instanceof StreamResetError
        ? error
        : new StreamResetError(error?.message ?? 'the connection was closed'),
    )
    const { stream } = this
    if (!stream.destroyed) {
      stream.end()
      // What the peer still sends is read and dropped, so that a reset does not overtake what we said last.
      stream.resume()
      setTimeout(() => stream.destroy(), lingerMs).unref()
    }
    this.#events.onClose?.(error)
  }

  #fail(error: unknown): void {
    const code =
      error instanceof ConnectionError
        ? error.code
        : error instanceof HpackError
          ? errorCode.compression
          : errorCode.internal
    this.#goodbye.fail(code)
    this.close(error instanceof Error ? error : new Error(String(error)))
  }
}
