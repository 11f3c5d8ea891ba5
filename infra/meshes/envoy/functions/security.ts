/** Functions that say who may ask, for what and how often, as Envoy's own filters. */
import { seconds, type JsonObject } from '../blocks.js'
import { clusterNamed, httpFilter, type Config, type FunctionContext, type Rendering } from './rendering.js'

/** Envoy fills its bucket at most this often. */
const shortestFillMs = 50

export const rateLimit: Rendering<'rateLimit'> = {
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

export const globalRateLimit: Rendering<'globalRateLimit'> = {
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

export const jwt: Rendering<'jwt'> = {
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
export const authorization: Rendering<'authorization'> = {
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

export const externalAuthorization: Rendering<'externalAuthorization'> = {
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
