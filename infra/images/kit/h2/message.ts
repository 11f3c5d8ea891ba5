/** What a request, an answer and their trailers may look like in HTTP/2 (RFC 9113 §8.1, §8.2, §8.3, §8.5). */
import type { HeaderList } from './hpack.js'

export interface RequestFields {
  readonly method: string
  readonly path: string
  /** Empty when there was none. */
  readonly authority: string
  /** Flat pairs of name and value, without pseudo fields; several `cookie` fields are joined. */
  readonly fields: readonly string[]
  /** What content-length says; -1 when there is none. */
  readonly contentLength: number
}

/** RFC 9110 §5.6.2 token, without capitals (RFC 9113 §8.2.1). */
const fieldName = /^[!#$%&'*+\-.^_`|~0-9a-z]+$/
// eslint-disable-next-line no-control-regex -- these are the bytes that a field value must not have
const badValue = /[\x00-\x08\x0a-\x1f\x7f]|^[ \t]|[ \t]$/
const methodPattern = /^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,32}$/

/** Returns undefined for a malformed request. */
export function readRequest(list: HeaderList): RequestFields | undefined {
  let [method, scheme, path, authority] = ['', '', '', ''] as [string, string, string, string]
  let seen = 0
  const { fields } = list
  let at = 0
  for (; at < fields.length && fields[at]?.charCodeAt(0) === colon; at += 2) {
    const value = fields[at + 1] as string
    let bit = 0
    switch (fields[at] as string) {
      case ':method':
        method = value
        bit = 1
        break
      case ':scheme':
        scheme = value
        bit = 2
        break
      case ':path':
        path = value
        bit = 4
        break
      case ':authority':
        authority = value
        bit = 8
    }
    if (bit === 0 || seen & bit || badValue.test(value)) return undefined
    seen |= bit
  }
  if (!methodPattern.test(method)) return undefined
  // §8.5: CONNECT has :authority and neither :scheme nor :path. §8.3.1: every other request has these two.
  if (method === 'CONNECT' ? seen !== (1 | 8) || authority === '' : scheme === '' || path === '')
    return undefined
  const rest = readFields(fields, at)
  return rest && { method, path, authority, ...rest }
}

/** Returns undefined for a malformed answer. */
export function readResponse(
  list: HeaderList,
): (Pick<RequestFields, 'fields' | 'contentLength'> & { readonly status: number }) | undefined {
  const [name, status = ''] = list.fields
  if (list.isTooLarge || name !== ':status' || !/^[1-5]\d\d$/.test(status) || status === '101')
    return undefined
  const rest = readFields(list.fields, 2)
  return rest && { status: Number(status), ...rest }
}

/** Returns undefined for malformed trailers. */
export function readTrailers(list: HeaderList): readonly string[] | undefined {
  return readFields(list.fields, 0)?.fields
}

const colon = 58

/** The fields from `start` on, checked. */
function readFields(
  list: readonly string[],
  start: number,
): Pick<RequestFields, 'fields' | 'contentLength'> | undefined {
  let contentLength = -1
  let cookies = 0
  for (let i = start; i < list.length; i += 2) {
    const name = list[i] as string
    const value = list[i + 1] as string
    if (!fieldName.test(name) || badValue.test(value)) return undefined
    switch (name) {
      // §8.2.2: fields of an HTTP/1.1 connection.
      case 'connection':
      case 'keep-alive':
      case 'proxy-connection':
      case 'transfer-encoding':
      case 'upgrade':
        return undefined
      case 'te':
        if (value !== 'trailers') return undefined
        break
      case 'content-length':
        if (contentLength >= 0 || !/^\d{1,15}$/.test(value)) return undefined
        contentLength = Number(value)
        break
      case 'cookie':
        cookies += 1
    }
  }
  const fields = list.slice(start)
  return { fields: cookies > 1 ? joinCookies(fields) : fields, contentLength }
}

/** §8.2.3: crumbs of a cookie are one field for whoever is not told of HTTP/2. */
function joinCookies(list: readonly string[]): string[] {
  const joined: string[] = []
  let place = -1
  for (let i = 0; i < list.length; i += 2) {
    const [name, value] = [list[i] as string, list[i + 1] as string]
    if (name === 'cookie' && place >= 0) {
      joined[place] += `; ${value}`
      continue
    }
    joined.push(name, value)
    if (name === 'cookie') place = joined.length - 1
  }
  return joined
}
