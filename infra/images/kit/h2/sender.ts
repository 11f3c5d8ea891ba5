/** The HTTP/2 frames that an endpoint sends, laid out by RFC 9113 §6 and §8, over a `FrameWriter`. */
import type { TLSSocket } from 'node:tls'
import { FrameWriter } from './frame-writer.js'
import { ConnectionError, defaultMaxFrame, errorCode, flag, frameHeaderBytes, frameType } from './frames.js'
import { encodeSettings } from './settings.js'
import { type HeaderField, encodeHeaders } from './hpack.js'

/** Above this many bytes inside the TLS socket, streams are told to wait. */
const socketHighWater = 262_144
/** Answers to PING, SETTINGS and refused CONNECTs that a peer who does not read may pile up. */
const maxQueuedControl = 65_536
/** DATA frames fill one TLS record (2^14 bytes) with their header. */
const dataFrameBytes = 16_384 - frameHeaderBytes
/** HEADERS with a status, and the RST_STREAM that may follow. */
const refusalBytes = frameHeaderBytes + 5 + frameHeaderBytes + 4
const noBytes = Buffer.alloc(0)

export class FrameSender {
  /** True while the TLS socket holds more than it should. */
  blocked = false
  /** SETTINGS_MAX_FRAME_SIZE of the peer. */
  maxFrame = defaultMaxFrame
  readonly #writer: FrameWriter
  #isFirstBlock = true
  #queuedControl = 0

  constructor(socket: TLSSocket) {
    this.#writer = new FrameWriter(socket, () => {
      if (socket.writableLength > socketHighWater) this.blocked = true
    })
  }

  /** Bytes that are no frame: the preface. */
  raw(bytes: Uint8Array): void {
    this.#writer.raw(bytes)
  }

  flush(): void {
    this.#writer.flush()
  }

  /** The socket has taken what it held. Returns whether it was too much before. */
  drained(): boolean {
    this.#queuedControl = 0
    const wasBlocked = this.blocked
    this.blocked = false
    return wasBlocked
  }

  data(streamId: number, bytes: Uint8Array, length: number): void {
    const most = Math.min(dataFrameBytes, this.maxFrame)
    for (let from = 0; from < length; from += most) {
      this.#writer.frame(frameType.data, 0, streamId, bytes, from, Math.min(length, from + most))
    }
  }

  endStream(streamId: number): void {
    this.#writer.frame(frameType.data, flag.endStream, streamId, noBytes)
  }

  headers(streamId: number, fields: readonly HeaderField[], endStream: boolean): void {
    const block = encodeHeaders(fields, this.#isFirstBlock)
    this.#isFirstBlock = false
    let from = 0
    do {
      const part = block.subarray(from, from + dataFrameBytes)
      const end = from + part.length >= block.length ? flag.endHeaders : 0
      const type = from === 0 ? frameType.headers : frameType.continuation
      this.#writer.frame(type, end | (from === 0 && endStream ? flag.endStream : 0), streamId, part)
      from += part.length
    } while (from < block.length)
  }

  settings(values: readonly (readonly [id: number, value: number])[]): void {
    this.#writer.frame(frameType.settings, 0, 0, encodeSettings(values))
  }

  reset(streamId: number, code: number): void {
    const payload = Buffer.alloc(4)
    payload.writeUInt32BE(code)
    this.#writer.frame(frameType.rstStream, 0, streamId, payload)
  }

  windowUpdate(streamId: number, increment: number): void {
    const payload = Buffer.alloc(4)
    payload.writeUInt32BE(increment)
    this.#writer.frame(frameType.windowUpdate, 0, streamId, payload)
  }

  goaway(lastStream: number, code: number): void {
    const payload = Buffer.alloc(8)
    payload.writeUInt32BE(lastStream, 0)
    payload.writeUInt32BE(code, 4)
    this.#writer.frame(frameType.goaway, 0, 0, payload)
  }

  ping(payload: Uint8Array): void {
    this.#writer.frame(frameType.ping, 0, 0, payload)
  }

  settingsAck(): void {
    this.#countAnswer(frameHeaderBytes)
    this.#writer.frame(frameType.settings, flag.ack, 0, noBytes)
  }

  pingAck(payload: Uint8Array): void {
    this.#countAnswer(frameHeaderBytes + payload.length)
    this.#writer.frame(frameType.ping, flag.ack, 0, payload)
  }

  /** The answer to a CONNECT that is not served: it ends its stream. */
  refusal(streamId: number, status: number): void {
    this.#countAnswer(refusalBytes)
    this.headers(streamId, [[':status', String(status)]], true)
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
