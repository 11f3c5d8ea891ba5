/** OPTIONS and TRACE that say how many more hops may forward them (RFC 9110 §7.6.2). */
import type { RequestHead } from './message.js'
import type { Reply } from './reply.js'

/**
 * Counts this hop where a request counts hops. A reply: it may go no further, and is this proxy's to answer. A TRACE is not
 * reflected, since its fields may hold what hops before this one added and no client should see.
 */
export function spendForward({ method, fields }: Pick<RequestHead, 'method' | 'fields'>): Reply | undefined {
  const left = fields.get('max-forwards')
  if (left === undefined || !/^\d+$/.test(left)) return undefined
  if (Number(left) > 0) {
    // Larger ones than any path is long may be capped (RFC 9110 §7.6.2).
    fields.set('max-forwards', String(Math.min(Number(left), 1_000_000) - 1))
    return undefined
  }
  const reason = 'max-forwards'
  return method === 'OPTIONS' ? { status: 200, reason } : { status: 405, reason, headers: ['allow', ''] }
}

export const countsHops = (method: string) => method === 'OPTIONS' || method === 'TRACE'
