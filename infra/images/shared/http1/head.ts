/**
 * Strict parsing of HTTP/1.1 heads (RFC 9112), for a proxy: what is ambiguous is refused, and what belongs to one
 * connection only is marked, so that a head without it can be forwarded as it came.
 */

/** A message that must not be forwarded. `status` is what a server answers before it closes the connection. */
export class HeadError extends Error {
  readonly status: number
  constructor(status: number, message: string) {
    super(message)
    this.name = 'HeadError'
    this.status = status
  }
}

export interface HeadLimits {
  /** Of the whole head, start line and last empty line included. */
  readonly headBytes: number
  readonly headerCount: number
  /** Of the request target. */
  readonly targetBytes: number
}

/** What framing, routing and hop-by-hop handling need to know of a head. */
export class Http1Head {
  /** The head as it came, latin1, with its last empty line. */
  readonly raw: string
  /** Index of the CRLF that ends the start line. */
  lineEnd = 0
  /** Requests. */
  method = ''
  target = ''
  /** Value of Host, or the authority of an absolute-form target (they are equal when both are there). */
  authority = ''
  hosts = 0
  absoluteForm = false
  /** Responses. */
  status = 0
  reason = ''
  /** Minor version: 0 or 1. */
  minor = 1
  /** −1: no content-length header. */
  contentLength = -1
  chunked = false
  /** `connection: close` was there. */
  close = false
  /** `connection: keep-alive` was there. */
  keepAlive = false
  connectionUpgrade = false
  /** Value of the Upgrade header, lower case. */
  upgrade = ''
  expectContinue = false
  /** `te: trailers` was there. */
  teTrailers = false
  /** An x-forwarded-client-cert header was there: a claim of identity that only a trusted hop may make. */
  clientCert = false
  /** Framing fields are clear but oddly written: they are written anew, as not everybody may read them as we do. */
  irregular = false
  /** Flat pairs of start and end of the lines that belong to this connection only. */
  cuts: number[] | undefined
  /** Other field names that Connection nominates, lower case. */
  nominated: string[] | undefined

  constructor(raw: string) {
    this.raw = raw
  }

  /** The head without the lines of this connection, but with the start line and the framing that it came with. */
  forwardable(): string {
    const { cuts, raw } = this
    if (cuts === undefined) return raw
    let text = ''
    let from = 0
    for (let i = 0; i < cuts.length; i += 2) {
      text += raw.slice(from, cuts[i])
      from = cuts[i + 1] as number
    }
    return text + raw.slice(from)
  }

  /** Fields that travel on, as flat pairs of lower-case name and value: without framing and connection fields. */
  fields(): string[] {
    const list: string[] = []
    const { raw, cuts, nominated } = this
    const last = raw.length - 2
    let at = this.lineEnd + 2
    let cut = 0
    while (at < last) {
      const end = raw.indexOf('\r\n', at)
      if (cuts !== undefined && cuts[cut] === at) {
        cut += 2
      } else {
        const colon = raw.indexOf(':', at)
        const name = raw.slice(at, colon).toLowerCase()
        if (name !== 'content-length' && name !== 'transfer-encoding' && !nominated?.includes(name)) {
          list.push(name, trimSpace(raw, colon + 1, end))
        }
      }
      at = end + 2
    }
    return list
  }
}

/** RFC 9110 §5.6.2. */
const tokenCharacters = characterTable(
  (c) =>
    (c >= 48 && c <= 57) ||
    (c >= 65 && c <= 90) ||
    (c >= 97 && c <= 122) ||
    "!#$%&'*+-.^_`|~".includes(String.fromCharCode(c)),
)
/** RFC 9110 §5.5: visible characters, obs-text, space and tab. */
const valueCharacters = characterTable((c) => c === 9 || (c >= 32 && c !== 127))
/** RFC 9112 §3.2 and RFC 3986: no space, no control, no fragment, nothing beyond ASCII. */
const targetCharacters = characterTable((c) => c > 32 && c < 127 && c !== 35)

function characterTable(allowed: (code: number) => boolean): Uint8Array {
  return Uint8Array.from({ length: 256 }, (_, code) => (allowed(code) ? 1 : 0))
}

const carriageReturn = 13
const lineFeed = 10
const space = 32
const tab = 9
const colonCode = 58

/**
 * Index just after the empty line that ends the head which starts at `start`, or −1 when more bytes are needed.
 * Throws `HeadError` for a head that is too long, and for a bare CR or LF as soon as it is there: waiting for the end of
 * such a head would make the outcome depend on how the bytes were split.
 */
export function endOfHead(buffer: Buffer, start: number, end: number, limits: HeadLimits): number {
  const at = buffer.indexOf('\r\n\r\n', start, 'latin1')
  if (at >= 0 && at + 4 <= end) {
    if (at + 4 - start > limits.headBytes) throw new HeadError(431, 'the head is too long')
    return at + 4
  }
  for (let i = start; i < end; i++) {
    const c = buffer[i]
    if (c === lineFeed && (i === start || buffer[i - 1] !== carriageReturn))
      throw new HeadError(400, 'a bare LF')
    if (c === carriageReturn && i + 1 < end && buffer[i + 1] !== lineFeed)
      throw new HeadError(400, 'a bare CR')
  }
  if (end - start > limits.headBytes) throw new HeadError(431, 'the head is too long')
  return -1
}

/** Parses a request head. Throws `HeadError`. */
export function parseRequestHead(raw: string, limits: HeadLimits): Http1Head {
  const head = new Http1Head(raw)
  let at = 0
  while (tokenCharacters[raw.charCodeAt(at)] === 1) at++
  if (at === 0 || at > 32 || raw.charCodeAt(at) !== space)
    throw new HeadError(400, 'a malformed request line')
  head.method = raw.slice(0, at)
  const targetStart = ++at
  while (targetCharacters[raw.charCodeAt(at)] === 1) at++
  const targetEnd = at
  if (targetEnd === targetStart || raw.charCodeAt(at) !== space)
    throw new HeadError(400, 'a malformed request target')
  if (targetEnd - targetStart > limits.targetBytes) throw new HeadError(414, 'the request target is too long')
  head.target = raw.slice(targetStart, targetEnd)
  at++
  if (
    !raw.startsWith('HTTP/1.', at) ||
    raw.charCodeAt(at + 8) !== carriageReturn ||
    raw.charCodeAt(at + 9) !== lineFeed
  ) {
    throw /^HTTP\/\d\.\d\r\n/.test(raw.slice(at, at + 10))
      ? new HeadError(505, 'only HTTP/1.0, HTTP/1.1 and HTTP/2')
      : new HeadError(400, 'a malformed HTTP version')
  }
  const minor = raw.charCodeAt(at + 7) - 48
  if (!isDigit(minor + 48)) throw new HeadError(400, 'a malformed HTTP version')
  if (minor !== 0 && minor !== 1) throw new HeadError(505, 'only HTTP/1.0, HTTP/1.1 and HTTP/2')
  head.minor = minor
  head.lineEnd = at + 8
  parseFields(head, at + 10, limits)
  if (head.chunked && head.contentLength >= 0)
    throw new HeadError(400, 'content-length beside transfer-encoding')
  // RFC 9112 §6.1: a 1.0 message with transfer-encoding has faulty framing.
  if (head.chunked && minor === 0) throw new HeadError(400, 'transfer-encoding in HTTP/1.0')
  if (head.hosts > 1 || (head.hosts === 0 && minor === 1)) {
    throw new HeadError(400, `${head.hosts} host headers instead of one`)
  }
  checkTarget(head)
  return head
}

/** Parses a response head. Throws `HeadError` with status 502. */
export function parseResponseHead(raw: string, limits: HeadLimits): Http1Head {
  const head = new Http1Head(raw)
  // HTTP/1.1 200 OK — the reason phrase may be empty, and some servers leave out the space before it.
  const minor = raw.charCodeAt(7) - 48
  const status = (raw.charCodeAt(9) - 48) * 100 + (raw.charCodeAt(10) - 48) * 10 + raw.charCodeAt(11) - 48
  const after = raw.charCodeAt(12)
  if (
    !raw.startsWith('HTTP/1.') ||
    (minor !== 0 && minor !== 1) ||
    raw.charCodeAt(8) !== space ||
    !isDigit(raw.charCodeAt(9)) ||
    !isDigit(raw.charCodeAt(10)) ||
    !isDigit(raw.charCodeAt(11)) ||
    status < 100 ||
    (after !== space && after !== carriageReturn)
  ) {
    throw new HeadError(502, 'a malformed status line')
  }
  head.minor = minor
  head.status = status
  let at = 12
  while (valueCharacters[raw.charCodeAt(at)] === 1) at++
  if (raw.charCodeAt(at) !== carriageReturn || raw.charCodeAt(at + 1) !== lineFeed) {
    throw new HeadError(502, 'a malformed status line')
  }
  head.reason = at > 13 ? raw.slice(13, at) : ''
  head.lineEnd = at
  try {
    parseFields(head, at + 2, limits)
  } catch (error) {
    throw error instanceof HeadError ? new HeadError(502, error.message) : error
  }
  if (head.chunked && (head.contentLength >= 0 || minor === 0)) {
    throw new HeadError(502, 'content-length beside transfer-encoding')
  }
  return head
}

/** Checks lines of a trailer section (without its last empty line) and returns the fields that may travel on. */
export function parseTrailers(raw: string, limits: HeadLimits): string[] {
  const head = new Http1Head(raw + '\r\n')
  head.lineEnd = -2
  if (raw.length > 0) parseFields(head, 0, limits)
  const fields = head.fields()
  const kept: string[] = []
  for (let i = 0; i < fields.length; i += 2) {
    const name = fields[i] as string
    // RFC 9110 §6.5.1: fields for framing, routing and authentication make no sense, or harm, after the content.
    if (!forbiddenTrailers.has(name)) kept.push(name, fields[i + 1] as string)
  }
  return kept
}

const forbiddenTrailers = new Set(
  'host authorization cookie set-cookie content-encoding content-type content-range trailer age cache-control expires date location vary x-forwarded-client-cert x-forwarded-for forwarded via'.split(
    ' ',
  ),
)

/** Fields that Connection may not take away: they decide where a request goes, who sent it and where it ends. */
const protectedFields = new Set(
  'host content-length transfer-encoding authorization cookie x-forwarded-client-cert x-forwarded-for forwarded traceparent'.split(
    ' ',
  ),
)

function parseFields(head: Http1Head, start: number, limits: HeadLimits): void {
  const { raw } = head
  const last = raw.length - 2
  let at = start
  let count = 0
  while (at < last) {
    const lineStart = at
    while (tokenCharacters[raw.charCodeAt(at)] === 1) at++
    // No name, a space before the colon, a folded line: RFC 9112 §5.
    if (at === lineStart || raw.charCodeAt(at) !== colonCode)
      throw new HeadError(400, 'a malformed header name')
    const nameEnd = at
    at++
    while (valueCharacters[raw.charCodeAt(at)] === 1) at++
    if (raw.charCodeAt(at) !== carriageReturn || raw.charCodeAt(at + 1) !== lineFeed) {
      throw new HeadError(400, 'a control character in a header value')
    }
    if (++count > limits.headerCount) throw new HeadError(431, 'too many headers')
    noteField(head, lineStart, nameEnd, at)
    at += 2
  }
}

/** Takes in the fields that mean something to a proxy. Their lengths tell nearly all others apart. */
function noteField(head: Http1Head, lineStart: number, nameEnd: number, valueEnd: number): void {
  const { raw } = head
  switch (nameEnd - lineStart) {
    case 2:
      if (isName(raw, lineStart, 'te')) {
        cut(head, lineStart, valueEnd)
        if (
          trimSpace(raw, nameEnd + 1, valueEnd)
            .toLowerCase()
            .split(/\s*,\s*/)
            .includes('trailers')
        )
          head.teTrailers = true
      }
      break
    case 4:
      if (isName(raw, lineStart, 'host')) {
        head.hosts++
        head.authority = trimSpace(raw, nameEnd + 1, valueEnd)
      }
      break
    case 6:
      if (isName(raw, lineStart, 'expect')) {
        if (trimSpace(raw, nameEnd + 1, valueEnd).toLowerCase() !== '100-continue') {
          throw new HeadError(417, 'an unknown expectation')
        }
        head.expectContinue = true
      }
      break
    case 7:
      if (isName(raw, lineStart, 'upgrade')) {
        head.upgrade = trimSpace(raw, nameEnd + 1, valueEnd).toLowerCase()
        cut(head, lineStart, valueEnd)
      } else if (isName(raw, lineStart, 'trailer')) {
        cut(head, lineStart, valueEnd)
      }
      break
    case 10:
      if (isName(raw, lineStart, 'connection')) {
        noteConnection(head, trimSpace(raw, nameEnd + 1, valueEnd).toLowerCase())
        cut(head, lineStart, valueEnd)
      } else if (isName(raw, lineStart, 'keep-alive')) {
        cut(head, lineStart, valueEnd)
      }
      break
    case 14:
      if (isName(raw, lineStart, 'content-length')) {
        const value = trimSpace(raw, nameEnd + 1, valueEnd)
        noteLength(head, value)
        if (valueEnd - nameEnd !== value.length + 2 || (value.length > 1 && value.startsWith('0')))
          head.irregular = true
      } else if (isName(raw, lineStart, 'http2-settings')) cut(head, lineStart, valueEnd)
      break
    case 16:
      if (isName(raw, lineStart, 'proxy-connection')) cut(head, lineStart, valueEnd)
      break
    case 17:
      if (isName(raw, lineStart, 'transfer-encoding')) {
        const coding = trimSpace(raw, nameEnd + 1, valueEnd).toLowerCase()
        if (raw.slice(nameEnd + 1, valueEnd) !== ' chunked') head.irregular = true
        if (coding !== 'chunked' || head.chunked)
          throw new HeadError(400, 'a transfer-encoding other than chunked')
        head.chunked = true
      }
      break
    case 23:
      if (isName(raw, lineStart, 'x-forwarded-client-cert')) head.clientCert = true
      break
    default:
      // RFC 3875 turns `content_length` into the same variable as `content-length`; some servers fold `_` into `-`.
      break
  }
}

function noteLength(head: Http1Head, value: string): void {
  if (head.contentLength >= 0) throw new HeadError(400, 'two content-length headers')
  if (value.length === 0 || value.length > 15) throw new HeadError(400, 'a malformed content-length')
  let length = 0
  for (let i = 0; i < value.length; i++) {
    const code = value.charCodeAt(i)
    if (!isDigit(code)) throw new HeadError(400, 'a malformed content-length')
    length = length * 10 + code - 48
  }
  head.contentLength = length
}

function noteConnection(head: Http1Head, value: string): void {
  if (value === 'keep-alive') {
    head.keepAlive = true
    return
  }
  for (const part of value.split(',')) {
    const option = part.trim()
    if (option === 'close') head.close = true
    else if (option === 'keep-alive') head.keepAlive = true
    else if (option === 'upgrade') head.connectionUpgrade = true
    else if (option !== '' && !protectedFields.has(option)) (head.nominated ??= []).push(option)
  }
}

function cut(head: Http1Head, lineStart: number, valueEnd: number): void {
  ;(head.cuts ??= []).push(lineStart, valueEnd + 2)
}

/** RFC 3986 §3.2.2: a reg-name, an IPv4 address or an IPv6 address in brackets, and a port. */
const authorityPattern = /^(?:[A-Za-z0-9._~!$&'()*+,;=%-]+|\[[0-9A-Fa-f:.]+\])(?::\d{1,5})?$/

function checkTarget(head: Http1Head): void {
  const { target, method } = head
  if (head.hosts === 1 && !isAuthority(head.authority)) throw new HeadError(400, 'a malformed host')
  if (target.charCodeAt(0) === 47) {
    if (method === 'CONNECT') throw new HeadError(400, 'CONNECT with a path')
    return
  }
  if (method === 'CONNECT') {
    if (!authorityPattern.test(target)) throw new HeadError(400, 'a malformed CONNECT target')
    return
  }
  if (target === '*') {
    if (method !== 'OPTIONS') throw new HeadError(400, 'the target * without OPTIONS')
    return
  }
  const match = /^https?:\/\/([^/?]+)(.*)$/i.exec(target)
  if (!match || !authorityPattern.test(match[1] as string))
    throw new HeadError(400, 'a malformed request target')
  const authority = match[1] as string
  // RFC 9112 §3.2.2 lets a proxy replace Host; two different answers to "which host" are how routing is fooled.
  if (head.hosts === 1 && authority.toLowerCase() !== head.authority.toLowerCase()) {
    throw new HeadError(400, 'the target and Host name different hosts')
  }
  head.authority = authority
  head.absoluteForm = true
  const path = match[2] as string
  head.target = path === '' && method === 'OPTIONS' ? '*' : path.startsWith('/') ? path : `/${path}`
}

let lastAuthority = ''
/** Clients say the same host again and again: the last good one needs no second look. */
function isAuthority(value: string): boolean {
  if (value === lastAuthority) return true
  if (!authorityPattern.test(value)) return false
  lastAuthority = value
  return true
}

function isName(raw: string, start: number, name: string): boolean {
  for (let i = 0; i < name.length; i++) {
    // Lower-casing by one bit: letters become lower case, and "-" stays, among the characters of a token.
    if ((raw.charCodeAt(start + i) | 32) !== name.charCodeAt(i)) return false
  }
  return true
}

function isDigit(code: number): boolean {
  return code >= 48 && code <= 57
}

/** Without the optional white space (space and tab only) around it. */
function trimSpace(raw: string, from: number, to: number): string {
  let start = from
  let end = to
  while (start < end && isSpace(raw.charCodeAt(start))) start++
  while (end > start && isSpace(raw.charCodeAt(end - 1))) end--
  return raw.slice(start, end)
}

function isSpace(code: number): boolean {
  return code === space || code === tab
}
