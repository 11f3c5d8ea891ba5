/**
 * Strict parsing of HTTP/1.1 heads (RFC 9112), for a proxy: what is ambiguous is refused, and what belongs to one
 * connection only is marked, so that a head without it can be forwarded as it came.
 */
import {
  carriageReturn,
  isDigit,
  lineFeed,
  space,
  targetCharacters,
  tokenCharacters,
  valueCharacters,
} from './characters.js'
import { parseFields } from './fields.js'
import { HeadError, type HeadLimits, Http1Head } from './http1-head.js'

/** Where the head begins: empty lines before a request are borne (RFC 9112 §2.2). */
export function startOfHead(buffer: Buffer, from: number): number {
  let at = from
  while (buffer[at] === carriageReturn && buffer[at + 1] === lineFeed) at += 2
  return at
}

/**
 * Index just after the empty line that ends the head which starts at `start`, or −1 when more bytes are needed.
 * Throws `HeadError` for a head that is too long, and for a bare CR or LF as soon as it is there: waiting for the end of
 * such a head would make the outcome depend on how the bytes were split. `checkedBytes` of it were here before and need no
 * second look: a head that comes byte by byte would else cost the square of its length.
 */
export function endOfHead(
  buffer: Buffer,
  start: number,
  end: number,
  limits: HeadLimits,
  checkedBytes = 0,
): number {
  // Its end may have begun in what was there.
  const from = start + Math.max(0, checkedBytes - 3)
  const at = buffer.indexOf('\r\n\r\n', from, 'latin1')
  if (at >= 0 && at + 4 <= end) {
    if (at + 4 - start > limits.headBytes) throw new HeadError(431, 'the head is too long')
    return at + 4
  }
  for (let i = from; i < end; i++) {
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
      ? new HeadError(505, 'only HTTP/1 and HTTP/2')
      : new HeadError(400, 'a malformed HTTP version')
  }
  const minor = raw.charCodeAt(at + 7)
  if (!isDigit(minor)) throw new HeadError(400, 'a malformed HTTP version')
  noteMinor(head, minor)
  head.lineEnd = at + 8
  parseFields(head, at + 10, limits)
  if (head.chunked && head.contentLength >= 0)
    throw new HeadError(400, 'content-length beside transfer-encoding')
  // RFC 9112 §6.1: a 1.0 message with transfer-encoding has faulty framing.
  if (head.chunked && head.minor === 0) throw new HeadError(400, 'transfer-encoding in HTTP/1.0')
  if (head.hosts > 1 || (head.hosts === 0 && head.minor === 1)) {
    throw new HeadError(400, `${head.hosts} host headers instead of one`)
  }
  checkTarget(head)
  return head
}

/** RFC 9110 §2.5: a higher minor version is read as the highest that is known, and the head is written anew. */
function noteMinor(head: Http1Head, digit: number): void {
  head.minor = Math.min(digit - 48, 1)
  if (digit > 49) head.irregular = true
}

/** Parses a response head. Throws `HeadError` with status 502. */
export function parseResponseHead(raw: string, limits: HeadLimits): Http1Head {
  const head = new Http1Head(raw)
  // HTTP/1.1 200 OK — the reason phrase may be empty, and some servers leave out the space before it.
  const minor = raw.charCodeAt(7)
  const status = (raw.charCodeAt(9) - 48) * 100 + (raw.charCodeAt(10) - 48) * 10 + raw.charCodeAt(11) - 48
  const after = raw.charCodeAt(12)
  if (
    !raw.startsWith('HTTP/1.') ||
    !isDigit(minor) ||
    raw.charCodeAt(8) !== space ||
    !isDigit(raw.charCodeAt(9)) ||
    !isDigit(raw.charCodeAt(10)) ||
    !isDigit(raw.charCodeAt(11)) ||
    status < 100 ||
    (after !== space && after !== carriageReturn)
  ) {
    throw new HeadError(502, 'a malformed status line')
  }
  noteMinor(head, minor)
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
  if (head.chunked && (head.contentLength >= 0 || head.minor === 0)) {
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

/** RFC 9110 §6.5.1. */
export const forbiddenTrailers: ReadonlySet<string> = new Set(
  'host authorization cookie set-cookie content-encoding content-type content-range trailer age cache-control expires date location vary x-forwarded-client-cert x-forwarded-for forwarded via'.split(
    ' ',
  ),
)

/** RFC 3986 §3.2.2: a reg-name, an IPv4 address or an IPv6 address in brackets, and a port. */
export const authorityPattern = /^(?:[A-Za-z0-9._~!$&'()*+,;=%-]+|\[[0-9A-Fa-f:.]+\])(?::\d{0,5})?$/

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
  const defaultPort = /^https/i.test(target) ? '443' : '80'
  if (head.hosts === 1 && !isSameAuthority(authority, head.authority, defaultPort)) {
    throw new HeadError(400, 'the target and Host name different hosts')
  }
  head.authority = authority
  head.absoluteForm = true
  const path = match[2] as string
  head.target = path === '' && method === 'OPTIONS' ? '*' : path.startsWith('/') ? path : `/${path}`
}

/** RFC 3986 §6.2.3: no port, an empty one and the scheme's default are the same. */
function isSameAuthority(a: string, b: string, defaultPort: string): boolean {
  const withPort = (authority: string): string =>
    authority.toLowerCase().replace(/(?::|:0*(\d+))?$/, (_, port?: string) => `:${port ?? defaultPort}`)
  return a === b || withPort(a) === withPort(b)
}

let lastAuthority = ''
/** Clients say the same host again and again: the last good one needs no second look. */
function isAuthority(value: string): boolean {
  if (value === lastAuthority) return true
  if (!authorityPattern.test(value)) return false
  lastAuthority = value
  return true
}
