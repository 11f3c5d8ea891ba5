/** The filters, in the order of the chain: one file and one line each. */
import { z } from 'zod'
import type { Filter, FilterContext, FilterDefinition } from '../exchange/filter.js'
import { accessLog } from './observe/access-log.js'
import { authorization } from './security/authorization.js'
import { balance } from './traffic/balance.js'
import { burn } from './inject/burn.js'
import { circuitBreaker } from './traffic/circuit-breaker.js'
import { externalAuthorization } from './security/external-authorization.js'
import { fault } from './inject/fault.js'
import { forwarded } from './traffic/forwarded.js'
import { headers } from './traffic/headers.js'
import { globalRateLimit } from './security/global-rate-limit.js'
import { health } from './traffic/health.js'
import { jwt } from './security/jwt.js'
import { locality } from './traffic/locality.js'
import { mirror } from './traffic/mirror.js'
import { outlier } from './traffic/outlier.js'
import { pause } from './inject/pause.js'
import { rateLimit } from './security/rate-limit.js'
import { requestMetrics } from './observe/request-metrics.js'
import { retry } from './traffic/retry.js'
import { timeouts } from './traffic/timeouts.js'
import { trace } from './observe/trace.js'

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
  globalRateLimit,
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
