/** The HTTP/2 frames that an endpoint sends, laid out by RFC 9113 §6 and §8, over a `FrameWriter`. */
import type { ByteStream } from '../net/byte-stream.js'
import { FrameWriter } from './frame-writer.js'
import { ConnectionError, defaultMaxFrame, errorCode, flag, frameHeaderBytes, frameType } from './frames.js'
import { noDynamicTable } from './hpack.js'
import { type Settings, encodeSettings } from './settings.js'

/** Above this many bytes inside the socket, streams are told to wait. */
const socketHighWater = 262_144
/** Answers to PING, SETTINGS and refused requests that a peer who does not read may pile up. */
const maxQueuedControl = 65_536
/** Heads of answers that a client who does not read may pile up before its requests are left unread. */
const maxQueuedHeads = 65_536
/** DATA frames fill one TLS record (2^14 bytes) with their header. */
const dataFrameBytes = 16_384 - frameHeaderBytes
/** HEADERS with a status, and the RST_STREAM that may follow. */
const refusalBytes = frameHeaderBytes + 5 + frameHeaderBytes + 4
const noBytes = Buffer.alloc(0)
/** Payloads of a few bytes: a frame copies them. */
const small = Buffer.alloc(8)

export class FrameSender extends FrameWriter {
  /** True while the socket holds more than it should. */
  blocked = false
  /** SETTINGS_MAX_FRAME_SIZE of the peer. */
  maxFrame = defaultMaxFrame
  readonly #onRoom: () => void
  #isFirstBlock = true
  #queuedControl = 0
  #queuedHeads = 0

  /** `onRoom` is called when there may be room again for a stream that tells of it by no `drain`. */
  constructor(stream: ByteStream, onRoom: () => void) {
    super(stream)
    this.#onRoom = onRoom
  }

  protected override onFlush(): void {
    if (this.#isFull) this.blocked = true
  }

  protected override onTaken(): void {
    if (this.blocked) this.#onRoom()
  }

  get #isFull(): boolean {
    return this.waitingBytes > socketHighWater
  }

  /** The peer reads so little that it should not be asked for more: heads, unlike DATA, are bound by no window. */
  get hasManyHeads(): boolean {
    return this.#queuedHeads > maxQueuedHeads
  }

  /**
   * The socket has taken what it held: false while more waits for it than it should, as over TLS, where a socket gets one
   * part at a time and is drained after each.
   */
  get hasRoom(): boolean {
    return !this.blocked || !this.#isFull
  }

  /** There is room. Returns whether there was none before. */
  drained(): boolean {
    this.#queuedControl = 0
    this.#queuedHeads = 0
    const wasBlocked = this.blocked
    this.blocked = false
    return wasBlocked
  }

  data(streamId: number, bytes: Uint8Array, length: number): void {
    const most = Math.min(dataFrameBytes, this.maxFrame)
    for (let from = 0; from < length; from += most) {
      this.frame(frameType.data, 0, streamId, bytes, from, Math.min(length, from + most))
    }
  }

  /** A block of fields (`BlockWriter`), `block[0, length)`. */
  headers(streamId: number, block: Buffer, length: number, endStream: boolean): void {
    const end = endStream ? flag.endStream : 0
    if (this.blocked) this.#queuedHeads += frameHeaderBytes + length
    if (!this.#isFirstBlock && length <= dataFrameBytes) {
      this.frame(frameType.headers, flag.endHeaders | end, streamId, block, 0, length)
      return
    }
    let bytes = block.subarray(0, length)
    if (this.#isFirstBlock) bytes = Buffer.concat([Buffer.of(noDynamicTable), bytes])
    this.#isFirstBlock = false
    for (let from = 0; from < bytes.length; from += dataFrameBytes) {
      const to = Math.min(bytes.length, from + dataFrameBytes)
      const type = from === 0 ? frameType.headers : frameType.continuation
      const flags = (to === bytes.length ? flag.endHeaders : 0) | (from === 0 ? end : 0)
      this.frame(type, flags, streamId, bytes, from, to)
    }
  }

  settings(values: Settings): void {
    this.frame(frameType.settings, 0, 0, encodeSettings(values))
  }

  reset(streamId: number, code: number): void {
    small.writeUInt32BE(code)
    this.frame(frameType.rstStream, 0, streamId, small, 0, 4)
  }

  windowUpdate(streamId: number, increment: number): void {
    small.writeUInt32BE(increment)
    this.frame(frameType.windowUpdate, 0, streamId, small, 0, 4)
  }

  goaway(lastStream: number, code: number): void {
    small.writeUInt32BE(lastStream, 0)
    small.writeUInt32BE(code, 4)
    this.frame(frameType.goaway, 0, 0, small)
  }

  ping(payload: Uint8Array): void {
    this.frame(frameType.ping, 0, 0, payload)
  }

  settingsAck(): void {
    this.#countAnswer(frameHeaderBytes)
    this.frame(frameType.settings, flag.ack, 0, noBytes)
  }

  /** Answers with the payload, `bytes[from, from + 8)`. */
  pingAck(bytes: Uint8Array, from: number): void {
    this.#countAnswer(frameHeaderBytes + 8)
    this.frame(frameType.ping, flag.ack, 0, bytes, from, from + 8)
  }

  /** An answer that the peer provokes for nothing is about to be sent. Throws `ConnectionError`. */
  countRefusal(): void {
    this.#countAnswer(refusalBytes)
  }

  /** What the peer can provoke is bounded, so that one who does not read cannot fill our memory. Throws `ConnectionError`. */
  #countAnswer(bytes: number): void {
    if (!this.blocked) return
    this.#queuedControl += bytes
    if (this.#queuedControl > maxQueuedControl) {
      throw new ConnectionError(errorCode.enhanceYourCalm, 'the peer does not read')
    }
  }
}
