/** Requests and responses as filters see them, whatever the protocol; an HTTP/1.1 head that nobody touched stays text. */
import { STATUS_CODES } from 'node:http'
import { type Http1Head, firstValue } from '../../kit/http1/http1-head.js'

/** Header fields as flat pairs of lower-case name and value. */
export class Fields {
  #list: readonly string[]
  /** The list is somebody else's too, until it is changed. */
  #isShared: boolean
  modified = false

  constructor(list: readonly string[], isShared = false) {
    this.#list = list
    this.#isShared = isShared
  }

  get list(): readonly string[] {
    return this.#list
  }

  get(name: string): string | undefined {
    return firstValue(this.list, name)
  }

  /** The value of each line. */
  all(name: string): string[] {
    const { list } = this
    const values: string[] = []
    for (let i = 0; i < list.length; i += 2) if (list[i] === name) values.push(list[i + 1] as string)
    return values
  }

  /** All values, joined as RFC 9110 §5.3 allows. */
  join(name: string): string | undefined {
    const values = this.all(name)
    return values.length === 0 ? undefined : values.join(', ')
  }

  /** Replaces all fields of this name by one. */
  set(name: string, value: string): void {
    this.remove(name)
    this.add(name, value)
  }

  add(name: string, value: string): void {
    this.#editable().push(name, value)
    this.modified = true
  }

  remove(name: string): void {
    if (this.get(name) === undefined) return
    const list = this.#editable()
    let kept = 0
    for (let i = 0; i < list.length; i += 2) {
      if (list[i] === name) continue
      list[kept] = list[i] as string
      list[kept + 1] = list[i + 1] as string
      kept += 2
    }
    list.length = kept
    this.modified = true
  }

  #editable(): string[] {
    if (this.#isShared) this.#list = [...this.#list]
    this.#isShared = false
    return this.#list as string[]
  }
}

/** A block of HTTP/2 that is ready to be sent: `bytes[0, length)`, valid until the next one is made. */
export interface Block {
  readonly bytes: Buffer
  readonly length: number
}

/** What an HTTP/2 head was made of. Where the same bytes come again it is the same object. */
export interface Http2Origin {
  /** Without pseudo fields, and without those that belong to one connection. */
  readonly fields: readonly string[]
  /** What content-length says; -1 when there is none. */
  readonly contentLength: number
  /** It comes again, so that it is worth while to keep what is made of it. */
  readonly isKept: boolean
  /** The head as it goes on, untouched, and for which client certificate and length of content. */
  block: Block | undefined
  blockOf: string | undefined
  blockLength: number
}

export class RequestHead {
  readonly method: string
  readonly scheme: string
  /** −1 when a body of unknown length follows, 0 when there is none. */
  readonly contentLength: number
  /** The head as it came in HTTP/1.1. */
  readonly source: Http1Head | undefined
  /** The head as it came in HTTP/2. */
  readonly origin: Http2Origin | undefined
  /** Value for x-forwarded-client-cert, which always replaces what a client says of itself. */
  clientCert: string | undefined
  /** The client is a trusted hop: what it says under that name stays. */
  keepsClientCert = false
  /** The protocol that the client asks to switch to (only `websocket` is carried). */
  upgrade = ''
  /** The client said `te: trailers`, which gRPC servers ask for. */
  acceptsTrailers = false
  #path: string
  #authority: string
  #fields: Fields | undefined
  #moved = false

  constructor(
    head: Pick<RequestHead, 'method' | 'path' | 'authority' | 'scheme' | 'contentLength'>,
    source: Http1Head | undefined,
    origin?: Http2Origin,
  ) {
    this.method = head.method
    this.#path = head.path
    this.#authority = head.authority
    this.scheme = head.scheme
    this.contentLength = head.contentLength
    this.source = source
    this.origin = origin
  }

  /** Neither path nor authority nor fields were changed on the way. */
  get isUntouched(): boolean {
    return !this.#moved && this.#fields?.modified !== true
  }

  /** It says itself that it has no content, or is one that servers ask for a length of (RFC 9110 §8.6). */
  get statesNoContent(): boolean {
    if (this.contentLength !== 0) return false
    if (this.source !== undefined) return this.source.contentLength === 0
    return this.origin?.contentLength === 0 || methodsWithContent.has(this.method)
  }

  get path(): string {
    return this.#path
  }
  set path(value: string) {
    this.#path = value
    this.#moved = true
  }

  get authority(): string {
    return this.#authority
  }
  set authority(value: string) {
    this.#authority = value
    this.#moved = true
  }

  /** Without framing, connection fields, Host and any client certificate that a client claims who is not trusted. */
  get fields(): Fields {
    if (this.#fields === undefined) {
      const { origin } = this
      const fields =
        origin === undefined ? new Fields(this.source?.fields() ?? []) : new Fields(origin.fields, true)
      if (origin === undefined) fields.remove('host')
      if (!this.keepsClientCert) fields.remove('x-forwarded-client-cert')
      // What is taken away here makes another head of HTTP/2; `toHttp1` looks for it by itself.
      if (origin === undefined) fields.modified = false
      this.#fields = fields
    }
    return this.#fields
  }

  /** The head for an HTTP/1.1 upstream. */
  toHttp1(): string {
    const { source } = this
    if (
      source !== undefined &&
      this.isUntouched &&
      source.minor === 1 &&
      !source.absoluteForm &&
      (!source.clientCert || this.keepsClientCert) &&
      !source.irregular &&
      source.nominated === undefined
    ) {
      if (this.clientCert === undefined && this.upgrade === '') {
        return source.cuts === undefined ? source.raw : source.forwardable()
      }
      return source.forwardable().slice(0, -2) + this.#ownLines() + '\r\n'
    }
    let text = `${this.method} ${this.#path} HTTP/1.1\r\nhost: ${this.#authority}\r\n`
    const { list } = this.fields
    for (let i = 0; i < list.length; i += 2) text += `${list[i]}: ${list[i + 1]}\r\n`
    if (this.contentLength < 0) text += 'transfer-encoding: chunked\r\n'
    else if (this.contentLength > 0 || this.statesNoContent)
      text += `content-length: ${this.contentLength}\r\n`
    return text + this.#ownLines() + '\r\n'
  }

  #ownLines(): string {
    let lines = ''
    if (this.clientCert !== undefined) lines += `x-forwarded-client-cert: ${this.clientCert}\r\n`
    if (this.acceptsTrailers && this.source === undefined) lines += 'te: trailers\r\nconnection: te\r\n'
    if (this.upgrade !== '') lines += `connection: upgrade\r\nupgrade: ${this.upgrade}\r\n`
    return lines
  }
}

/** RFC 9110 §8.6: a request of these says that it has no content, else some servers ask for its length (411). */
const methodsWithContent: ReadonlySet<string> = new Set(['POST', 'PUT', 'PATCH'])

export class ResponseHead {
  readonly status: number
  /** Empty for HTTP/2 and for replies that the proxy makes. */
  readonly reason: string
  /** −1 when a body of unknown length follows, 0 when there is none. */
  readonly contentLength: number
  readonly source: Http1Head | undefined
  readonly origin: Http2Origin | undefined
  /** Of a response without a body: the length that its body would have. */
  statedLength: string | undefined
  #fields: Fields | undefined

  constructor(
    status: number,
    contentLength: number,
    source: Http1Head | undefined,
    fields?: Fields | Http2Origin,
    reason = source?.reason ?? '',
  ) {
    this.status = status
    this.contentLength = contentLength
    this.source = source
    this.reason = reason
    if (fields instanceof Fields) this.#fields = fields
    else this.origin = fields
  }

  get fields(): Fields {
    return (this.#fields ??=
      this.origin === undefined
        ? new Fields(this.source?.fields() ?? [])
        : new Fields(this.origin.fields, true))
  }

  /** Nobody changed the fields on the way. */
  get isUntouched(): boolean {
    return this.#fields?.modified !== true
  }

  /** RFC 9110 §8.6 and RFC 9112 §6.1: a head that must not speak of a body, as a lax client would then wait for one. */
  get isLengthless(): boolean {
    return this.status < 200 || this.status === 204
  }

  /** True when the head may go to an HTTP/1.1 client as it came, but for the fields of the upstream connection. */
  get isForwardable(): boolean {
    const { source } = this
    return (
      source !== undefined &&
      this.isUntouched &&
      source.minor === 1 &&
      source.nominated === undefined &&
      !source.irregular &&
      !(this.isLengthless && (source.contentLength >= 0 || source.chunked))
    )
  }

  /** The head for an HTTP/1.1 client. `ownLines` are framing and connection fields, each with its CRLF. */
  toHttp1(ownLines: string): string {
    const { source } = this
    let text = `HTTP/1.1 ${this.status} ${this.reason === '' ? (reasonPhrases[this.status] ?? '') : this.reason}\r\n`
    const { list } = this.fields
    for (let i = 0; i < list.length; i += 2) text += `${list[i]}: ${list[i + 1]}\r\n`
    // The answer to HEAD, and a 304, may state the length that a body would have.
    if (this.isLengthless) return text + ownLines + '\r\n'
    if (source !== undefined && source.contentLength >= 0)
      text += `content-length: ${source.contentLength}\r\n`
    else if (this.statedLength !== undefined) text += `content-length: ${this.statedLength}\r\n`
    else if (this.contentLength > 0) text += `content-length: ${this.contentLength}\r\n`
    return text + ownLines + '\r\n'
  }
}

/** Node has the older name of 413 (RFC 9110 §15.5.14). */
const reasonPhrases: Readonly<Record<number, string | undefined>> = {
  ...STATUS_CODES,
  413: 'Content Too Large',
}
