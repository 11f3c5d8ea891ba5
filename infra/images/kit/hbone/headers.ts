/** What a CONNECT request and its answer may look like (RFC 9113 §8.2, §8.3, §8.5). */
import type { HeaderField } from '../h2/hpack.js'

export type RequestHead =
  | { readonly connect: true; readonly authority: string; readonly headers: Readonly<Record<string, string>> }
  | { readonly connect: false }

/** RFC 9110 §5.6.2 token, without capitals (RFC 9113 §8.2.1). */
const fieldName = /^[!#$%&'*+\-.^_`|~0-9a-z]+$/
// eslint-disable-next-line no-control-regex -- these are the bytes that a field value must not have
const badValue = /[\x00-\x08\x0a-\x1f\x7f]|^[ \t]|[ \t]$/
const connectionFields = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'transfer-encoding',
  'upgrade',
])
const requestPseudo = new Set([':method', ':scheme', ':authority', ':path'])

/** Returns undefined for a malformed request. */
export function readConnect(fields: readonly HeaderField[]): RequestHead | undefined {
  const split = splitFields(fields, requestPseudo)
  if (!split) return undefined
  const { pseudo, headers } = split
  const method = pseudo.get(':method')
  if (method === undefined || method === '') return undefined
  if (method !== 'CONNECT') {
    // §8.3.1: every other request has these two.
    return pseudo.has(':scheme') && pseudo.get(':path') ? { connect: false } : undefined
  }
  const authority = pseudo.get(':authority')
  // §8.5: CONNECT has :authority and neither :scheme nor :path.
  if (authority === undefined || pseudo.size !== 2 || !/^[!-~]{1,260}$/.test(authority)) return undefined
  return { connect: true, authority, headers }
}

/** Returns undefined for a malformed answer. */
export function readStatus(fields: readonly HeaderField[]): number | undefined {
  const status = splitFields(fields, new Set([':status']))?.pseudo.get(':status')
  return status !== undefined && /^[1-9]\d\d$/.test(status) && status !== '101' ? Number(status) : undefined
}

function splitFields(
  fields: readonly HeaderField[],
  allowedPseudo: ReadonlySet<string>,
): { pseudo: Map<string, string>; headers: Record<string, string> } | undefined {
  const pseudo = new Map<string, string>()
  const headers = Object.create(null) as Record<string, string>
  let regular = false
  for (const [name, value] of fields) {
    if (badValue.test(value)) return undefined
    if (name.startsWith(':')) {
      if (regular || pseudo.has(name) || !allowedPseudo.has(name)) return undefined
      pseudo.set(name, value)
      continue
    }
    regular = true
    if (!fieldName.test(name) || connectionFields.has(name)) return undefined
    if (name === 'te' && value !== 'trailers') return undefined
    const known = headers[name]
    headers[name] = known === undefined ? value : `${known}, ${value}`
  }
  return { pseudo, headers }
}
