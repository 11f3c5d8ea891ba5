/** The services that proxies ask: an authorizer, an issuer of tokens, and a rate limit service. */
import { messageIn } from '../kit/grpc/framing.js'
import { rateLimitPath, rateLimitReplies } from '../kit/grpc/rate-limit-service.js'
import { firstValue } from '../kit/http1/http1-head.js'
import type { Decide } from './http1.js'
import type { GrpcCalls } from './http2.js'

/** By a field of the request it lets pass (200), or denies (403). The name is in lower case; a value has to be the same to the byte. */
export function authorizer({ header, value }: { header: string; value: string }): Decide {
  const allowed = { status: 200, body: '' }
  const denied = { status: 403, body: 'denied\n' }
  return (head) => (firstValue(head.fields(), header) === value ? allowed : denied)
}

const jwksPath = '/.well-known/jwks.json'

/** An issuer as those ask it who check its tokens: its public keys (RFC 7517 §5), and nothing else. */
export function issuer(jwks: { readonly keys: readonly unknown[] }): Decide {
  const keys = { status: 200, body: JSON.stringify(jwks), type: 'application/jwk-set+json' }
  const elsewhere = { status: 404, body: `the keys are at ${jwksPath}\n` }
  return ({ method, target }) => (method === 'GET' && target === jwksPath ? keys : elsewhere)
}

/** So many different questions of one second are told apart; more would be a flood of new names. */
const maxCounted = 10_000

/**
 * Counts requests by what they are about in windows of one second, as a limit per second is kept. Domain and descriptors
 * are one key, as they come: the same question is the same bytes.
 */
export function rateLimiter({ requestsPerSecond }: { requestsPerSecond: number }): GrpcCalls {
  const counts = new Map<string, number>()
  let second = 0
  return new Map([
    [
      rateLimitPath,
      (body: Buffer) => {
        const key = messageIn(body).toString('latin1')
        const now = Math.floor(performance.now() / 1000)
        if (now !== second) {
          counts.clear()
          second = now
        }
        const count = (counts.get(key) ?? 0) + 1
        if (counts.size < maxCounted || counts.has(key)) counts.set(key, count)
        const bytes = count > requestsPerSecond ? rateLimitReplies.overLimit : rateLimitReplies.ok
        return { bytes, patternBytes: 0 }
      },
    ],
  ])
}
