/**
 * The functions of a mesh as Envoy's own filters. The config is that of this repository's proxy, checked by the same
 * schema, so that one config gives the cost of a function on both.
 *
 * What Envoy cannot do is refused; what it does a little differently is said in the report.
 */
import type { z } from 'zod'
import { defined } from '../../../harness/model/defined.js'
import { filtersSchema, type FiltersConfig } from '../../images/proxy/filters/index.js'
import type { JsonObject } from './blocks.js'
import type { EnvoyFunctions, FunctionContext, Rendering } from './functions/rendering.js'
import * as security from './functions/security.js'
import * as traffic from './functions/traffic.js'

/** In the order of the proxy's own chain. */
const renderings = {
  timeouts: traffic.timeouts,
  fault: traffic.fault,
  rateLimit: security.rateLimit,
  globalRateLimit: security.globalRateLimit,
  jwt: security.jwt,
  authorization: security.authorization,
  externalAuthorization: security.externalAuthorization,
  headers: traffic.headers,
  mirror: traffic.mirror,
  circuitBreaker: traffic.circuitBreaker,
  outlier: traffic.outlier,
  locality: traffic.locality,
  balance: traffic.balance,
  retry: traffic.retry,
} satisfies { [Name in keyof FiltersConfig]?: Rendering<Name> }

export const envoyFunctionNames = Object.keys(renderings) as readonly (keyof typeof renderings)[]

/**
 * Renders functions by name. Throws with every problem at once: a name that Envoy has no function for, a bad field, or
 * something that Envoy cannot do.
 */
export function envoyFunctions(
  configs: Readonly<Record<string, unknown>>,
  context: FunctionContext = { clusters: new Map() },
): EnvoyFunctions {
  const parsed = filtersSchema.safeParse(configs)
  const problems = parsed.success ? [] : parsed.error.issues.map(describeIssue)
  for (const name of Object.keys(configs)) {
    if (Object.hasOwn(filtersSchema.unwrap().shape, name) && !Object.hasOwn(renderings, name)) {
      problems.push(`${name}: not on Envoy, which has ${envoyFunctionNames.join(', ')}`)
    }
  }
  if (!parsed.success || problems.length > 0)
    throw new Error(`filters of an Envoy hop: ${problems.join('; ')}`)
  const parts = envoyFunctionNames.flatMap((name) => {
    const config = parsed.data[name]
    // The names of both sides are the same by `satisfies`; what TypeScript cannot see is that they go together.
    return config === undefined
      ? []
      : [(renderings[name] as Rendering<never>).render(config as never, context)]
  })
  return {
    filters: parts.flatMap(({ filters = [] }) => filters),
    action: mergeActions(parts.map(({ action = {} }) => action)),
    route: Object.assign({}, ...parts.map(({ route = {} }) => route)) as JsonObject,
    thresholds: Object.assign({}, ...parts.map(({ thresholds = {} }) => thresholds)) as JsonObject,
    cluster: Object.assign({}, ...parts.map(({ cluster = {} }) => cluster)) as JsonObject,
    ...defined({ nearZone: parts.find(({ nearZone }) => nearZone !== undefined)?.nearZone }),
  }
}

/** How Envoy's functions differ from the proxy's, for those that are in use. */
export function functionDifferences(configs: Readonly<Record<string, unknown>>): readonly string[] {
  return envoyFunctionNames.flatMap((name) => {
    const { differs } = renderings[name] as Rendering<never>
    return configs[name] === undefined || differs === undefined ? [] : [`${name}: ${differs}`]
  })
}

/** `timeouts` and `retry` share the retry policy. */
function mergeActions(actions: readonly JsonObject[]): JsonObject {
  const policies = actions.flatMap(({ retry_policy: policy = null }) => (policy === null ? [] : [policy]))
  return {
    ...(Object.assign({}, ...actions) as JsonObject),
    ...(policies.length === 0 ? {} : { retry_policy: Object.assign({}, ...policies) as JsonObject }),
  }
}

function describeIssue(issue: z.core.$ZodIssue): string {
  return `${issue.path.join('.') || 'filters'}: ${issue.message}`
}
