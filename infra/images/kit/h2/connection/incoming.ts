/** What arrives on an HTTP/2 connection: frames are checked, spend the peer's budget, and go to the stream they are for. */
import {
  ConnectionError,
  type FrameHandler,
  FrameReader,
  clientPreface,
  defaultMaxFrame,
  errorCode,
  flag,
  frameType,
  maxWindow,
  readU31,
  setting,
} from '../frames.js'
import { HeaderGatherer } from '../header-gatherer.js'
import type { HeaderList } from '../hpack.js'
import type { FrameSender } from '../sender.js'
import { type ConnectionLimits, readSettings } from '../settings.js'
import { type H2Stream, type StreamHandler, StreamResetError, gatheredBytes } from '../stream.js'
import type { Goodbye } from './goodbye.js'
import type { Outgoing } from './outgoing.js'
import type { PeerBudget } from './peer-budget.js'
import { checkFrame, faultOfData, faultOfList, isInformational } from './rules.js'
import type { StreamTable } from './streams.js'
import type { ConnectionWindow } from './window.js'

export interface IncomingEvents {
  /** Server: a request. Gives the stream its handler. */
  onRequest?(stream: H2Stream, list: HeaderList, ended: boolean): void
  /** The peer told how many streams it takes, or takes no more of them. */
  onPeerChange?(): void
}

/** For a stream that its owner did not take. */
const nobody: StreamHandler = {
  onHead() {},
  onData() {},
  onEnd() {},
  onDrain() {},
  onReset() {},
  onOver() {},
}

export class Incoming implements FrameHandler {
  readonly #isServer: boolean
  readonly #limits: ConnectionLimits
  readonly #events: IncomingEvents
  readonly #streams: StreamTable
  readonly #outgoing: Outgoing
  readonly #goodbye: Goodbye
  readonly #sender: FrameSender
  readonly #window: ConnectionWindow
  readonly #budget: PeerBudget
  readonly #gatherer: HeaderGatherer
  readonly #reader: FrameReader
  readonly #openedAt = performance.now()
  #prefaceLeft: Buffer | undefined
  #settled = false
  /** The stream of the DATA frame that is being read, unless that is to be dropped. */
  #dataStream: H2Stream | undefined
  /** Of that frame, padding included. */
  #dataLength = 0
  /** Streams that hold content of the read that is being handled. */
  readonly #gathering: H2Stream[] = []

  constructor(
    limits: ConnectionLimits,
    streams: StreamTable,
    outgoing: Outgoing,
    goodbye: Goodbye,
    events: IncomingEvents,
  ) {
    this.#isServer = streams.isServer
    this.#limits = limits
    this.#events = events
    this.#streams = streams
    this.#outgoing = outgoing
    this.#goodbye = goodbye
    this.#sender = outgoing.sender
    this.#window = outgoing.window
    this.#budget = outgoing.budget
    this.#gatherer = new HeaderGatherer(limits)
    this.#reader = new FrameReader(this)
    if (this.#isServer) this.#prefaceLeft = clientPreface
  }

  /** Takes bytes of the peer. Throws `ConnectionError` or `HpackError`, with which the connection has to end. */
  read(chunk: Buffer): void {
    const rest = this.#prefaceLeft ? this.#readPreface(chunk, this.#prefaceLeft) : chunk
    if (rest.length === 0) return
    this.#reader.read(rest)
    if (this.#gathering.length > 0) this.#handOn()
  }

  /** True for a peer that keeps us waiting for its preface, or for the rest of a frame or of a header block. `now`: `performance.now()`. */
  isOverdue(now: number, timeoutMs: number): boolean {
    if (!this.#settled) return now - this.#openedAt > timeoutMs
    const since = this.#gatherer.unfinished?.since ?? this.#reader.partialSince
    return since !== undefined && now - since > timeoutMs
  }

  #readPreface(chunk: Buffer, left: Buffer): Buffer {
    const length = Math.min(left.length, chunk.length)
    if (left.compare(chunk, 0, length, 0, length) !== 0)
      throw new ConnectionError(errorCode.protocol, 'no HTTP/2 preface')
    this.#prefaceLeft = length < left.length ? left.subarray(length) : undefined
    return chunk.subarray(length)
  }

  // ------------------------------------------------------------ FrameHandler

  onFrameHeader(type: number, flags: number, streamId: number, length: number): void {
    if (length > defaultMaxFrame) throw new ConnectionError(errorCode.frameSize, `a frame of ${length} bytes`)
    if (!this.#settled && (type !== frameType.settings || flags & flag.ack)) {
      throw new ConnectionError(errorCode.protocol, 'the first frame is not SETTINGS')
    }
    const gathering = this.#gatherer.unfinished?.streamId
    if (gathering !== undefined && (type !== frameType.continuation || streamId !== gathering)) {
      throw new ConnectionError(errorCode.protocol, 'a header block was interrupted')
    }
    checkFrame(type, flags, streamId, length)
    if (type === frameType.data) this.#onDataHeader(flags, streamId, length)
  }

  onData(
    _streamId: number,
    bytes: Buffer,
    from: number,
    to: number,
    last: boolean,
    endStream: boolean,
    padding: number,
  ): void {
    // Padding alone moves nothing either.
    if (padding > 0 && padding === this.#dataLength && !endStream) this.#budget.control()
    const stream = this.#dataStream
    if (stream === undefined || stream.isClosed || stream.remoteEnded) return
    const length = to - from
    const ended = last && endStream
    if (padding > 0) this.#outgoing.credit(stream, padding)
    if (stream.contentLeft >= 0 && !this.#countContent(stream, length, ended)) return
    if (length > gatheredBytes || (ended && !stream.isGathering)) stream.receive(bytes, from, to)
    else if (length > 0 && stream.gather(bytes, from, to)) this.#gathering.push(stream)
    if (ended) stream.receiveEnd(undefined)
  }

  onFrame(type: number, flags: number, streamId: number, bytes: Buffer, from: number, to: number): void {
    if (this.#gathering.length > 0) this.#handOn()
    switch (type) {
      case frameType.headers:
        if (this.#isServer && streamId % 2 === 0)
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

  // ------------------------------------------------------------ streams

  /** What came before a frame that is no DATA, or before the end of the read, goes on before anything else happens. */
  #handOn(): void {
    for (const stream of this.#gathering.splice(0)) stream.handOn()
  }

  #onDataHeader(flags: number, streamId: number, length: number): void {
    if (length === 0 && !(flags & flag.endStream)) this.#budget.control()
    const stream = this.#streams.get(streamId)
    this.#dataStream = undefined
    this.#dataLength = length
    if (!stream) this.#streams.checkNotIdle(streamId, 'DATA')
    this.#window.received(length)
    if (!stream) {
      // RFC 9113 §5.1: after our RST_STREAM the peer may not know yet; otherwise the stream is closed.
      if (this.#streams.resetBy(streamId) !== 'us')
        this.#outgoing.faultStream(streamId, errorCode.streamClosed)
      return
    }
    this.#dataStream = stream
    stream.receiveWindow -= length
    const fault = faultOfData(stream)
    if (fault !== undefined) this.#outgoing.failStream(stream, fault.code, fault.message)
  }

  /** RFC 9113 §8.1.1: the content is as long as the head said. False: the stream was cut. */
  #countContent(stream: H2Stream, bytes: number, ended: boolean): boolean {
    stream.contentLeft -= bytes
    if (stream.contentLeft >= 0 && !(ended && stream.contentLeft > 0)) return true
    this.#outgoing.failStream(stream, errorCode.protocol, 'content of another length than announced')
    return false
  }

  #onList(streamId: number, list: HeaderList | undefined): void {
    // What is left of a read after the connection was given up opens no stream.
    if (!list || this.#outgoing.isClosed) return
    const ended = this.#gatherer.endStream
    const known = this.#streams.get(streamId)
    if (known) {
      this.#onNextList(known, list, ended)
      return
    }
    if (!this.#isServer || streamId <= this.#streams.lastPeer) {
      this.#onLateList(streamId)
      return
    }
    this.#streams.openPeers(streamId)
    if (this.#goodbye.isFinal || this.#streams.size >= this.#limits.streamsPerConnection) {
      this.#outgoing.faultStream(streamId, errorCode.refusedStream)
      return
    }
    const stream = this.#outgoing.open(streamId, nobody)
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
      this.#outgoing.failStream(stream, fault.code, fault.message)
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
        this.#outgoing.faultStream(streamId, errorCode.streamClosed)
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
    const stream = this.#streams.get(streamId)
    // Of streams that stand a server can reset no more than we open.
    if (this.#isServer) this.#budget.reset()
    else if (!stream) this.#budget.control()
    if (!stream) return
    this.#streams.rememberReset(streamId, 'peer')
    if (code === errorCode.noError && !this.#isServer && stream.remoteEnded) stream.stopSending()
    else stream.fail(new StreamResetError(`the peer reset the stream (code ${code})`, code))
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
    if (increment === 0) this.#outgoing.failStream(stream, errorCode.protocol, 'a window update of 0')
    else if (stream.sendWindow > maxWindow)
      this.#outgoing.failStream(stream, errorCode.flowControl, 'a window above 2^31-1')
    else this.#streams.pump(stream)
  }

  // ------------------------------------------------------------ the connection

  #onSettings(flags: number, payload: Buffer): void {
    this.#budget.control()
    if (flags & flag.ack) return
    const settings = readSettings(payload, !this.#isServer)
    this.#settled = true
    for (const [id, value] of settings) this.#applySetting(id, value)
    this.#sender.settingsAck()
    this.#streams.pumpAll()
    this.#events.onPeerChange?.()
  }

  #applySetting(id: number, value: number): void {
    if (id === setting.initialWindowSize) {
      this.#streams.moveWindows(value)
    } else if (id === setting.maxFrameSize) {
      this.#sender.maxFrame = value
    } else if (id === setting.maxConcurrentStreams) {
      this.#streams.peerMaxStreams = value
    }
  }

  #onPing(flags: number, bytes: Buffer, from: number): void {
    this.#budget.control()
    if (flags & flag.ack) this.#goodbye.onPingAck()
    else this.#sender.pingAck(bytes, from)
  }

  #onGoaway(last: number, code: number): void {
    this.#budget.control()
    this.#goodbye.isSaid = true
    this.#events.onPeerChange?.()
    if (this.#isServer) return
    for (const stream of this.#streams.all()) {
      if (stream.id > last)
        stream.fail(new StreamResetError(`GOAWAY (code ${code})`, errorCode.refusedStream))
    }
    this.#goodbye.closeWhenDone()
  }
}
