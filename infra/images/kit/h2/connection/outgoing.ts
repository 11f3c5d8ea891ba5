/**
 * What the streams of an HTTP/2 connection ask of it: to send, within both windows (RFC 9113 §5.2) and no faster than the
 * peer reads, to let the peer send on, and to be ended.
 */
import type { ByteStream } from '../../net/byte-stream.js'
import { clientPreface, setting } from '../frames.js'
import { FrameSender } from '../sender.js'
import type { ConnectionLimits } from '../settings.js'
import { H2Stream, type StreamHandler, type StreamHost, StreamResetError } from '../stream.js'
import { PeerBudget } from './peer-budget.js'
import type { StreamTable } from './streams.js'
import { ConnectionWindow } from './window.js'

export class Outgoing implements StreamHost {
  readonly sender: FrameSender
  readonly window: ConnectionWindow
  readonly budget: PeerBudget
  /** No stream says anything any more. */
  isClosed = false
  readonly #stream: ByteStream
  readonly #streams: StreamTable
  readonly #streamWindowBytes: number
  readonly #onForget: () => void
  /** Nothing is read until the peer has read its answers. */
  #isHeld = false

  /** Greets the peer. `onForget`: a stream is over. */
  constructor(stream: ByteStream, limits: ConnectionLimits, streams: StreamTable, onForget: () => void) {
    this.#stream = stream
    this.#streams = streams
    this.#streamWindowBytes = limits.streamWindowBytes
    this.#onForget = onForget
    this.budget = new PeerBudget(limits)
    const onRoom = (): void => {
      if (!this.sender.hasRoom) return
      this.#readOn()
      if (this.sender.drained()) streams.pumpAll()
    }
    this.sender = new FrameSender(stream, onRoom)
    if (!streams.isServer) this.sender.raw(clientPreface)
    this.sender.settings([
      [setting.initialWindowSize, limits.streamWindowBytes],
      [setting.maxHeaderListSize, limits.headerBytes],
      streams.isServer
        ? [setting.maxConcurrentStreams, limits.streamsPerConnection]
        : [setting.enablePush, 0],
    ])
    this.window = new ConnectionWindow(this.sender)
    stream.on('drain', onRoom)
  }

  open(id: number, handler: StreamHandler): H2Stream {
    const stream = new H2Stream(this, handler, id, this.#streams.initialWindow, this.#streamWindowBytes)
    this.#streams.add(stream)
    return stream
  }

  /** Resets a stream by the peer's fault, and tells whoever uses it. Throws `ConnectionError`. */
  failStream(stream: H2Stream, code: number, message: string): void {
    this.faultStream(stream.id, code)
    stream.fail(new StreamResetError(message, code))
  }

  /**
   * Resets a stream by the peer's fault. That too is counted: it costs us as much as a reset of the peer's own.
   * Throws `ConnectionError`.
   */
  faultStream(streamId: number, code: number): void {
    this.budget.reset()
    this.#resetStream(streamId, code)
  }

  /** Fails all streams, and sends what is queued. */
  close(reason: StreamResetError): void {
    this.isClosed = true
    for (const stream of this.#streams.all()) stream.fail(reason)
    this.#streams.stopWaiting()
    this.sender.finish()
  }

  // ------------------------------------------------------------ StreamHost

  get isServer(): boolean {
    return this.#streams.isServer
  }

  get blocked(): boolean {
    return this.sender.blocked
  }

  sendData(stream: H2Stream, bytes: Uint8Array): number {
    const allowed = Math.max(0, Math.min(bytes.length, stream.sendWindow, this.window.send))
    if (allowed > 0) this.budget.sent()
    this.sender.data(stream.id, bytes, allowed)
    stream.sendWindow -= allowed
    this.window.send -= allowed
    return allowed
  }

  sendHeaders(stream: H2Stream, block: Buffer, length: number, ended: boolean): void {
    if (this.isClosed) return
    this.sender.headers(stream.id, block, length, ended)
    // A client reads its answers whatever it sends, or it gets no more of them. (A client of ours always reads.)
    if (!this.#isHeld && this.sender.hasManyHeads && this.#streams.isServer) {
      this.#isHeld = true
      this.#stream.pause()
    }
  }

  sendEnd(stream: H2Stream): void {
    this.sender.endStream(stream.id)
  }

  sendReset(stream: H2Stream, code: number): void {
    if (!this.isClosed) this.#resetStream(stream.id, code)
  }

  wait(stream: H2Stream): void {
    this.#streams.wait(stream)
  }

  credit(stream: H2Stream, bytes: number): void {
    stream.uncredited += bytes
    if (stream.remoteEnded || stream.uncredited < this.#streamWindowBytes / 2) return
    this.sender.windowUpdate(stream.id, stream.uncredited)
    stream.receiveWindow += stream.uncredited
    stream.uncredited = 0
  }

  hold(bytes: number): void {
    if (!this.isClosed) this.window.hold(bytes)
  }

  forget(stream: H2Stream): void {
    if (this.#streams.delete(stream) && !this.isClosed) this.#onForget()
  }

  #readOn(): void {
    if (!this.#isHeld) return
    this.#isHeld = false
    this.#stream.resume()
  }

  #resetStream(streamId: number, code: number): void {
    this.#streams.rememberReset(streamId, 'us')
    this.sender.reset(streamId, code)
  }
}
