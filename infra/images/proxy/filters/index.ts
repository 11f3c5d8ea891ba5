/** The filters, in the order of the chain: one file and one line each. */
import { z } from 'zod'
import type { Filter, FilterContext, FilterDefinition } from '../filter.js'
import { accessLog } from './access-log.js'
import { authorization } from './authorization.js'
import { balance } from './balance.js'
import { burn } from './burn.js'
import { circuitBreaker } from './circuit-breaker.js'
import { externalAuthorization } from './external-authorization.js'
import { fault } from './fault.js'
import { forwarded } from './forwarded.js'
import { headers } from './headers.js'
import { health } from './health.js'
import { jwt } from './jwt.js'
import { locality } from './locality.js'
import { mirror } from './mirror.js'
import { outlier } from './outlier.js'
import { pause } from './pause.js'
import { rateLimit } from './rate-limit.js'
import { requestMetrics } from './request-metrics.js'
import { retry } from './retry.js'
import { timeouts } from './timeouts.js'
import { trace } from './trace.js'

/** A definition whatever its config's type. */
type AnyFilter = {
  readonly schema: z.ZodType
  create(config: never, context: FilterContext): Filter
}

export const filters = {
  requestMetrics,
  accessLog,
  trace,
  pause,
  burn,
  timeouts,
  fault,
  rateLimit,
  jwt,
  authorization,
  externalAuthorization,
  headers,
  forwarded,
  mirror,
  circuitBreaker,
  health,
  outlier,
  locality,
  balance,
  retry,
} satisfies Record<string, AnyFilter>

type Schemas = { [K in keyof typeof filters]: z.ZodOptional<(typeof filters)[K]['schema']> }

export const filtersSchema = z
  .strictObject(
    Object.fromEntries(
      Object.entries(filters).map(([name, { schema }]) => [name, schema.optional()]),
    ) as Schemas,
  )
  .prefault({})
  .describe('Functions of the proxy; what is not named here is off and costs nothing')

export type FiltersConfig = z.output<typeof filtersSchema>

/** The filters that the config names, in the order of the registry. */
export function createFilters(config: FiltersConfig, context: FilterContext): Filter[] {
  return Object.entries(filters as unknown as Record<string, FilterDefinition<unknown>>).flatMap(
    ([name, definition]) => {
      const own = (config as Record<string, unknown>)[name]
      return own === undefined ? [] : [definition.create(own, context)]
    },
  )
}
