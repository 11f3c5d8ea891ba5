/**
 * The functions of a mesh as Envoy's own filters. The config is that of this repository's proxy, checked by the same
 * schema, so that one config gives the cost of a function on both.
 *
 * What Envoy cannot do is refused; what it does a little differently is said in the report.
 */
import type { z } from 'zod'
import { defined } from '../../../harness/model/defined.js'
import { filtersSchema, type FiltersConfig } from '../../images/proxy/filters/index.js'
import { seconds, typed, type Json, type JsonObject } from './blocks.js'

/** What functions add to an L7 hop. */
export interface EnvoyFunctions {
  /** HTTP filters before the router, in order. */
  readonly filters: readonly JsonObject[]
  /** Fields of the route's action. */
  readonly action: JsonObject
  /** Fields of the route itself. */
  readonly route: JsonObject
  /** Fields of the circuit breaker of the service's cluster. */
  readonly thresholds: JsonObject
  /** Other fields of that cluster. */
  readonly cluster: JsonObject
  /** The zone whose endpoints are used first. */
  readonly nearZone?: string
}

export const noFunctions: EnvoyFunctions = { filters: [], action: {}, route: {}, thresholds: {}, cluster: {} }

/** What a hop knows that a function may need. */
export interface FunctionContext {
  /** Where the client's SPIFFE id is: in its certificate, or in the filter state that HBONE's end has left. */
  readonly principal?: 'tls' | { readonly filterState: string }
  /** Clusters that functions may name → Envoy's name for them. */
  readonly clusters: ReadonlyMap<string, string>
}

type Config<Name extends keyof FiltersConfig> = NonNullable<FiltersConfig[Name]>

interface Rendering<Name extends keyof FiltersConfig> {
  /** How Envoy differs from this repository's proxy. */
  readonly differs?: string
  render(config: Config<Name>, context: FunctionContext): Partial<EnvoyFunctions>
}

const timeouts: Rendering<'timeouts'> = {
  render: ({ requestMs, perTryMs, idleMs }) => ({
    action: {
      ...(requestMs === undefined ? {} : { timeout: seconds(requestMs) }),
      ...(idleMs === undefined ? {} : { idle_timeout: seconds(idleMs) }),
      // One try is all there is without retries; with them the policy of `retry` takes this over.
      ...(perTryMs === undefined ? {} : { retry_policy: { per_try_timeout: seconds(perTryMs) } }),
    },
  }),
}

const fault: Rendering<'fault'> = {
  differs: 'shares are drawn at random, not exact',
  render: ({ delay, abort }) => ({
    filters: [
      httpFilter('fault', 'envoy.extensions.filters.http.fault.v3.HTTPFault', {
        ...(delay ? { delay: { fixed_delay: seconds(delay.ms), percentage: fraction(delay.percent) } } : {}),
        ...(abort ? { abort: { http_status: abort.status, percentage: fraction(abort.percent) } } : {}),
      }),
    ],
  }),
}

/** Envoy fills its bucket at most this often. */
const shortestFillMs = 50

const rateLimit: Rendering<'rateLimit'> = {
  differs: 'tokens come in steps of 50 ms or more',
  render: ({ requestsPerSecond, burst = Math.max(1, Math.round(requestsPerSecond)), per }) => {
    if (per !== 'proxy') throw new Error(`rateLimit.per: ${per}: Envoy's local rate limit has one bucket`)
    const intervalMs = Math.max(shortestFillMs, 1000 / requestsPerSecond)
    const all = { default_value: { numerator: 100, denominator: 'HUNDRED' } }
    return {
      filters: [
        httpFilter('local_ratelimit', 'envoy.extensions.filters.http.local_ratelimit.v3.LocalRateLimit', {
          stat_prefix: 'rate_limit',
          token_bucket: {
            max_tokens: burst,
            tokens_per_fill: Math.max(1, Math.round((requestsPerSecond * intervalMs) / 1000)),
            fill_interval: seconds(intervalMs),
          },
          filter_enabled: all,
          filter_enforced: all,
        }),
      ],
    }
  },
}

const globalRateLimit: Rendering<'globalRateLimit'> = {
  differs: 'a refusal says x-envoy-ratelimited',
  render: ({ cluster, domain, descriptor, timeoutMs, failOpen }, context) => ({
    filters: [
      httpFilter('ratelimit', 'envoy.extensions.filters.http.ratelimit.v3.RateLimit', {
        domain,
        timeout: seconds(timeoutMs),
        failure_mode_deny: !failOpen,
        rate_limit_service: {
          grpc_service: { envoy_grpc: { cluster_name: clusterNamed(cluster, context) } },
          transport_api_version: 'V3',
        },
      }),
    ],
    action: {
      rate_limits: [
        {
          actions: [{ generic_key: { descriptor_key: descriptor.key, descriptor_value: descriptor.value } }],
        },
      ],
    },
  }),
}

/** Key under which the claims of a token lie in the dynamic metadata. */
const claimsKey = 'claims'

const jwt: Rendering<'jwt'> = {
  differs:
    'algorithms are those of the keys; clocks may differ by at least one second; without keys of an issuer 401, not 503',
  render: ({ issuer, audiences, jwks, remoteJwks, clockToleranceMs, allowMissing, forward }, context) => {
    const provider = { provider_name: 'token' }
    return {
      filters: [
        httpFilter('jwt_authn', 'envoy.extensions.filters.http.jwt_authn.v3.JwtAuthentication', {
          providers: {
            token: {
              issuer,
              audiences,
              ...(remoteJwks
                ? { remote_jwks: remoteKeys(remoteJwks, context) }
                : { local_jwks: { inline_string: JSON.stringify(jwks) } }),
              forward,
              // 0 would mean Envoy's default of a minute.
              clock_skew_seconds: Math.max(1, Math.ceil(clockToleranceMs / 1000)),
              payload_in_metadata: claimsKey,
            },
          },
          rules: [
            {
              match: { prefix: '/' },
              requires: allowMissing
                ? { requires_any: { requirements: [provider, { allow_missing: {} }] } }
                : provider,
            },
          ],
        }),
      ],
    }
  },
}

/** As our proxy does: at the start and again when they are old, and a listener waits for the first answer. */
function remoteKeys(
  { cluster, path, host = cluster, timeoutMs, cacheMs }: NonNullable<Config<'jwt'>['remoteJwks']>,
  context: FunctionContext,
): JsonObject {
  return {
    http_uri: {
      uri: `http://${host}${path}`,
      cluster: clusterNamed(cluster, context),
      timeout: seconds(timeoutMs),
    },
    cache_duration: seconds(cacheMs),
    async_fetch: { fast_listener: false },
  }
}

/** Deny rules win; with an allow rule, one has to match. Envoy needs a filter for each action. */
const authorization: Rendering<'authorization'> = {
  render: ({ rules }, context) => ({
    filters: (['deny', 'allow'] as const).flatMap((action) => {
      const chosen = rules.filter((rule) => rule.action === action)
      if (chosen.length === 0) return []
      const policies = Object.fromEntries(
        chosen.map((rule, index) => [`${action}-${index}`, policy(rule, context)]),
      )
      return [
        httpFilter('rbac', 'envoy.extensions.filters.http.rbac.v3.RBAC', {
          rules: { action: action.toUpperCase(), policies },
        }),
      ]
    }),
  }),
}

type Rule = Config<'authorization'>['rules'][number]

/** Ports of the service that CONNECT may name, checked once a stream, which is a connection; undefined: any. */
export function portFilters(ports: readonly number[] | undefined): readonly JsonObject[] {
  if (ports === undefined) return []
  const rules = ports.map((port) => ({
    header: { name: ':authority', string_match: { suffix: `:${port}` } },
  }))
  const allowed: JsonObject = { permissions: [{ or_rules: { rules } }], principals: [{ any: true }] }
  return [
    httpFilter('rbac', 'envoy.extensions.filters.http.rbac.v3.RBAC', {
      rules: { action: 'ALLOW', policies: { ports: allowed } },
    }),
  ]
}

/** All fields of a rule have to match, and of each field one value. */
function policy(rule: Rule, context: FunctionContext): JsonObject {
  const { methods, paths, headers = [], principals, claims = [] } = rule
  const permissions: JsonObject[] = [
    ...(methods ? [{ or_rules: { rules: methods.map((value) => headerIs(':method', value)) } }] : []),
    ...(paths
      ? [{ or_rules: { rules: paths.map((value) => ({ url_path: { path: pattern(value) } })) } }]
      : []),
    ...headers.map(({ name, values }) => ({
      or_rules: { rules: values.map((value) => headerIs(name, value)) },
    })),
  ]
  const ids: JsonObject[] = [
    ...(principals ? [{ or_ids: { ids: principals.map((id) => principal(id, context)) } }] : []),
    ...claims.map(({ name, values }) => ({ or_ids: { ids: values.map((value) => claimIs(name, value)) } })),
  ]
  return {
    permissions: [permissions.length === 0 ? { any: true } : { and_rules: { rules: permissions } }],
    principals: [ids.length === 0 ? { any: true } : { and_ids: { ids } }],
  }
}

/** `*` at the end matches any rest. */
function pattern(text: string): JsonObject {
  return text.endsWith('*') ? { prefix: text.slice(0, -1) } : { exact: text }
}

function headerIs(name: string, value: string): JsonObject {
  return { header: { name, string_match: pattern(value) } }
}

function claimIs(name: string, value: string): JsonObject {
  return {
    metadata: {
      filter: 'envoy.filters.http.jwt_authn',
      path: [{ key: claimsKey }, { key: name }],
      value: { string_match: pattern(value) },
    },
  }
}

function principal(id: string, { principal: source }: FunctionContext): JsonObject {
  if (source === undefined) throw new Error(`authorization by principal (${id}) at a hop that knows no peer`)
  if (source === 'tls') return { authenticated: { principal_name: pattern(id) } }
  return { filter_state: { key: source.filterState, string_match: pattern(id) } }
}

const externalAuthorization: Rendering<'externalAuthorization'> = {
  render: ({ cluster, pathPrefix, timeoutMs, requestHeaders, upstreamHeaders, failOpen }, context) => ({
    filters: [
      httpFilter('ext_authz', 'envoy.extensions.filters.http.ext_authz.v3.ExtAuthz', {
        transport_api_version: 'V3',
        failure_mode_allow: failOpen,
        // An empty list is no list to Envoy's validation.
        ...(requestHeaders.length === 0 ? {} : { allowed_headers: headerNames(requestHeaders) }),
        http_service: {
          server_uri: {
            uri: `http://${cluster}`,
            cluster: clusterNamed(cluster, context),
            timeout: seconds(timeoutMs),
          },
          ...(pathPrefix === '/' ? {} : { path_prefix: pathPrefix }),
          ...(upstreamHeaders.length === 0
            ? {}
            : { authorization_response: { allowed_upstream_headers: headerNames(upstreamHeaders) } }),
        },
      }),
    ],
  }),
}

function headerNames(names: readonly string[]): JsonObject {
  return { patterns: names.map((name) => ({ exact: name, ignore_case: true })) }
}

function clusterNamed(name: string, { clusters }: FunctionContext): string {
  const found = clusters.get(name)
  if (found === undefined) {
    throw new Error(`no cluster named ${name}; there are ${[...clusters.keys()].join(', ')}`)
  }
  return found
}

const headers: Rendering<'headers'> = {
  render: ({ request, response }) => ({
    route: {
      ...(request
        ? { request_headers_to_add: addHeaders(request), request_headers_to_remove: request.remove }
        : {}),
      ...(response
        ? { response_headers_to_add: addHeaders(response), response_headers_to_remove: response.remove }
        : {}),
    },
  }),
}

function addHeaders({ set, add }: Pick<NonNullable<Config<'headers'>['request']>, 'set' | 'add'>): Json {
  const entry =
    (action: string) =>
    ([key, value]: [string, string]) => ({
      header: { key, value },
      append_action: action,
    })
  return [
    ...Object.entries(set).map(entry('OVERWRITE_IF_EXISTS_OR_ADD')),
    ...Object.entries(add).map(entry('APPEND_IF_EXISTS_OR_ADD')),
  ]
}

const mirror: Rendering<'mirror'> = {
  differs: 'shares are drawn at random; copies have the timeout of the route',
  render: ({ cluster, percent }, context) => ({
    action: {
      request_mirror_policies: [
        {
          cluster: clusterNamed(cluster, context),
          runtime_fraction: { default_value: fraction(percent) },
          disable_shadow_host_suffix_append: true,
        },
      ],
    },
  }),
}

const circuitBreaker: Rendering<'circuitBreaker'> = {
  differs: 'a request for which a connection is being opened counts as one that waits',
  render: ({ maxConnections, maxPending, maxRequests }) => {
    if (maxPending === 0)
      throw new Error('circuitBreaker.maxPending: 0: Envoy could open no connection at all')
    return {
      thresholds: {
        ...defined({
          max_connections: maxConnections,
          max_pending_requests: maxPending,
          max_requests: maxRequests,
        }),
      },
    }
  },
}

const outlier: Rendering<'outlier'> = {
  differs:
    'what was ejected comes back at a sweep, every 10 s; a cluster with most endpoints ejected uses all',
  render: ({ consecutiveFailures, ejectionMs, maxEjectedPercent }) => ({
    cluster: {
      outlier_detection: {
        consecutive_5xx: consecutiveFailures,
        base_ejection_time: seconds(ejectionMs),
        max_ejection_time: seconds(Math.max(300_000, ejectionMs)),
        max_ejection_percent: Math.floor(maxEjectedPercent),
        // Statistics over all endpoints are another function.
        enforcing_success_rate: 0,
      },
    },
  }),
}

const locality: Rendering<'locality'> = {
  differs:
    'zones are priorities, as in Istio: the next one gets traffic when outlier ejection has taken the near one',
  render: ({ local }) => ({ nearZone: local }),
}

const balance: Rendering<'balance'> = {
  differs: 'the least busy of two endpoints drawn at random, not of all',
  render: ({ policy }) => ({
    cluster: { lb_policy: policy === 'least-request' ? 'LEAST_REQUEST' : 'ROUND_ROBIN' },
  }),
}

/** Envoy answers a try that has timed out with 504, which is one of its gateway errors. */
const retryConditions: Readonly<Record<Config<'retry'>['on'][number], string>> = {
  'connect-failure': 'connect-failure',
  reset: 'reset',
  timeout: 'gateway-error',
  'gateway-error': 'gateway-error',
  '5xx': '5xx',
}

/** Conditions of a retry as Envoy's configuration names them, and Istio's with it. */
export const retryOn = (on: Config<'retry'>['on']): string =>
  [...new Set(on.map((condition) => retryConditions[condition]))].join(',')

const retry: Rendering<'retry'> = {
  differs: 'a try that has timed out counts as a gateway error',
  render: ({ retries, on, methods, backoff, budget }) => ({
    action: {
      retry_policy: {
        retry_on: retryOn(on),
        num_retries: retries,
        retriable_request_headers: methods.map((method) => ({
          name: ':method',
          string_match: { exact: method },
        })),
        // Envoy wants a base of at least a millisecond.
        retry_back_off: {
          base_interval: seconds(Math.max(1, backoff.baseMs)),
          max_interval: seconds(Math.max(1, backoff.baseMs, backoff.maxMs)),
        },
      },
    },
    thresholds: {
      retry_budget: {
        budget_percent: { value: budget.percent },
        min_retry_concurrency: budget.minConcurrent,
      },
    },
  }),
}

/** In the order of the proxy's own chain. */
const renderings = {
  timeouts,
  fault,
  rateLimit,
  globalRateLimit,
  jwt,
  authorization,
  externalAuthorization,
  headers,
  mirror,
  circuitBreaker,
  outlier,
  locality,
  balance,
  retry,
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

function httpFilter(name: string, type: string, fields: JsonObject): JsonObject {
  return { name: `envoy.filters.http.${name}`, typed_config: typed(type, fields) }
}

/** Envoy counts in millionths. */
function fraction(share: number): JsonObject {
  return { numerator: Math.round(share * 10_000), denominator: 'MILLION' }
}
