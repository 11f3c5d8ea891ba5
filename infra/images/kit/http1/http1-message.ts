/** Strict and cheap parsing of HTTP/1.1 messages (RFC 9112), for a server and a client that must cost little. */

import { trimSpace } from './characters.js'

/** A message that breaks the protocol. `status` is what a server answers. */
export class Http1Error extends Error {
  readonly status: number
  constructor(status: number, message: string) {
    super(message)
    this.name = 'Http1Error'
    this.status = status
  }
}

const maxHeadBytes = 32 * 1024

/** What framing and the two programs need to know of a head; other headers are checked and forgotten. */
export interface MessageHead {
  readonly startLine: string
  readonly contentLength: number | undefined
  readonly chunked: boolean
  /** Value of `connection`, lower case, or empty. */
  readonly connection: string
  readonly hosts: number
  readonly expectContinue: boolean
}

/** Index just after the empty line that ends a head, or -1. Throws 431 when a head grows too long. */
export function endOfHead(buffer: Buffer, start: number): number {
  const at = buffer.indexOf('\r\n\r\n', start, 'latin1')
  if ((at < 0 ? buffer.length : at) - start > maxHeadBytes) {
    throw new Http1Error(431, 'the head is longer than 32 KiB')
  }
  return at < 0 ? -1 : at + 4
}

/** Parses a head given as latin1 text without its last empty line. Throws `Http1Error`. */
export function parseHead(text: string): MessageHead {
  let lineEnd = text.indexOf('\r\n')
  const startLine = lineEnd < 0 ? text : text.slice(0, lineEnd)
  let contentLength: number | undefined
  let chunked = false
  let connection = ''
  let hosts = 0
  let expectContinue = false
  while (lineEnd >= 0) {
    const start = lineEnd + 2
    lineEnd = text.indexOf('\r\n', start)
    const end = lineEnd < 0 ? text.length : lineEnd
    const colon = text.indexOf(':', start)
    if (colon <= start || colon >= end) throw new Http1Error(400, 'a header line without a name')
    const name = text.slice(start, colon).toLowerCase()
    // RFC 9112 §5: neither space before the colon nor folded lines.
    if (!/^[!#$%&'*+.^_`|~0-9a-z-]+$/.test(name)) throw new Http1Error(400, `bad header name "${name}"`)
    switch (name) {
      case 'content-length': {
        const value = trimSpace(text, colon + 1, end)
        if (!/^\d{1,15}$/.test(value)) throw new Http1Error(400, `bad content-length "${value}"`)
        if (contentLength !== undefined) throw new Http1Error(400, 'two content-length headers')
        contentLength = Number(value)
        break
      }
      case 'transfer-encoding': {
        const value = trimSpace(text, colon + 1, end).toLowerCase()
        if (value !== 'chunked' || chunked) throw new Http1Error(501, `transfer-encoding "${value}"`)
        chunked = true
        break
      }
      case 'connection':
        // RFC 9110 §5.3: several lines are one list.
        connection += (connection === '' ? '' : ', ') + trimSpace(text, colon + 1, end).toLowerCase()
        break
      case 'host':
        hosts++
        break
      case 'expect':
        expectContinue = text.slice(colon + 1, end).trim() === '100-continue'
        break
    }
  }
  // RFC 9112 §6.1: both at once is how requests are smuggled.
  if (chunked && contentLength !== undefined) {
    throw new Http1Error(400, 'content-length beside transfer-encoding')
  }
  // The same §6.1: whoever speaks HTTP/1.0 knows of no chunks, and reads another body.
  if (chunked && /(?:^| )HTTP\/1\.0(?: |$)/.test(startLine))
    throw new Http1Error(400, 'transfer-encoding in HTTP/1.0')
  return { startLine, contentLength, chunked, connection, hosts, expectContinue }
}

const lineFeed = 10
const carriageReturn = 13

/**
 * Finds the end of a message's body. Feed it bytes; `done` tells when the body is whole.
 *
 * `length` is the content length, `'chunked'`, or `'close'` for a reply that ends with its connection.
 */
export class BodyReader {
  /** Payload bytes seen, chunk framing not counted. */
  bytes = 0
  done: boolean
  #state: 'counted' | 'close' | 'size' | 'data' | 'data-end' | 'trailer'
  #left: number
  #line = ''

  constructor(length: number | 'chunked' | 'close') {
    this.#left = typeof length === 'number' ? length : 0
    this.#state = length === 'chunked' ? 'size' : length === 'close' ? 'close' : 'counted'
    this.done = length === 0
  }

  /** True for a body that has no length and ends with its connection. */
  get endsWithConnection(): boolean {
    return this.#state === 'close'
  }

  /** Consumes from `start`, and returns the index of the first byte that is not the body's. */
  feed(buffer: Buffer, start: number, end: number, onData?: (part: Buffer) => void): number {
    let at = start
    while (at < end && !this.done) {
      switch (this.#state) {
        case 'counted':
        case 'data': {
          const take = Math.min(this.#left, end - at)
          onData?.(buffer.subarray(at, at + take))
          at += take
          this.bytes += take
          this.#left -= take
          if (this.#left === 0) {
            if (this.#state === 'counted') this.done = true
            else this.#state = 'data-end'
          }
          break
        }
        case 'close':
          onData?.(buffer.subarray(at, end))
          this.bytes += end - at
          at = end
          break
        default:
          at = this.#readLine(buffer, at, end)
      }
    }
    return at
  }

  #readLine(buffer: Buffer, start: number, end: number): number {
    const feed = buffer.indexOf(lineFeed, start)
    const stop = feed < 0 || feed >= end ? end : feed + 1
    this.#line += buffer.toString('latin1', start, stop)
    if (this.#line.length > 4096) throw new Http1Error(400, 'a chunk line longer than 4 KiB')
    if (stop === end && buffer[end - 1] !== lineFeed) return end
    const line = this.#line
    this.#line = ''
    if (line.charCodeAt(line.length - 2) !== carriageReturn) throw new Http1Error(400, 'a bare line feed')
    this.#endOfLine(line.slice(0, -2))
    return stop
  }

  #endOfLine(line: string): void {
    if (this.#state === 'data-end') {
      if (line !== '') throw new Http1Error(400, 'a chunk longer than its size')
      this.#state = 'size'
    } else if (this.#state === 'size') {
      const size = /^([0-9a-fA-F]{1,12})(?:[ \t]*;.*)?$/.exec(line)?.[1]
      if (size === undefined) throw new Http1Error(400, `bad chunk size "${line}"`)
      this.#left = Number.parseInt(size, 16)
      this.#state = this.#left === 0 ? 'trailer' : 'data'
    } else if (line === '') {
      this.done = true
    }
  }
}
