/** Writes the responses of one HTTP/1.1 connection: as they came where nobody changed them, framed anew where they must be. */
import { chunkOf } from '../../kit/http1/chunked.js'
import type { Cell } from '../../kit/process/metrics.js'
import type { Fields, ResponseHead } from '../exchange/message.js'
import type { ResponseStart } from '../exchange/sides.js'
import type { Lease } from '../../kit/net/reads.js'
import type { Wire } from '../exchange/wire.js'

export class Http1ResponseWriter {
  /** Of the request in progress: it decides how the response is framed. */
  isHead = false
  minor = 1
  /** Set by a response that can only end with its connection. */
  mustClose = false
  /** The body goes out in chunks. */
  #isChunked = false
  readonly #wire: Wire
  readonly #sentBytes: Cell

  constructor(wire: Wire, sentBytes: Cell) {
    this.#wire = wire
    this.#sentBytes = sentBytes
  }

  /** A request was read: its response comes next. */
  begin(isHead: boolean, minor: number): void {
    this.isHead = isHead
    this.minor = minor
    this.mustClose = false
    this.#isChunked = false
  }

  inform(head: ResponseHead): boolean {
    return this.minor === 0 || this.text(head.toHttp1(''))
  }

  switchProtocol(head: ResponseHead, protocol: string): boolean {
    return this.text(head.toHttp1(`connection: upgrade\r\nupgrade: ${protocol}\r\n`))
  }

  /** `close`: no request follows. */
  respond(
    { head, buffer, headStart, bodyStart, bodyEnd, lease, ended }: ResponseStart,
    close: boolean,
  ): boolean {
    const { status, source } = head
    const isBodyless = this.isHead || status === 204 || status === 304
    if (
      headStart >= 0 &&
      source !== undefined &&
      head.isForwardable &&
      !close &&
      this.minor === 1 &&
      (isBodyless || source.contentLength >= 0)
    ) {
      if (source.cuts === undefined) return this.bytes(buffer.subarray(headStart, bodyEnd), lease)
      return this.#both(source.forwardable(), buffer, bodyStart, bodyEnd)
    }
    const text = head.toHttp1(this.#ownLines(head, isBodyless, close))
    // An answer to HEAD has no body, whoever made it.
    const to = isBodyless ? bodyStart : bodyEnd
    if (!this.#isChunked) return this.#both(text, buffer, bodyStart, to)
    if (to === bodyStart) {
      if (ended) this.#isChunked = false
      return this.text(ended ? `${text}0\r\n\r\n` : text)
    }
    const first = chunkOf(buffer.subarray(bodyStart, to))
    const ok = this.#both(text, first, 0, first.length)
    if (ended) this.finish(undefined)
    return ok
  }

  body(bytes: Buffer, lease: Lease): boolean {
    if (this.isHead) return true
    return this.#isChunked ? this.bytes(chunkOf(bytes), 'owned') : this.bytes(bytes, lease)
  }

  finish(trailers: Fields | undefined): void {
    if (!this.#isChunked) return
    this.#isChunked = false
    let text = '0\r\n'
    const list = trailers?.list ?? []
    for (let i = 0; i < list.length; i += 2) text += `${list[i]}: ${list[i + 1]}\r\n`
    this.text(text + '\r\n')
  }

  bytes(bytes: Buffer, lease: Lease): boolean {
    this.#sentBytes.value += bytes.length
    return this.#wire.put(bytes, lease)
  }

  text(text: string): boolean {
    this.#sentBytes.value += text.length
    return this.#wire.putText(text)
  }

  /** Framing and connection fields of a head that is written anew. */
  #ownLines(head: ResponseHead, isBodyless: boolean, close: boolean): string {
    const { source } = head
    let lines = ''
    if (!isBodyless && head.contentLength < 0) {
      if (this.minor === 1) {
        this.#isChunked = true
        lines = 'transfer-encoding: chunked\r\n'
      } else {
        this.mustClose = true
      }
    } else if (
      !isBodyless &&
      head.contentLength === 0 &&
      (source === undefined || source.contentLength < 0)
    ) {
      lines = 'content-length: 0\r\n'
    }
    if (close || this.mustClose) return `${lines}connection: close\r\n`
    // RFC 9112 §9.3: a client of HTTP/1.0 takes the connection for closed unless it is told.
    return this.minor === 0 ? `${lines}connection: keep-alive\r\n` : lines
  }

  #both(text: string, buffer: Buffer, from: number, to: number): boolean {
    if (to <= from) return this.text(text)
    this.#sentBytes.value += text.length + to - from
    return this.#wire.putBoth(text, buffer.subarray(from, to))
  }
}
