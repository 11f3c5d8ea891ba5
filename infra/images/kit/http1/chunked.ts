/** Chunked bodies, decoded strictly and at any split of the bytes (RFC 9112 §7.1), because a lax reader is how bodies get smuggled. */
import { carriageReturn, lineFeed, space, tab } from './characters.js'
import { parseTrailers } from './head.js'
import { HeadError, type HeadLimits } from './http1-head.js'

const semicolon = 59

/** Extensions mean nothing to a proxy; this many bytes of them in one chunk are borne (CVE-2023-39326). */
const maxExtensionBytes = 256
/** 2^52 bytes: sizes stay exact in a double. */
const maxSize = 2 ** 52
/** Leading zeros say nothing; this many digits are borne. */
const maxSizeDigits = 256
/** What is not longer is moved behind the chunk before it: to hand it out by itself costs more than the copy. */
const movedBytes = 4096

type State = 'size' | 'space' | 'extension' | 'size-lf' | 'data' | 'data-cr' | 'data-lf' | 'trailer'

/** Decodes one body. Feed it until `done`. Throws `HeadError(400)`. */
export class ChunkedDecoder {
  done = false
  /** Fields of the trailer section that may travel on, flat pairs; set when `done`. */
  trailers: string[] | undefined
  readonly #limits: HeadLimits
  #state: State = 'size'
  #left = 0
  #digits = 0
  #extension = 0
  /** The line that is being read, and how long the section is so far. */
  #line = ''
  #trailerBytes = 0
  #trailerLines: string[] = []

  constructor(limits: HeadLimits) {
    this.#limits = limits
  }

  /**
   * Consumes from `start`, hands out content, and returns the index of the first byte after what it consumed. Content of
   * short chunks is joined within the buffer, over the framing that lay between: chunks of a byte would else cost us a write
   * each, and whoever sends them next to nothing.
   */
  feed(buffer: Buffer, start: number, end: number, onData: (start: number, end: number) => void): number {
    let at = start
    let from = start
    let to = start
    while (at < end && !this.done) {
      if (this.#state === 'data') {
        const take = Math.min(this.#left, end - at)
        if (to > from && take <= movedBytes) {
          buffer.copyWithin(to, at, at + take)
          to += take
        } else {
          if (to > from) onData(from, to)
          from = at
          to = at + take
        }
        at += take
        this.#left -= take
        if (this.#left === 0) this.#state = 'data-cr'
      } else if (this.#state === 'trailer') {
        at = this.#readTrailer(buffer, at, end)
      } else {
        this.#take(buffer[at] as number)
        at++
      }
    }
    if (to > from) onData(from, to)
    return at
  }

  #take(c: number): void {
    switch (this.#state) {
      case 'size': {
        const digit = hexDigit(c)
        if (digit >= 0) {
          this.#left = this.#left * 16 + digit
          if (++this.#digits > maxSizeDigits || this.#left >= maxSize)
            throw new HeadError(400, 'a chunk size that is too large')
        } else if (this.#digits === 0) {
          throw new HeadError(400, 'a malformed chunk size')
        } else if (c === carriageReturn) {
          this.#state = 'size-lf'
        } else if (c === semicolon) {
          this.#state = 'extension'
        } else if (c === space || c === tab) {
          this.#state = 'space'
        } else {
          throw new HeadError(400, 'a malformed chunk size')
        }
        break
      }
      case 'space':
        // RFC 9112 §7.1.1: white space may stand before an extension, and nowhere else.
        if (c === semicolon) this.#state = 'extension'
        else if ((c !== space && c !== tab) || ++this.#extension > maxExtensionBytes)
          throw new HeadError(400, 'a malformed chunk size')
        break
      case 'extension':
        if (c === carriageReturn) this.#state = 'size-lf'
        else if ((c < 32 && c !== 9) || c === 127 || ++this.#extension > maxExtensionBytes) {
          throw new HeadError(400, 'a malformed chunk extension')
        }
        break
      case 'size-lf':
        if (c !== lineFeed) throw new HeadError(400, 'a bare CR after a chunk size')
        this.#state = this.#left === 0 ? 'trailer' : 'data'
        this.#digits = 0
        this.#extension = 0
        break
      case 'data-cr':
        if (c !== carriageReturn) throw new HeadError(400, 'a chunk that is longer than its size')
        this.#state = 'data-lf'
        break
      case 'data-lf':
        if (c !== lineFeed) throw new HeadError(400, 'a bare CR after a chunk')
        this.#state = 'size'
        break
      default:
        throw new Error(`no byte is taken one by one in ${this.#state}`)
    }
  }

  /** Line by line: limits are checked as lines come, and each byte is looked at once. */
  #readTrailer(buffer: Buffer, start: number, end: number): number {
    const found = buffer.indexOf(lineFeed, start)
    const isWhole = found >= 0 && found < end
    const stop = isWhole ? found + 1 : end
    this.#trailerBytes += stop - start
    if (this.#trailerBytes > this.#limits.headBytes)
      throw new HeadError(431, 'the trailer section is too long')
    const line = this.#line + buffer.toString('latin1', start, stop)
    this.#line = isWhole ? '' : line
    if (!isWhole) return stop
    if (line.charCodeAt(line.length - 2) !== carriageReturn)
      throw new HeadError(400, 'a bare LF in the trailer section')
    if (line !== '\r\n') {
      if (this.#trailerLines.push(line) > this.#limits.headerCount)
        throw new HeadError(431, 'too many trailers')
      return stop
    }
    this.trailers = parseTrailers(this.#trailerLines.join(''), this.#limits)
    this.done = true
    return stop
  }
}

function hexDigit(c: number): number {
  if (c >= 48 && c <= 57) return c - 48
  const lower = c | 32
  return lower >= 97 && lower <= 102 ? lower - 87 : -1
}

/** Content as a chunk (RFC 9112 §7.1), in memory of its own. */
export function chunkOf(bytes: Buffer): Buffer {
  const size = `${bytes.length.toString(16)}\r\n`
  const chunk = Buffer.allocUnsafe(size.length + bytes.length + 2)
  chunk.write(size, 0, 'latin1')
  chunk.set(bytes, size.length)
  chunk[chunk.length - 2] = 13
  chunk[chunk.length - 1] = 10
  return chunk
}
