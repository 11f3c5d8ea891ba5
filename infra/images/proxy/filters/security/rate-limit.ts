/** A local token bucket: at most so many requests per second, with a burst. */
import { z } from 'zod'
import { whole } from '../../../kit/process/config.js'
import { type FilterExchange, defineFilter } from '../../exchange/filter.js'

/** Buckets of callers that were not seen for long are forgotten; a flood of new names cannot fill the memory. */
const maxBuckets = 10_000

export const rateLimit = defineFilter({
  schema: z
    .strictObject({
      requestsPerSecond: z.number().gt(0).max(10_000_000),
      burst: whole(1, 10_000_000).optional().describe('absent: one second of requests'),
      per: z
        .enum(['proxy', 'principal', 'address'])
        .default('proxy')
        .describe('one bucket for all, one per SPIFFE id, or one per client address'),
    })
    .describe('Local rate limit'),
  create: ({ requestsPerSecond, burst = Math.max(1, Math.ceil(requestsPerSecond)), per }, { registry }) => {
    const decisions = registry.counters('meshbench_rate_limit_total', 'Decisions of the rate limit.', {
      decision: ['admitted', 'limited'],
    })
    const buckets = new Map<string, { tokens: number; atMs: number }>()
    const refusal = { status: 429, reason: 'rate-limited', body: 'rate limited\n' }
    const keyOf = (exchange: FilterExchange): string => {
      if (per === 'proxy') return ''
      return per === 'principal' ? (exchange.client.peer?.id ?? '') : exchange.client.address
    }
    return {
      request(exchange) {
        const key = keyOf(exchange)
        const now = performance.now()
        let bucket = buckets.get(key)
        if (bucket === undefined) {
          if (buckets.size >= maxBuckets) buckets.delete(buckets.keys().next().value as string)
          buckets.set(key, (bucket = { tokens: burst, atMs: now }))
        }
        bucket.tokens = Math.min(burst, bucket.tokens + ((now - bucket.atMs) * requestsPerSecond) / 1000)
        bucket.atMs = now
        if (bucket.tokens < 1) {
          decisions.limited.add()
          return refusal
        }
        bucket.tokens--
        decisions.admitted.add()
        return undefined
      },
    }
  },
})
