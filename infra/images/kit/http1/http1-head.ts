/** What a proxy knows of an HTTP/1.1 head once it is parsed, and what of it travels on. */
import { trimSpace } from './characters.js'

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
  close = false
  keepAlive = false
  connectionUpgrade = false
  /** Value of the Upgrade header, lower case. */
  upgrade = ''
  expectContinue = false
  /** An x-forwarded-client-cert header was there: a claim of identity that only a trusted hop may make. */
  clientCert = false
  /** Framing fields are clear but oddly written: they are written anew, as not everybody may read them as we do. */
  irregular = false
  /** Flat pairs of start and end of the lines that belong to this connection only. */
  cuts: number[] | undefined
  /** Other field names that Connection nominates, lower case. */
  nominated: Set<string> | undefined

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
        if (name !== 'content-length' && name !== 'transfer-encoding' && !nominated?.has(name)) {
          list.push(name, trimSpace(raw, colon + 1, end))
        }
      }
      at = end + 2
    }
    return list
  }
}

/** Value of the first field of this name, in lower case, among flat pairs of name and value. */
export function firstValue(fields: readonly string[], name: string): string | undefined {
  for (let i = 0; i < fields.length; i += 2) if (fields[i] === name) return fields[i + 1]
  return undefined
}
