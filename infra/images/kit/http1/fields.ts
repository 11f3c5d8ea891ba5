/** The field lines of an HTTP/1.1 head (RFC 9110 §5, RFC 9112 §5): checked, and those noted that mean something to a proxy. */
import {
  carriageReturn,
  colonCode,
  isDigit,
  isName,
  lineFeed,
  tokenCharacters,
  trimSpace,
  valueCharacters,
} from './characters.js'
import { HeadError, type HeadLimits, type Http1Head } from './http1-head.js'

/** Fields that Connection may not take away: they decide where a request goes, who sent it and where it ends. */
const protectedFields = new Set(
  'host content-length transfer-encoding authorization cookie x-forwarded-client-cert x-forwarded-for forwarded traceparent'.split(
    ' ',
  ),
)

/** Reads the lines from `start` to the empty line at the end of `head.raw`. Throws `HeadError`. */
export function parseFields(head: Http1Head, start: number, limits: HeadLimits): void {
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
      if (isName(raw, lineStart, 'te')) cut(head, lineStart, valueEnd)
      break
    case 4:
      if (isName(raw, lineStart, 'host')) {
        head.hosts++
        head.authority = trimSpace(raw, nameEnd + 1, valueEnd)
      }
      break
    case 6:
      // Only a request expects; in an answer, or among trailers, the field means nothing.
      if (head.method !== '' && isName(raw, lineStart, 'expect')) {
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
    else if (option !== '' && !protectedFields.has(option)) (head.nominated ??= new Set()).add(option)
  }
}

function cut(head: Http1Head, lineStart: number, valueEnd: number): void {
  ;(head.cuts ??= []).push(lineStart, valueEnd + 2)
}
