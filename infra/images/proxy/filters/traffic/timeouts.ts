/** Bounds how long a request, each try at an upstream, and silence on a stream may last. */
import { z } from 'zod'
import { type FilterExchange, defineFilter } from '../../exchange/filter.js'

const timeoutSchema = z.number().min(1).max(3_600_000).optional()

interface Timers {
  request?: NodeJS.Timeout
  attempt?: NodeJS.Timeout | undefined
  idle?: NodeJS.Timeout
}

export const timeouts = defineFilter({
  schema: z
    .strictObject({
      requestMs: timeoutSchema.describe('from the request head to the end of the response'),
      perTryMs: timeoutSchema.describe('one try at an upstream'),
      idleMs: timeoutSchema.describe('without a byte of request or response'),
    })
    .describe('Timeouts; a request that exceeds one gets 504'),
  create: ({ requestMs, perTryMs, idleMs }, { registry }) => {
    const expired = registry.counters('meshbench_timeouts_total', 'Expired timeouts.', {
      kind: ['request', 'per-try', 'idle'],
    })
    const running = new Map<FilterExchange, Timers>()
    const timersOf = (exchange: FilterExchange): Timers => {
      let timers = running.get(exchange)
      if (timers === undefined) running.set(exchange, (timers = {}))
      return timers
    }
    const watchIdle = (exchange: FilterExchange, limitMs: number): void => {
      let seen = -1
      // Half the limit at a time: an idle stream is seen between one and one and a half limits.
      timersOf(exchange).idle = setInterval(() => {
        const now = exchange.requestBytes + exchange.responseBytes
        if (now !== seen) {
          seen = now
          quiet = 0
        } else if (++quiet >= 2) {
          expired.idle.add()
          exchange.reply({ status: 504, reason: 'idle-timeout' })
        }
      }, limitMs / 2)
      let quiet = 0
    }
    return {
      ...((requestMs !== undefined || idleMs !== undefined) && {
        request(exchange: FilterExchange) {
          if (requestMs !== undefined) {
            timersOf(exchange).request = setTimeout(() => {
              expired.request.add()
              exchange.reply({ status: 504, reason: 'request-timeout' })
            }, requestMs)
          }
          if (idleMs !== undefined) watchIdle(exchange, idleMs)
          return undefined
        },
      }),
      ...(perTryMs !== undefined && {
        attempt(exchange: FilterExchange) {
          const timers = timersOf(exchange)
          clearTimeout(timers.attempt)
          timers.attempt = setTimeout(() => {
            expired['per-try'].add()
            exchange.failAttempt('timeout')
          }, perTryMs)
          return undefined
        },
        attemptEnd(exchange: FilterExchange) {
          clearTimeout(running.get(exchange)?.attempt)
        },
      }),
      end(exchange) {
        const timers = running.get(exchange)
        if (timers === undefined) return
        running.delete(exchange)
        clearTimeout(timers.request)
        clearTimeout(timers.attempt)
        clearInterval(timers.idle)
      },
    }
  },
})
