/** Header fields between HTTP/2 and the proxy's own form; fields of an HTTP/1.1 connection must not appear (RFC 9113 §8.2.2). */
import type { IncomingHttpHeaders, OutgoingHttpHeaders } from 'node:http2'
import { forbiddenTrailers } from '../../kit/http1/head.js'
import { Fields } from './message.js'

/** What belongs to one connection, or is kept beside the fields. */
const ownFields = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'transfer-encoding',
  'upgrade',
  'te',
  'host',
  'content-length',
  'http2-settings',
])

/** Without pseudo headers and `ownFields`. */
export function fieldsFromHttp2(headers: IncomingHttpHeaders): Fields {
  const list: string[] = []
  for (const name in headers) {
    if (name.charCodeAt(0) === 58 || ownFields.has(name)) continue
    const value = headers[name]
    if (Array.isArray(value)) for (const one of value) list.push(name, one)
    else if (value !== undefined) list.push(name, value)
  }
  return new Fields(list)
}

/** The same for a trailer section, without what may stand only in a head. */
export function trailersFromHttp2(headers: IncomingHttpHeaders): Fields {
  const fields = fieldsFromHttp2(headers)
  for (const name in headers) if (forbiddenTrailers.has(name)) fields.remove(name)
  return fields
}

/** The fields beside `pseudo`. */
export function fieldsToHttp2(fields: Fields, pseudo: OutgoingHttpHeaders): OutgoingHttpHeaders {
  // No prototype: a peer may well send a field named `constructor` or `__proto__`.
  const headers = Object.assign(Object.create(null) as OutgoingHttpHeaders, pseudo)
  const { list } = fields
  for (let i = 0; i < list.length; i += 2) {
    const name = list[i] as string
    const value = list[i + 1] as string
    const before = headers[name]
    if (ownFields.has(name)) continue
    if (before === undefined) headers[name] = value
    else if (Array.isArray(before)) before.push(value)
    // Some fields may be sent once only: the last one counts, as a list would be refused.
    else headers[name] = singleFields.has(name) ? value : [String(before), value]
  }
  return headers
}

/** node:http2 throws when one of these has a list of values. */
const singleFields = new Set(
  'access-control-allow-credentials access-control-max-age access-control-request-method age authorization content-encoding content-language content-location content-md5 content-range content-type date dnt etag expires from host if-match if-modified-since if-none-match if-range if-unmodified-since last-modified location max-forwards proxy-authorization range referer retry-after tk upgrade-insecure-requests user-agent x-content-type-options'.split(
    ' ',
  ),
)
