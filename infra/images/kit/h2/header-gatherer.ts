/** Gathers a header block from HEADERS and CONTINUATION frames, within bounds (RFC 9113 §4.3, §6.2, §6.10). */
import { ConnectionError, errorCode, flag, defaultMaxFrame, readU31 } from './frames.js'
import { type HeaderList, HpackDecoder } from './hpack.js'
import type { ConnectionLimits } from './settings.js'

interface Unfinished {
  readonly streamId: number
  readonly parts: Buffer[]
  bytes: number
  /** When it began: `performance.now()`. */
  readonly since: number
}

/** SETTINGS_HEADER_TABLE_SIZE: its initial value, which we leave. */
const tableBytes = 4096

/** One per connection: HPACK's table belongs to all of its streams. */
export class HeaderGatherer {
  readonly #limits: ConnectionLimits
  readonly #decoder: HpackDecoder
  /** The block that is not finished: nothing but its CONTINUATION may come. */
  unfinished: Unfinished | undefined
  endStream = false

  constructor(limits: ConnectionLimits) {
    this.#limits = limits
    this.#decoder = new HpackDecoder(tableBytes, limits)
  }

  /** Returns the fields when their block is whole. Throws `ConnectionError` or `HpackError`. */
  headers(
    flags: number,
    streamId: number,
    bytes: Buffer,
    start: number,
    end: number,
  ): HeaderList | undefined {
    let from = start
    let to = end
    if (flags & flag.padded) {
      from += 1
      to -= bytes[start] ?? 0
    }
    if (flags & flag.priority) {
      if (from + 5 <= to && readU31(bytes, from) === streamId) {
        throw new ConnectionError(errorCode.protocol, 'a stream depends on itself')
      }
      from += 5
    }
    if (from > to) throw new ConnectionError(errorCode.protocol, 'padding is longer than its frame')
    this.endStream = (flags & flag.endStream) !== 0
    if (flags & flag.endHeaders) return this.#decoder.decode(bytes, from, to)
    this.unfinished = {
      streamId,
      parts: [Buffer.from(bytes.subarray(from, to))],
      bytes: to - from,
      since: performance.now(),
    }
    return undefined
  }

  continuation(flags: number, bytes: Buffer, from: number, to: number): HeaderList | undefined {
    const unfinished = this.unfinished
    if (!unfinished) throw new ConnectionError(errorCode.protocol, 'CONTINUATION without HEADERS')
    const { parts } = unfinished
    parts.push(Buffer.from(bytes.subarray(from, to)))
    unfinished.bytes += to - from
    // Somewhat above the limit a list is still read, so that its request can be answered.
    if (
      parts.length > this.#limits.continuationFrames + 1 ||
      unfinished.bytes > 2 * this.#limits.headerBytes + defaultMaxFrame
    ) {
      throw new ConnectionError(errorCode.enhanceYourCalm, 'a header block without end')
    }
    if (!(flags & flag.endHeaders)) return undefined
    this.unfinished = undefined
    return this.#decoder.decode(Buffer.concat(parts))
  }
}
