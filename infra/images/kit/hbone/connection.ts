/**
 * HTTP/2 for HBONE: one TLS connection, CONNECT streams and nothing else.
 *
 * `node:http2` gives each stream a `stream.Duplex` and crosses into C++ for each frame. This engine frames in place,
 * gathers everything that one turn of the event loop produces into one TLS write, and refuses what a tunnel never needs.
 */
import type { TLSSocket } from 'node:tls'
import {
  ConnectionError,
  FrameReader,
  clientPreface,
  defaultMaxFrame,
  defaultWindow,
  errorCode,
  flag,
  frameType,
  maxWindow,
  setting,
} from '../h2/frames.js'
import { checkFrame } from '../h2/rules.js'
import { FrameSender } from '../h2/sender.js'
import { readSettings } from '../h2/settings.js'
import { StreamTable } from '../h2/streams.js'
import { type HeaderBlock, HeaderGatherer } from '../h2/header-gatherer.js'
import { type HeaderField, HeaderLimitError, HpackError } from '../h2/hpack.js'
import { PeerBudget } from '../h2/peer-budget.js'
import { type StreamHost, HboneStream, StreamResetError } from './stream.js'
import { readConnect, readStatus } from './headers.js'

export interface ConnectionLimits {
  /** Streams that the peer may have open (server). */
  readonly streamsPerConnection: number
  readonly headerBytes: number
  readonly headerCount: number
  readonly continuationFrames: number
  readonly resetsPerSecond: number
  readonly controlFramesPerSecond: number
  readonly streamWindowBytes: number
}

export interface ConnectionEvents {
  /** Server: a CONNECT request. Answer with `respond`. */
  onConnect?(stream: HboneStream, authority: string, headers: Readonly<Record<string, string>>): void
  /** The peer takes no more streams on this connection. */
  onGoaway?(): void
  /** A stream is over, so there is room for another. */
  onStreamClose?(): void
  /** The connection is gone. Comes once, after its streams failed. */
  onClose?(error?: Error): void
}

/** Credited as bytes arrive, so that one slow stream cannot hold up the others; streams bound the memory. */
const connectionWindow = 16 << 20
export class HboneConnection implements StreamHost {
  readonly socket: TLSSocket
  /** Streams that the peer lets us have open (client). */
  peerMaxStreams = 100
  readonly openedAt = Date.now()
  /** Since when there has been no stream. */
  idleSince = Date.now()

  readonly #server: boolean
  readonly #limits: ConnectionLimits
  readonly #events: ConnectionEvents
  readonly #reader: FrameReader
  readonly #sender: FrameSender
  readonly #gatherer: HeaderGatherer
  readonly #budget: PeerBudget
  readonly #streams: StreamTable
  #prefaceLeft: Buffer | undefined
  #settled = false
  #sendWindow = defaultWindow
  #uncredited = 0
  #peerInitialWindow = defaultWindow
  #goawaySent = false
  /** Server: the final GOAWAY is out, so later streams are refused. */
  #lastNamed = false
  #goawayReceived = false
  #drained: (() => void) | undefined
  #closed = false

  constructor(
    socket: TLSSocket,
    role: 'client' | 'server',
    limits: ConnectionLimits,
    events: ConnectionEvents,
  ) {
    this.socket = socket
    this.#server = role === 'server'
    this.#limits = limits
    this.#events = events
    this.#gatherer = new HeaderGatherer(limits)
    this.#budget = new PeerBudget(limits)
    this.#reader = new FrameReader({
      onFrameHeader: (type, flags, streamId, length) => {
        this.#onFrameHeader(type, flags, streamId, length)
      },
      onData: (streamId, piece, last, endStream, padding) => {
        this.#onData(streamId, piece, last, endStream, padding)
      },
      onFrame: (type, flags, streamId, payload) => {
        this.#onFrame(type, flags, streamId, payload)
      },
    })
    this.#streams = new StreamTable(this.#server)
    this.#sender = new FrameSender(socket)
    if (this.#server) this.#prefaceLeft = clientPreface
    else this.#sender.raw(clientPreface)
    this.#sender.settings([
      [setting.initialWindowSize, limits.streamWindowBytes],
      [setting.maxHeaderListSize, limits.headerBytes],
      this.#server ? [setting.maxConcurrentStreams, limits.streamsPerConnection] : [setting.enablePush, 0],
    ])
    this.#sender.windowUpdate(0, connectionWindow - defaultWindow)
    socket.on('data', (chunk: Buffer) => {
      this.#onBytes(chunk)
    })
    socket.on('drain', () => {
      if (this.#sender.drained()) this.#streams.pumpAll()
    })
    socket.on('end', () => {
      this.close(new StreamResetError('the peer closed the connection'))
    })
    socket.on('error', (error: Error) => {
      this.close(error)
    })
    socket.on('close', () => {
      this.close(new StreamResetError('the connection is gone'))
    })
  }

  get streamCount(): number {
    return this.#streams.size
  }

  /** False once either side said GOAWAY or the stream ids run out. */
  get usable(): boolean {
    return !this.#closed && !this.#goawaySent && !this.#goawayReceived && this.#streams.hasIds
  }

  /** Client: opens a stream. `onResponse` gets the status; a failure comes as the stream's `error` and `close`. */
  request(fields: readonly HeaderField[], onResponse: (status: number) => void): HboneStream {
    const stream = this.#createStream(this.#streams.takeId())
    stream.onResponse = onResponse
    this.#sender.headers(stream.id, fields, false)
    return stream
  }

  /** Server: answers a CONNECT request; anything but 200 ends the stream. */
  respond(stream: HboneStream, status: number): void {
    if (stream.destroyed) return
    if (status === 200) {
      this.#sender.headers(stream.id, [[':status', '200']], false)
      return
    }
    try {
      this.#sender.refusal(stream.id, status)
    } catch (error) {
      // Not only frames of the peer bring us here: an upstream that cannot be reached does, too.
      this.#fail(error)
      return
    }
    stream.localEnded = true
    // RFC 9113 §8.1: a server that needs nothing more of the request says so with NO_ERROR.
    if (!stream.remoteEnded) this.sendReset(stream, errorCode.noError)
    stream.remoteEnded = true
    this.forget(stream)
    stream.destroy()
  }

  /** Takes no more streams; calls back when the open ones are done, and closes then. */
  drain(onDrained?: () => void): void {
    this.#drained = onDrained
    if (this.#closed) {
      onDrained?.()
      return
    }
    if (!this.#goawaySent) {
      this.#goawaySent = true
      // RFC 9113 §6.8: the first GOAWAY names the largest id, so that streams on their way are not lost.
      this.#sender.goaway(this.#server ? maxWindow : 0, errorCode.noError)
      if (this.#server) this.#sender.ping(Buffer.from('draining'))
    }
    this.#closeWhenDrained()
  }

  /** True for a peer that keeps us waiting for its preface or the rest of a header block. */
  isOverdue(now: number, timeoutMs: number): boolean {
    if (!this.#settled) return now - this.openedAt > timeoutMs
    const { since } = this.#gatherer
    return since !== undefined && now - since > timeoutMs
  }

  /** Fails all streams and drops the connection. */
  close(error?: Error): void {
    if (this.#closed) return
    this.#closed = true
    const reason = error ?? new StreamResetError('the connection was closed')
    for (const stream of this.#streams.all()) stream.fail(reason)
    this.#streams.stopWaiting()
    this.#sender.flush()
    // What is queued still goes out with the close; a peer that does not read is cut after a second.
    if (!this.socket.destroyed) {
      this.socket.end()
      setTimeout(() => this.socket.destroy(), 1000).unref()
    }
    this.#drained?.()
    this.#events.onClose?.(error)
  }

  // ------------------------------------------------------------ StreamHost

  get blocked(): boolean {
    return this.#sender.blocked
  }

  sendData(stream: HboneStream, bytes: Uint8Array): number {
    const allowed = Math.max(0, Math.min(bytes.length, stream.sendWindow, this.#sendWindow))
    this.#sender.data(stream.id, bytes, allowed)
    stream.sendWindow -= allowed
    this.#sendWindow -= allowed
    return allowed
  }

  sendEnd(stream: HboneStream): void {
    this.#sender.endStream(stream.id)
  }

  sendReset(stream: HboneStream, code: number): void {
    if (this.#closed) return
    this.#resetStream(stream.id, code)
  }

  wait(stream: HboneStream): void {
    this.#streams.wait(stream)
  }

  credit(stream: HboneStream, bytes: number): void {
    stream.uncredited += bytes
    if (stream.remoteEnded || stream.uncredited < this.#limits.streamWindowBytes / 2) return
    this.#sender.windowUpdate(stream.id, stream.uncredited)
    stream.receiveWindow += stream.uncredited
    stream.uncredited = 0
  }

  forget(stream: HboneStream): void {
    if (!this.#streams.delete(stream) || this.#closed) return
    if (this.#streams.size === 0) this.idleSince = Date.now()
    this.#events.onStreamClose?.()
    this.#closeWhenDrained()
  }

  // ------------------------------------------------------------ reading

  #onBytes(chunk: Buffer): void {
    if (this.#closed) return
    try {
      const rest = this.#prefaceLeft ? this.#readPreface(chunk) : chunk
      if (rest.length > 0) this.#reader.read(rest)
    } catch (error) {
      this.#fail(error)
    }
  }

  #readPreface(chunk: Buffer): Buffer {
    const left = this.#prefaceLeft as Buffer
    const length = Math.min(left.length, chunk.length)
    if (left.compare(chunk, 0, length, 0, length) !== 0)
      throw new ConnectionError(errorCode.protocol, 'no HTTP/2 preface')
    this.#prefaceLeft = length < left.length ? left.subarray(length) : undefined
    return chunk.subarray(length)
  }

  #fail(error: unknown): void {
    const code =
      error instanceof ConnectionError
        ? error.code
        : error instanceof HpackError
          ? errorCode.compression
          : error instanceof HeaderLimitError
            ? errorCode.enhanceYourCalm
            : errorCode.internal
    this.#goawaySent = true
    this.#sender.goaway(this.#streams.lastPeer, code)
    this.close(error instanceof Error ? error : new Error(String(error)))
  }

  #onFrameHeader(type: number, flags: number, streamId: number, length: number): void {
    if (length > defaultMaxFrame) throw new ConnectionError(errorCode.frameSize, `a frame of ${length} bytes`)
    if (!this.#settled && (type !== frameType.settings || flags & flag.ack)) {
      throw new ConnectionError(errorCode.protocol, 'the first frame is not SETTINGS')
    }
    const gathering = this.#gatherer.streamId
    if (gathering !== undefined && (type !== frameType.continuation || streamId !== gathering)) {
      throw new ConnectionError(errorCode.protocol, 'a header block was interrupted')
    }
    checkFrame(type, flags, streamId, length)
    if (type !== frameType.data) return
    if (length === 0 && !(flags & flag.endStream)) this.#budget.control()
    const stream = this.#streams.get(streamId)
    if (!stream) this.#streams.checkNotIdle(streamId, 'DATA')
    this.#uncredited += length
    if (this.#uncredited >= connectionWindow / 2) {
      this.#sender.windowUpdate(0, this.#uncredited)
      this.#uncredited = 0
    }
    if (!stream) {
      // RFC 9113 §5.1: after our RST_STREAM the peer may not know yet; otherwise the stream is closed.
      if (!this.#streams.wasReset(streamId)) this.#faultStream(streamId, errorCode.streamClosed)
      return
    }
    if (stream.remoteEnded) this.#failStream(stream, errorCode.streamClosed, 'DATA after END_STREAM')
    stream.receiveWindow -= length
    if (stream.receiveWindow < 0) this.#failStream(stream, errorCode.flowControl, 'more DATA than its window')
  }

  #onData(streamId: number, piece: Buffer, last: boolean, endStream: boolean, padding: number): void {
    const stream = this.#streams.get(streamId)
    if (!stream || stream.remoteEnded) return
    if (padding > 0) this.credit(stream, padding)
    if (piece.length > 0) stream.receive(piece)
    if (last && endStream) stream.receiveEnd()
  }

  #onFrame(type: number, flags: number, streamId: number, payload: Buffer): void {
    switch (type) {
      case frameType.headers:
        this.#onHeaders(flags, streamId, payload)
        break
      case frameType.continuation:
        this.#onHeaderBlock(this.#gatherer.continuation(flags, payload))
        break
      case frameType.rstStream:
        this.#onReset(streamId, payload)
        break
      case frameType.settings:
        this.#onSettings(flags, payload)
        break
      case frameType.ping:
        this.#onPing(flags, payload)
        break
      case frameType.goaway:
        this.#onGoaway(payload)
        break
      case frameType.windowUpdate:
        this.#onWindowUpdate(streamId, payload)
        break
      default:
        // PRIORITY, and frames of unknown types.
        this.#budget.control()
    }
  }

  #onHeaders(flags: number, streamId: number, payload: Buffer): void {
    if (this.#server && streamId % 2 === 0) throw new ConnectionError(errorCode.protocol, 'an even stream id')
    this.#onHeaderBlock(this.#gatherer.headers(flags, streamId, payload))
  }

  #onHeaderBlock(block: HeaderBlock | undefined): void {
    // What is left of a read after the connection was given up opens no stream.
    if (!block || this.#closed) return
    const { streamId, endStream, fields } = block
    const known = this.#streams.get(streamId)
    if (known) {
      if (known.onResponse) this.#onResponse(known, fields, endStream)
      // RFC 9113 §8.5: a connected stream carries DATA only.
      else this.#failStream(known, errorCode.protocol, 'HEADERS on a connected stream')
      return
    }
    if (!this.#server || streamId <= this.#streams.lastPeer) {
      this.#streams.checkNotIdle(streamId, 'HEADERS')
      if (this.#streams.wasReset(streamId)) return
      throw new ConnectionError(errorCode.streamClosed, 'HEADERS on a closed stream')
    }
    this.#streams.lastPeer = streamId
    this.#onRequest(streamId, fields, endStream)
  }

  #onRequest(streamId: number, fields: readonly HeaderField[], endStream: boolean): void {
    if (this.#lastNamed || this.#streams.size >= this.#limits.streamsPerConnection) {
      this.#faultStream(streamId, errorCode.refusedStream)
      return
    }
    const request = readConnect(fields)
    if (!request) {
      this.#faultStream(streamId, errorCode.protocol)
      return
    }
    const stream = this.#createStream(streamId)
    stream.remoteEnded = endStream
    if (request.connect) this.#events.onConnect?.(stream, request.authority, request.headers)
    else this.respond(stream, 405)
  }

  #onResponse(stream: HboneStream, fields: readonly HeaderField[], endStream: boolean): void {
    const status = readStatus(fields)
    if (status === undefined) {
      this.#failStream(stream, errorCode.protocol, 'a malformed answer')
      return
    }
    // Informational answers come before the answer.
    if (status < 200) {
      this.#budget.control()
      return
    }
    const answer = stream.onResponse
    stream.onResponse = undefined
    answer?.(status)
    if (endStream) stream.receiveEnd()
  }

  #onReset(streamId: number, payload: Buffer): void {
    this.#streams.checkNotIdle(streamId, 'RST_STREAM')
    this.#budget.reset()
    const code = payload.readUInt32BE(0)
    this.#streams.get(streamId)?.fail(new StreamResetError(`the peer reset the stream (code ${code})`, code))
  }

  #onSettings(flags: number, payload: Buffer): void {
    this.#budget.control()
    if (flags & flag.ack) return
    const settings = readSettings(payload, !this.#server)
    this.#settled = true
    for (const [id, value] of settings) this.#applySetting(id, value)
    this.#sender.settingsAck()
    this.#streams.pumpAll()
  }

  #applySetting(id: number, value: number): void {
    if (id === setting.initialWindowSize) {
      this.#streams.moveWindows(value - this.#peerInitialWindow)
      this.#peerInitialWindow = value
    } else if (id === setting.maxFrameSize) {
      this.#sender.maxFrame = value
    } else if (id === setting.maxConcurrentStreams) {
      this.peerMaxStreams = value
    }
  }

  #onPing(flags: number, payload: Buffer): void {
    this.#budget.control()
    if (!(flags & flag.ack)) this.#sender.pingAck(payload)
    // The answer to our PING: whatever the peer sent before it saw the first GOAWAY has arrived.
    else if (this.#goawaySent && this.#server && !this.#lastNamed) {
      this.#lastNamed = true
      this.#sender.goaway(this.#streams.lastPeer, errorCode.noError)
    }
  }

  #onGoaway(payload: Buffer): void {
    this.#budget.control()
    const last = payload.readUInt32BE(0) & maxWindow
    const code = payload.readUInt32BE(4)
    this.#goawayReceived = true
    this.#events.onGoaway?.()
    if (this.#server) return
    for (const stream of this.#streams.all()) {
      if (stream.id > last)
        stream.fail(new StreamResetError(`GOAWAY (code ${code})`, errorCode.refusedStream))
    }
    this.#closeWhenDrained()
  }

  #onWindowUpdate(streamId: number, payload: Buffer): void {
    const increment = payload.readUInt32BE(0) & maxWindow
    if (streamId === 0) {
      if (increment === 0) throw new ConnectionError(errorCode.protocol, 'a window update of 0')
      this.#sendWindow += increment
      if (this.#sendWindow > maxWindow)
        throw new ConnectionError(errorCode.flowControl, 'a window above 2^31-1')
      this.#streams.pumpAll()
      return
    }
    this.#streams.checkNotIdle(streamId, 'WINDOW_UPDATE')
    const stream = this.#streams.get(streamId)
    if (!stream) return
    stream.sendWindow += increment
    if (increment === 0) this.#failStream(stream, errorCode.protocol, 'a window update of 0')
    else if (stream.sendWindow > maxWindow)
      this.#failStream(stream, errorCode.flowControl, 'a window above 2^31-1')
    else this.#streams.pump(stream)
  }

  #failStream(stream: HboneStream, code: number, message: string): void {
    this.#faultStream(stream.id, code)
    stream.fail(new StreamResetError(message, code))
  }

  /** Resets a stream by the peer's fault. That too is counted: it costs us as much as a reset of the peer's own. */
  #faultStream(streamId: number, code: number): void {
    this.#budget.reset()
    this.#resetStream(streamId, code)
  }

  #resetStream(streamId: number, code: number): void {
    this.#streams.rememberReset(streamId)
    this.#sender.reset(streamId, code)
  }

  #createStream(id: number): HboneStream {
    const stream = new HboneStream(this, id, this.#peerInitialWindow, this.#limits.streamWindowBytes)
    this.#streams.add(stream)
    return stream
  }

  #closeWhenDrained(): void {
    if ((this.#goawaySent || this.#goawayReceived) && this.#streams.size === 0) this.close()
  }
}
