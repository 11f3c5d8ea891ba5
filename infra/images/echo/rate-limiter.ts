/** A rate limit service: counts requests by what they are about, in windows of one second, as a limit per second is kept. */
import { messageIn } from '../kit/grpc/framing.js'
import { rateLimitPath, rateLimitReplies } from '../kit/grpc/rate-limit-service.js'
import type { GrpcCalls } from './http2.js'

/** So many different questions of one second are told apart; more would be a flood of new names. */
const maxCounted = 10_000

/** Domain and descriptors are one key, as they come: the same question is the same bytes. */
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
