/** Tries again what may be tried again, after a pause that grows, and only while retries are few among the requests. */
import { z } from 'zod'
import { whole } from '../../../kit/process/config.js'
import { type AttemptOutcome, type FilterExchange, defineFilter } from '../../exchange/filter.js'

const conditions = ['connect-failure', 'reset', 'timeout', 'gateway-error', '5xx'] as const

export const retry = defineFilter({
  schema: z
    .strictObject({
      retries: whole(1, 10).default(2).describe('tries after the first'),
      on: z
        .array(z.enum(conditions))
        .min(1)
        .default(['connect-failure', 'reset', 'gateway-error'])
        .describe('gateway-error: 502, 503 and 504'),
      methods: z
        .array(z.string().min(1))
        .default(['GET', 'HEAD', 'OPTIONS', 'PUT', 'DELETE', 'TRACE'])
        .describe('what may be sent twice; a request that was never sent may always be'),
      backoff: z
        .strictObject({
          baseMs: z.number().min(0).max(60_000).default(25),
          maxMs: z.number().min(0).max(60_000).default(250),
        })
        .prefault({})
        .describe('before try n: a random share of base × 2^(n−1), at most max'),
      budget: z
        .strictObject({
          percent: z
            .number()
            .min(0)
            .max(100)
            .default(20)
            .describe('of the requests in progress that may be retries'),
          minConcurrent: whole(0, 10_000).default(3).describe('retries that are always allowed'),
        })
        .prefault({}),
    })
    .describe('Retries'),
  create: ({ retries, on, methods, backoff, budget }, { registry }) => {
    const decisions = registry.counters('meshbench_retries_total', 'Failed tries by what became of them.', {
      decision: ['retried', 'limit', 'budget'],
    })
    const wanted = new Set(on)
    const safeMethods = new Set(methods)
    const retrying = new Map<FilterExchange, number>()
    /** Not those that a filter before this one has answered, which end without having come here. */
    const inProgress = new Set<FilterExchange>()
    const isRetriable = (exchange: FilterExchange, { kind, status }: AttemptOutcome): boolean => {
      if (kind === 'connect' || kind === 'refused') return wanted.has('connect-failure')
      if (!safeMethods.has(exchange.request.method)) return false
      if (kind === 'response') {
        return (
          (wanted.has('5xx') && status >= 500) ||
          (wanted.has('gateway-error') && status >= 502 && status <= 504)
        )
      }
      return kind === 'timeout' ? wanted.has('timeout') : kind !== 'cancelled' && wanted.has('reset')
    }
    return {
      keepsBody: true,
      request(exchange) {
        inProgress.add(exchange)
        return undefined
      },
      retry(exchange, outcome) {
        if (!isRetriable(exchange, outcome)) return undefined
        const done = retrying.get(exchange) ?? 0
        if (done >= retries) {
          decisions.limit.add()
          return undefined
        }
        const allowed = Math.max(budget.minConcurrent, (budget.percent / 100) * inProgress.size)
        if (done === 0 && retrying.size + 1 > allowed) {
          decisions.budget.add()
          return undefined
        }
        retrying.set(exchange, done + 1)
        decisions.retried.add()
        return Math.random() * Math.min(backoff.maxMs, backoff.baseMs * 2 ** done)
      },
      end(exchange) {
        retrying.delete(exchange)
        inProgress.delete(exchange)
      },
    }
  },
})
