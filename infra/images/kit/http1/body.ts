/** What the two ends of a load read of HTTP/1.1 beside the heads: bodies, by the framing that their heads gave (RFC 9112 §6.3). */
import { ChunkedDecoder } from './chunked.js'
import type { HeadLimits } from './http1-head.js'

/** What an application or a client bears: more than a hop in the middle lets pass, which is to be the one that refuses. */
export const endLimits: HeadLimits = { headBytes: 32 * 1024, headerCount: 1000, targetBytes: 8 * 1024 }

/** A length in bytes, or `'close'`: all that comes until the connection ends. */
export type Framing = number | 'chunked' | 'close'

/** Finds the end of one body. Feed it bytes; `done` tells when the body is whole. */
export class BodyReader {
  /** Payload bytes seen, chunk framing not counted. */
  bytes = 0
  done: boolean
  readonly endsWithConnection: boolean
  readonly #decoder: ChunkedDecoder | undefined
  #left: number

  constructor(framing: Framing) {
    this.#decoder = framing === 'chunked' ? new ChunkedDecoder(endLimits) : undefined
    this.#left = typeof framing === 'number' ? framing : Infinity
    this.endsWithConnection = framing === 'close'
    this.done = framing === 0
  }

  /**
   * Consumes from `start`, and returns the index of the first byte that is not the body's. Chunks may be joined within the
   * buffer. Throws `HeadError` for chunks that break the protocol.
   */
  feed(buffer: Buffer, start: number, end: number, onData?: (part: Buffer) => void): number {
    if (this.#decoder !== undefined) {
      const stop = this.#decoder.feed(buffer, start, end, (from, to) => {
        onData?.(buffer.subarray(from, to))
        this.bytes += to - from
      })
      this.done = this.#decoder.done
      return stop
    }
    const stop = Math.min(end, start + this.#left)
    if (stop > start) onData?.(buffer.subarray(start, stop))
    this.bytes += stop - start
    this.#left -= stop - start
    this.done = this.#left === 0
    return stop
  }
}
