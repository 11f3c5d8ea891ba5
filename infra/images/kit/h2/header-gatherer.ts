/** Gathers a header block from HEADERS and CONTINUATION frames, within bounds (RFC 9113 §4.3, §6.2, §6.10). */
import { ConnectionError, errorCode, flag, maxWindow } from './frames.js'
import { type HeaderField, HpackDecoder } from './hpack.js'

export interface HeaderBlock {
  readonly streamId: number
  readonly endStream: boolean
  readonly fields: readonly HeaderField[]
}

export interface HeaderGathererLimits {
  readonly headerBytes: number
  readonly headerCount: number
  readonly continuationFrames: number
}

interface Unfinished {
  readonly streamId: number
  readonly endStream: boolean
  readonly parts: Buffer[]
  bytes: number
  readonly since: number
}

/** SETTINGS_HEADER_TABLE_SIZE: its initial value, which we leave. */
const tableBytes = 4096

/** One per connection: HPACK's table belongs to all of its streams. */
export class HeaderGatherer {
  readonly #limits: HeaderGathererLimits
  readonly #decoder: HpackDecoder
  #unfinished: Unfinished | undefined

  constructor(limits: HeaderGathererLimits) {
    this.#limits = limits
    this.#decoder = new HpackDecoder(tableBytes, limits)
  }

  /** Stream whose block is not finished: nothing but its CONTINUATION may come. */
  get streamId(): number | undefined {
    return this.#unfinished?.streamId
  }

  /** When the unfinished block began, ms since 1970. */
  get since(): number | undefined {
    return this.#unfinished?.since
  }

  /** Returns the block when it is whole. Throws `ConnectionError`, `HpackError` or `HeaderLimitError`. */
  headers(flags: number, streamId: number, payload: Buffer): HeaderBlock | undefined {
    let from = 0
    let to = payload.length
    if (flags & flag.padded) {
      from = 1
      to -= payload[0] ?? 0
    }
    if (flags & flag.priority) {
      if (from + 5 <= to && (payload.readUInt32BE(from) & maxWindow) === streamId) {
        throw new ConnectionError(errorCode.protocol, 'a stream depends on itself')
      }
      from += 5
    }
    if (from > to) throw new ConnectionError(errorCode.protocol, 'padding is longer than its frame')
    const endStream = (flags & flag.endStream) !== 0
    const block = payload.subarray(from, to)
    if (flags & flag.endHeaders) return { streamId, endStream, fields: this.#decoder.decode(block) }
    this.#unfinished = {
      streamId,
      endStream,
      parts: [Buffer.from(block)],
      bytes: block.length,
      since: Date.now(),
    }
    return undefined
  }

  continuation(flags: number, payload: Buffer): HeaderBlock | undefined {
    const unfinished = this.#unfinished
    if (!unfinished) throw new ConnectionError(errorCode.protocol, 'CONTINUATION without HEADERS')
    const { streamId, endStream, parts } = unfinished
    parts.push(Buffer.from(payload))
    unfinished.bytes += payload.length
    if (parts.length > this.#limits.continuationFrames + 1 || unfinished.bytes > this.#limits.headerBytes) {
      throw new ConnectionError(errorCode.enhanceYourCalm, 'a header block without end')
    }
    if (!(flags & flag.endHeaders)) return undefined
    this.#unfinished = undefined
    return { streamId, endStream, fields: this.#decoder.decode(Buffer.concat(parts)) }
  }
}
