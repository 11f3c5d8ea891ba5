/** HTTP/2 frames (RFC 9113 §4, §6, §7): numbers, sizes, and a reader that hands DATA on before the frame is whole. */

export const frameType = {
  data: 0,
  headers: 1,
  priority: 2,
  rstStream: 3,
  settings: 4,
  pushPromise: 5,
  ping: 6,
  goaway: 7,
  windowUpdate: 8,
  continuation: 9,
} as const

export const flag = { endStream: 0x1, ack: 0x1, endHeaders: 0x4, padded: 0x8, priority: 0x20 } as const

export const errorCode = {
  noError: 0,
  protocol: 1,
  internal: 2,
  flowControl: 3,
  settingsTimeout: 4,
  streamClosed: 5,
  frameSize: 6,
  refusedStream: 7,
  cancel: 8,
  compression: 9,
  connect: 10,
  enhanceYourCalm: 11,
} as const

export const setting = {
  headerTableSize: 1,
  enablePush: 2,
  maxConcurrentStreams: 3,
  initialWindowSize: 4,
  maxFrameSize: 5,
  maxHeaderListSize: 6,
} as const

export const clientPreface = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'latin1')
export const frameHeaderBytes = 9
export const defaultWindow = 65_535
export const defaultMaxFrame = 16_384
export const maxWindow = 0x7fff_ffff

/** A fault that ends the whole connection with GOAWAY. */
export class ConnectionError extends Error {
  readonly code: number
  constructor(code: number, message: string) {
    super(message)
    this.name = 'ConnectionError'
    this.code = code
  }
}

export interface FrameHandler {
  /** Called when a frame's header is read, before its payload. Throws `ConnectionError` to refuse it. */
  onFrameHeader(type: number, flags: number, streamId: number, length: number): void
  /**
   * A piece of a DATA frame's content, `bytes[from, to)`; `last` with its final (maybe empty) piece. `padding` bytes are
   * not content.
   */
  onData(
    streamId: number,
    bytes: Buffer,
    from: number,
    to: number,
    last: boolean,
    endStream: boolean,
    padding: number,
  ): void
  /** Any other frame, whole: its payload is `bytes[from, to)`. */
  onFrame(type: number, flags: number, streamId: number, bytes: Buffer, from: number, to: number): void
}

/** Cuts a byte stream into frames. What is not DATA is gathered first, bounded by the handler's `onFrameHeader`. */
export class FrameReader {
  readonly #handler: FrameHandler
  /** Bytes of an unfinished header or gathered payload. */
  #partial: Buffer | undefined
  /** Since when there has been an unfinished header or gathered payload: `performance.now()`. */
  partialSince: number | undefined
  #inPayload = false
  #type = 0
  #flags = 0
  #streamId = 0
  #length = 0
  /** Of a DATA frame: content and padding that are still to come; -1 while the pad length is unread. */
  #content = 0
  #padding = 0

  constructor(handler: FrameHandler) {
    this.#handler = handler
  }

  read(chunk: Buffer): void {
    let at = 0
    const end = chunk.length
    while (at < end || (this.#inPayload && this.#length === 0)) {
      if (!this.#inPayload) {
        if (this.#partial === undefined && end - at >= frameHeaderBytes) {
          this.#readHeader(chunk, at)
          at += frameHeaderBytes
        } else {
          at = this.#gather(chunk, at, frameHeaderBytes)
          const header = this.#takeGathered(frameHeaderBytes)
          if (header === undefined) return
          this.#readHeader(header, 0)
        }
      } else if (this.#type === frameType.data) {
        at = this.#readData(chunk, at)
      } else if (this.#partial === undefined && end - at >= this.#length) {
        const from = at
        at += this.#length
        this.#inPayload = false
        this.#handler.onFrame(this.#type, this.#flags, this.#streamId, chunk, from, at)
      } else {
        at = this.#gather(chunk, at, this.#length)
        const payload = this.#takeGathered(this.#length)
        if (payload === undefined) return
        this.#inPayload = false
        this.#handler.onFrame(this.#type, this.#flags, this.#streamId, payload, 0, payload.length)
      }
    }
  }

  #readHeader(bytes: Buffer, at: number): void {
    this.#length =
      ((bytes[at] as number) << 16) | ((bytes[at + 1] as number) << 8) | (bytes[at + 2] as number)
    this.#type = bytes[at + 3] as number
    this.#flags = bytes[at + 4] as number
    this.#streamId = readU31(bytes, at + 5)
    this.#handler.onFrameHeader(this.#type, this.#flags, this.#streamId, this.#length)
    this.#inPayload = true
    if (this.#type !== frameType.data) return
    this.#padding = 0
    this.#content = this.#flags & flag.padded ? -1 : this.#length
  }

  #readData(chunk: Buffer, from: number): number {
    let at = from
    if (this.#content < 0) {
      const padding = chunk[at] as number
      if (this.#length === 0 || padding >= this.#length) {
        throw new ConnectionError(errorCode.protocol, 'padding is longer than its frame')
      }
      at += 1
      this.#padding = padding
      this.#content = this.#length - 1 - padding
      this.#length -= 1
    }
    const piece = Math.min(this.#content, chunk.length - at)
    const start = at
    at += piece
    this.#content -= piece
    this.#length -= piece
    const endStream = (this.#flags & flag.endStream) !== 0
    if (this.#content > 0) {
      this.#handler.onData(this.#streamId, chunk, start, start + piece, false, endStream, 0)
      return at
    }
    const skipped = Math.min(this.#length, chunk.length - at)
    at += skipped
    this.#length -= skipped
    const last = this.#length === 0
    if (last) this.#inPayload = false
    const padding = last && this.#flags & flag.padded ? this.#padding + 1 : 0
    if (last || piece > 0)
      this.#handler.onData(this.#streamId, chunk, start, start + piece, last, endStream, padding)
    return at
  }

  #gather(chunk: Buffer, at: number, wanted: number): number {
    const have = this.#partial?.length ?? 0
    const piece = chunk.subarray(at, at + wanted - have)
    // Copied: the chunk's memory may be used again by whoever owns it.
    if (this.#partial === undefined) {
      this.#partial = Buffer.from(piece)
      this.partialSince = performance.now()
    } else {
      this.#partial = Buffer.concat([this.#partial, piece])
    }
    return at + piece.length
  }

  /** What was gathered when it is whole. */
  #takeGathered(wanted: number): Buffer | undefined {
    const whole = this.#partial
    if (whole?.length !== wanted) return undefined
    this.#partial = undefined
    this.partialSince = undefined
    return whole
  }
}

/** Big-endian, without the reserved bit. */
export function readU31(bytes: Uint8Array, at: number): number {
  return (
    (((bytes[at] as number) & 0x7f) << 24) |
    ((bytes[at + 1] as number) << 16) |
    ((bytes[at + 2] as number) << 8) |
    (bytes[at + 3] as number)
  )
}
