/**
 * One HTTP/2 connection, of a client or of a server, over TCP, TLS or a stream of HBONE.
 *
 * `node:http2` gives each stream a `stream.Duplex` and crosses into C++ for each frame. This engine frames in place,
 * calls whoever uses a stream directly, and gathers everything that one turn of the event loop produces into one write.
 */
import type { ByteStream } from '../net/byte-stream.js'
import {
  ConnectionError,
  type FrameHandler,
  FrameReader,
  clientPreface,
  defaultMaxFrame,
  defaultWindow,
  errorCode,
  flag,
  frameType,
  maxWindow,
  readU31,
  setting,
} from './frames.js'
import { ConnectionWindow } from './connection-window.js'
import { Goodbye } from './goodbye.js'
import { HeaderGatherer } from './header-gatherer.js'
import { type HeaderList, HpackError } from './hpack.js'
import { PeerBudget } from './peer-budget.js'
import { checkFrame, faultOfData, faultOfList, isInformational } from './rules.js'
import { FrameSender } from './sender.js'
import { readSettings } from './settings.js'
import { H2Stream, type StreamHandler, type StreamHost, StreamResetError } from './stream.js'
import { StreamTable } from './streams.js'

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
  /** Server: a request. Gives the stream its handler. */
  onRequest?(stream: H2Stream, list: HeaderList, ended: boolean): void
  /** The peer told how many streams it takes, or takes no more of them. */
  onPeerChange?(): void
  /** A stream is over, so there is room for another. */
  onStreamClose?(): void
  /** The connection is gone. Comes once, after its streams failed. */
  onClose?(error?: Error): void
}

/** What is queued still goes out with a close; a peer that does not read is cut after this. */
const lingerMs = 1000

/** For a stream that its owner did not take. */
const nobody: StreamHandler = {
  onHead() {},
  onData() {},
  onEnd() {},
  onDrain() {},
  onReset() {},
  onOver() {},
}

export class H2Connection implements StreamHost, FrameHandler {
  readonly stream: ByteStream
  /** Streams that the peer lets us have open (client). */
  peerMaxStreams = 100
  readonly openedAt = Date.now()
  /** Since when there has been no stream, ms since 1970. */
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
  readonly #window: ConnectionWindow
  readonly #goodbye: Goodbye
  #peerInitialWindow = defaultWindow
  #closed = false
  /** Nothing is read until the peer has read its answers. */
  #isHeld = false

  /** Bytes come through `read`. */
  constructor(
    stream: ByteStream,
    role: 'client' | 'server',
    limits: ConnectionLimits,
    events: ConnectionEvents,
  ) {
    this.stream = stream
    this.#server = role === 'server'
    this.#limits = limits
    this.#events = events
    this.#gatherer = new HeaderGatherer(limits)
    this.#budget = new PeerBudget(limits)
    this.#reader = new FrameReader(this)
    this.#streams = new StreamTable(this.#server)
    const onRoom = (): void => {
      if (!this.#sender.hasRoom) return
      this.#readOn()
      if (this.#sender.drained()) this.#streams.pumpAll()
    }
    this.#sender = new FrameSender(stream, onRoom)
    if (this.#server) this.#prefaceLeft = clientPreface
    else this.#sender.raw(clientPreface)
    this.#sender.settings([
      [setting.initialWindowSize, limits.streamWindowBytes],
      [setting.maxHeaderListSize, limits.headerBytes],
      this.#server ? [setting.maxConcurrentStreams, limits.streamsPerConnection] : [setting.enablePush, 0],
    ])
    this.#window = new ConnectionWindow(this.#sender)
    this.#goodbye = new Goodbye(this.#server, this.#sender, this.#streams)
    stream.on('drain', onRoom)
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

  get isClosed(): boolean {
    return this.#closed
  }

  /** False once either side said GOAWAY or the stream ids run out. */
  get usable(): boolean {
    return !this.#closed && !this.#goodbye.isSaid && this.#streams.hasIds
  }

  /** The peer takes no streams at all, and there is none: nothing is lost by closing it. */
  get isUseless(): boolean {
    return this.peerMaxStreams === 0 && this.#streams.size === 0
  }

  /** Takes bytes of the peer. The memory may be used again when this returns. */
  read(chunk: Buffer): void {
    if (this.#closed) return
    try {
      const rest = this.#prefaceLeft ? this.#readPreface(chunk) : chunk
      if (rest.length > 0) this.#reader.read(rest)
    } catch (error) {
      this.#fail(error)
    }
  }

  /** Client: opens a stream with a head, `block[0, length)`. A failure comes as `onReset`. */
  request(block: Buffer, length: number, ended: boolean, handler: StreamHandler): H2Stream {
    const stream = this.#createStream(this.#streams.takeId(), handler)
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
      this.#sender.countRefusal()
    } catch (error) {
      // Not only frames of the peer bring us here: an upstream that cannot be reached does, too.
      this.#fail(error)
      return
    }
    stream.head(block, length, true)
    if (!stream.remoteEnded) stream.reset(errorCode.noError)
  }

  /** Takes no more streams, and closes when the open ones are done. */
  drain(): void {
    if (this.#closed) return
    this.#goodbye.say()
    this.#closeWhenDrained()
  }

  /** True for a peer that keeps us waiting for its preface, or for the rest of a frame or of a header block. */
  isOverdue(now: number, timeoutMs: number): boolean {
    if (!this.#settled) return now - this.openedAt > timeoutMs
    const since = this.#gatherer.since ?? this.#reader.partialSince
    return since !== undefined && now - since > timeoutMs
  }

  /** Fails all streams and drops the connection. */
  close(error?: Error): void {
    if (this.#closed) return
    this.#closed = true
    const reason =
      error instanceof StreamResetError
        ? error
        : new StreamResetError(error?.message ?? 'the connection was closed')
    for (const stream of this.#streams.all()) stream.fail(reason)
    this.#streams.stopWaiting()
    this.#sender.finish()
    const { stream } = this
    if (!stream.destroyed) {
      stream.end()
      // What the peer still sends is read and dropped, so that a reset does not overtake what we said last.
      stream.resume()
      setTimeout(() => stream.destroy(), lingerMs).unref()
    }
    this.#events.onClose?.(error)
  }

  // ------------------------------------------------------------ StreamHost

  get blocked(): boolean {
    return this.#sender.blocked
  }

  sendData(stream: H2Stream, bytes: Uint8Array): number {
    const allowed = Math.max(0, Math.min(bytes.length, stream.sendWindow, this.#window.send))
    if (allowed > 0) this.#budget.sent()
    this.#sender.data(stream.id, bytes, allowed)
    stream.sendWindow -= allowed
    this.#window.send -= allowed
    return allowed
  }

  sendHeaders(stream: H2Stream, block: Buffer, length: number, ended: boolean): void {
    if (this.#closed) return
    this.#sender.headers(stream.id, block, length, ended)
    // A client reads its answers whatever it sends, or it gets no more of them. (A client of ours always reads.)
    if (this.#server && !this.#isHeld && this.#sender.hasManyHeads) {
      this.#isHeld = true
      this.stream.pause()
    }
  }

  #readOn(): void {
    if (!this.#isHeld) return
    this.#isHeld = false
    this.stream.resume()
  }

  sendEnd(stream: H2Stream): void {
    this.#sender.endStream(stream.id)
  }

  sendReset(stream: H2Stream, code: number): void {
    if (!this.#closed) this.#resetStream(stream.id, code)
  }

  wait(stream: H2Stream): void {
    this.#streams.wait(stream)
  }

  credit(stream: H2Stream, bytes: number): void {
    stream.uncredited += bytes
    if (stream.remoteEnded || stream.uncredited < this.#limits.streamWindowBytes / 2) return
    this.#sender.windowUpdate(stream.id, stream.uncredited)
    stream.receiveWindow += stream.uncredited
    stream.uncredited = 0
  }

  forget(stream: H2Stream): void {
    if (!this.#streams.delete(stream) || this.#closed) return
    if (this.#streams.size === 0) this.idleSince = Date.now()
    this.#events.onStreamClose?.()
    this.#closeWhenDrained()
  }

  // ------------------------------------------------------------ FrameHandler

  onFrameHeader(type: number, flags: number, streamId: number, length: number): void {
    if (length > defaultMaxFrame) throw new ConnectionError(errorCode.frameSize, `a frame of ${length} bytes`)
    if (!this.#settled && (type !== frameType.settings || flags & flag.ack)) {
      throw new ConnectionError(errorCode.protocol, 'the first frame is not SETTINGS')
    }
    const gathering = this.#gatherer.streamId
    if (gathering !== undefined && (type !== frameType.continuation || streamId !== gathering)) {
      throw new ConnectionError(errorCode.protocol, 'a header block was interrupted')
    }
    checkFrame(type, flags, streamId, length)
    if (type === frameType.data) this.#onDataHeader(flags, streamId, length)
  }

  onData(streamId: number, piece: Buffer, last: boolean, endStream: boolean, padding: number): void {
    const stream = this.#streams.get(streamId)
    if (!stream || stream.remoteEnded) return
    if (padding > 0) this.credit(stream, padding)
    if (stream.contentLeft >= 0 && !this.#countContent(stream, piece.length, last && endStream)) return
    if (piece.length > 0) stream.receive(piece)
    if (last && endStream) stream.receiveEnd(undefined)
  }

  onFrame(type: number, flags: number, streamId: number, bytes: Buffer, from: number, to: number): void {
    switch (type) {
      case frameType.headers:
        if (this.#server && streamId % 2 === 0)
          throw new ConnectionError(errorCode.protocol, 'an even stream id')
        this.#onList(streamId, this.#gatherer.headers(flags, streamId, bytes, from, to))
        break
      case frameType.continuation:
        this.#onList(streamId, this.#gatherer.continuation(flags, bytes, from, to))
        break
      case frameType.priority:
        // RFC 9113 §5.3.1 leaves the rest of it aside.
        this.#budget.control()
        if (readU31(bytes, from) === streamId)
          throw new ConnectionError(errorCode.protocol, 'a stream depends on itself')
        break
      case frameType.rstStream:
        this.#onReset(streamId, bytes.readUInt32BE(from))
        break
      case frameType.settings:
        this.#onSettings(flags, bytes.subarray(from, to))
        break
      case frameType.ping:
        this.#onPing(flags, bytes, from)
        break
      case frameType.goaway:
        this.#onGoaway(readU31(bytes, from), bytes.readUInt32BE(from + 4))
        break
      case frameType.windowUpdate:
        this.#onWindowUpdate(streamId, readU31(bytes, from))
        break
      default:
        // Frames of unknown types.
        this.#budget.control()
    }
  }

  // ------------------------------------------------------------ reading

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
          : errorCode.internal
    this.#goodbye.fail(code)
    this.close(error instanceof Error ? error : new Error(String(error)))
  }

  #onDataHeader(flags: number, streamId: number, length: number): void {
    if (length === 0 && !(flags & flag.endStream)) this.#budget.control()
    const stream = this.#streams.get(streamId)
    if (!stream) this.#streams.checkNotIdle(streamId, 'DATA')
    this.#window.received(length)
    if (!stream) {
      // RFC 9113 §5.1: after our RST_STREAM the peer may not know yet; otherwise the stream is closed.
      if (this.#streams.resetBy(streamId) !== 'us') this.#faultStream(streamId, errorCode.streamClosed)
      return
    }
    stream.receiveWindow -= length
    const fault = faultOfData(stream)
    if (fault !== undefined) this.#failStream(stream, fault.code, fault.message)
  }

  /** RFC 9113 §8.1.1: the content is as long as the head said. False: the stream was cut. */
  #countContent(stream: H2Stream, bytes: number, ended: boolean): boolean {
    stream.contentLeft -= bytes
    if (stream.contentLeft >= 0 && !(ended && stream.contentLeft > 0)) return true
    this.#failStream(stream, errorCode.protocol, 'content of another length than announced')
    return false
  }

  #onList(streamId: number, list: HeaderList | undefined): void {
    // What is left of a read after the connection was given up opens no stream.
    if (!list || this.#closed) return
    const ended = this.#gatherer.endStream
    const known = this.#streams.get(streamId)
    if (known) {
      this.#onNextList(known, list, ended)
      return
    }
    if (!this.#server || streamId <= this.#streams.lastPeer) {
      this.#onLateList(streamId)
      return
    }
    this.#streams.openPeers(streamId)
    if (this.#goodbye.isFinal || this.#streams.size >= this.#limits.streamsPerConnection) {
      this.#faultStream(streamId, errorCode.refusedStream)
      return
    }
    const stream = this.#createStream(streamId, nobody)
    stream.remoteEnded = ended
    this.#events.onRequest?.(stream, list, ended)
    if (ended) stream.receiveEnd(undefined)
  }

  /** The head of an answer, or trailers. */
  #onNextList(stream: H2Stream, list: HeaderList, ended: boolean): void {
    const isHead = stream.awaitsHead && !stream.remoteEnded
    const isInterim = isHead && isInformational(list)
    // Informational answers cost us work and move nothing.
    if (isInterim) this.#budget.control()
    const fault = faultOfList(stream, list, ended)
    if (fault !== undefined) {
      this.#failStream(stream, fault.code, fault.message)
    } else if (isHead) {
      stream.awaitsHead = isInterim
      stream.receiveHead(list, ended)
    } else {
      stream.receiveEnd(list)
    }
  }

  #onLateList(streamId: number): void {
    this.#streams.checkNotIdle(streamId, 'HEADERS')
    switch (this.#streams.resetBy(streamId)) {
      case 'us':
        return
      case 'peer':
        this.#faultStream(streamId, errorCode.streamClosed)
        return
      case undefined:
        // RFC 9113 §5.1.1: an id that was left out is not only closed, it can never be used.
        throw new ConnectionError(
          this.#streams.hasNoGaps ? errorCode.streamClosed : errorCode.protocol,
          'HEADERS on a closed stream',
        )
    }
  }

  #onReset(streamId: number, code: number): void {
    this.#streams.checkNotIdle(streamId, 'RST_STREAM')
    this.#budget.reset()
    const stream = this.#streams.get(streamId)
    if (!stream) return
    this.#streams.rememberReset(streamId, 'peer')
    stream.fail(new StreamResetError(`the peer reset the stream (code ${code})`, code))
  }

  #onSettings(flags: number, payload: Buffer): void {
    this.#budget.control()
    if (flags & flag.ack) return
    const settings = readSettings(payload, !this.#server)
    this.#settled = true
    for (const [id, value] of settings) this.#applySetting(id, value)
    this.#sender.settingsAck()
    this.#streams.pumpAll()
    this.#events.onPeerChange?.()
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

  #onPing(flags: number, bytes: Buffer, from: number): void {
    this.#budget.control()
    if (flags & flag.ack) this.#goodbye.onPingAck()
    else this.#sender.pingAck(bytes, from)
  }

  #onGoaway(last: number, code: number): void {
    this.#budget.control()
    this.#goodbye.onReceived()
    this.#events.onPeerChange?.()
    if (this.#server) return
    for (const stream of this.#streams.all()) {
      if (stream.id > last)
        stream.fail(new StreamResetError(`GOAWAY (code ${code})`, errorCode.refusedStream))
    }
    this.#closeWhenDrained()
  }

  #onWindowUpdate(streamId: number, increment: number): void {
    this.#budget.windowUpdate()
    if (streamId === 0) {
      this.#window.raise(increment)
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

  /** Resets a stream by the peer's fault, and tells whoever uses it. */
  fault(stream: H2Stream, message: string): void {
    if (!stream.isClosed) this.#failStream(stream, errorCode.protocol, message)
  }

  #failStream(stream: H2Stream, code: number, message: string): void {
    this.#faultStream(stream.id, code)
    stream.fail(new StreamResetError(message, code))
  }

  /** Resets a stream by the peer's fault. That too is counted: it costs us as much as a reset of the peer's own. */
  #faultStream(streamId: number, code: number): void {
    this.#budget.reset()
    this.#resetStream(streamId, code)
  }

  #resetStream(streamId: number, code: number): void {
    this.#streams.rememberReset(streamId, 'us')
    this.#sender.reset(streamId, code)
  }

  #createStream(id: number, handler: StreamHandler): H2Stream {
    const stream = new H2Stream(this, handler, id, this.#peerInitialWindow, this.#limits.streamWindowBytes)
    this.#streams.add(stream)
    return stream
  }

  #closeWhenDrained(): void {
    if (this.#goodbye.isSaid && this.#streams.size === 0) this.close()
  }
}
