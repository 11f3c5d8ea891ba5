/**
 * The functions of a mesh as objects of Istio's API. The config is that of this repository's proxy, checked by the same
 * schema, so that one config gives the cost of a function on both.
 *
 * Where this repository's mesh has a function on each L7 hop, Istio has it once on a path, where its object is carried out: a
 * VirtualService and a DestinationRule at the client's end, an authentication and an authorization at the server's. What the API
 * has no object for is refused by name; what it does a little differently is said in the report.
 *
 * Fields: https://istio.io/latest/docs/reference/config/networking/ and …/security/.
 */
import type { z } from 'zod'
import type { Fact, Hop, Path } from '../../../harness/model.js'
import { filtersSchema, type FiltersConfig } from '../../images/proxy/filters/index.js'
import { hasGateway } from '../clusters/gateway-api.js'
import { retryOn } from '../envoy/functions/traffic.js'
import type { IstioMode } from './values.js'
import { defined } from '../../../harness/model/defined.js'

type Fields = Readonly<Record<string, unknown>>

/** What functions add to the objects of an arm. */
export interface IstioFunctions {
  /** Fields of the VirtualService's route. */
  readonly route: Fields
  /** Weights of the route's destinations, each a subset of its own; none: one destination without a subset. */
  readonly shares: readonly number[]
  /** Fields of the DestinationRule's traffic policy, but for its pool. */
  readonly traffic: Fields
  /** Fields of that pool. */
  readonly pool: { readonly tcp: Fields; readonly http: Fields }
  /** What clients are asked for where requests are parsed. */
  readonly asked: AskedOfClients
  /** Ports of the server that may be reached, checked where connections are carried; none: any. */
  readonly ports: readonly number[]
}

/** What an authentication and an authorization ask for beside the peer's identity. */
export interface AskedOfClients {
  readonly jwtRules: readonly Fields[]
  /** `issuer/subject` of the token that must be there, `*` for any subject; none: no token is needed. */
  readonly requestPrincipals: readonly string[]
  /** Of these one must match, unless there is none. */
  readonly allow: readonly Fields[]
  readonly deny: readonly Fields[]
}

export const nothingAsked: AskedOfClients = { jwtRules: [], requestPrincipals: [], allow: [], deny: [] }

export const noFunctions: IstioFunctions = {
  route: {},
  shares: [],
  traffic: {},
  pool: { tcp: {}, http: {} },
  asked: nothingAsked,
  ports: [],
}

/** What object a function is of, which says where on a path it is done. */
type Kind = 'route' | 'destination' | 'policy'

type Config<Name extends keyof FiltersConfig> = NonNullable<FiltersConfig[Name]>

interface Rendering<Name extends keyof FiltersConfig> {
  readonly kind: Kind
  /** How Istio differs from this repository's proxy. */
  readonly differs?: string
  /** What of a config the API has no field for; undefined: nothing. */
  unable?(config: Config<Name>): string | undefined
  /** `all`: the other functions of the arm, where two share a field. */
  render(config: Config<Name>, all: FiltersConfig): Partial<IstioFunctions>
}

const timeouts: Rendering<'timeouts'> = {
  kind: 'route',
  differs:
    'a try is bounded where there are retries, and silence on a stream is not: the API has no field for it',
  render: ({ requestMs }) => ({ route: requestMs === undefined ? {} : { timeout: seconds(requestMs) } }),
}

/** The smallest share that istiod's validation lets pass. */
const smallestPercent = 0.0001

const fault: Rendering<'fault'> = {
  kind: 'route',
  differs: 'shares are drawn at random, not exact',
  unable({ delay, abort }) {
    if (delay && delay.ms < 1) return `delay.ms: ${delay.ms}: Istio delays by one millisecond or more`
    const least = Math.min(delay?.percent ?? 100, abort?.percent ?? 100)
    return least < smallestPercent ? `percent: ${least}: Istio has ${smallestPercent} or more` : undefined
  },
  render: ({ delay, abort }) => ({
    route: {
      fault: {
        ...(delay ? { delay: { percentage: { value: delay.percent }, fixedDelay: seconds(delay.ms) } } : {}),
        ...(abort ? { abort: { percentage: { value: abort.percent }, httpStatus: abort.status } } : {}),
      },
    },
  }),
}

const headers: Rendering<'headers'> = {
  kind: 'route',
  render: ({ request, response }) => ({
    route: {
      headers: {
        ...(request ? { request: operations(request) } : {}),
        ...(response ? { response: operations(response) } : {}),
      },
    },
  }),
}

function operations({ set, add, remove }: NonNullable<Config<'headers'>['request']>): Fields {
  return {
    ...(Object.keys(set).length === 0 ? {} : { set }),
    ...(Object.keys(add).length === 0 ? {} : { add }),
    ...(remove.length === 0 ? {} : { remove }),
  }
}

const retry: Rendering<'retry'> = {
  kind: 'route',
  differs:
    'whatever the method; a try that has timed out counts as a gateway error; a pause grows to ten times the first',
  unable: ({ budget }) =>
    budget.minConcurrent === 0 ? 'budget.minConcurrent: 0: Istio takes it for 3' : undefined,
  render: ({ retries, on, backoff, budget }, { timeouts: limits }) => ({
    route: {
      retries: {
        attempts: retries,
        retryOn: retryOn(on),
        // Envoy wants a base of at least a millisecond.
        backoff: seconds(Math.max(1, backoff.baseMs)),
        // Istio refuses it where there are no retries.
        ...(limits?.perTryMs === undefined ? {} : { perTryTimeout: seconds(limits.perTryMs) }),
      },
    },
    traffic: { retryBudget: { percent: budget.percent, minRetryConcurrency: budget.minConcurrent } },
  }),
}

const circuitBreaker: Rendering<'circuitBreaker'> = {
  kind: 'destination',
  differs: 'a request for which a connection is being opened counts as one that waits',
  unable: ({ maxPending }) => (maxPending === 0 ? 'maxPending: 0: Istio takes it for no limit' : undefined),
  render: ({ maxConnections, maxPending, maxRequests }) => ({
    pool: {
      tcp: maxConnections === undefined ? {} : { maxConnections },
      http: { ...defined({ http1MaxPendingRequests: maxPending, http2MaxRequests: maxRequests }) },
    },
  }),
}

const outlier: Rendering<'outlier'> = {
  kind: 'destination',
  differs:
    'what was ejected comes back at a sweep, every 10 s; endpoints are then ranked by locality as well, which one endpoint does not show',
  render: ({ consecutiveFailures, ejectionMs, maxEjectedPercent }) => ({
    traffic: {
      outlierDetection: {
        consecutive5xxErrors: consecutiveFailures,
        interval: '10s',
        baseEjectionTime: seconds(ejectionMs),
        maxEjectionPercent: Math.floor(maxEjectedPercent),
      },
    },
  }),
}

const balance: Rendering<'balance'> = {
  kind: 'destination',
  differs:
    'the least busy of two endpoints drawn at random, not of all; that is what Istio does unasked, so that there is a price only where the arm without it says `round-robin`',
  render: ({ policy }) => ({
    traffic: { loadBalancer: { simple: policy === 'least-request' ? 'LEAST_REQUEST' : 'ROUND_ROBIN' } },
  }),
}

const jwt: Rendering<'jwt'> = {
  kind: 'policy',
  differs: 'algorithms are those of the keys; clocks may differ by a minute; without a token 403, not 401',
  unable: ({ remoteJwks }) =>
    remoteJwks ? 'remoteJwks: istiod fetches keys, and gives them to its proxies as `jwt` does' : undefined,
  render: ({ issuer, audiences, jwks, forward, allowMissing }) => ({
    asked: {
      ...nothingAsked,
      jwtRules: [{ issuer, audiences, jwks: JSON.stringify(jwks), forwardOriginalToken: forward }],
      // An authentication alone lets pass who shows no token.
      requestPrincipals: allowMissing ? [] : [`${issuer}/*`],
    },
  }),
}

const authorization: Rendering<'authorization'> = {
  kind: 'policy',
  render: ({ rules }) => {
    const rulesOf = (action: 'allow' | 'deny') =>
      rules.filter((rule) => rule.action === action).map(policyRule)
    return { asked: { ...nothingAsked, allow: rulesOf('allow'), deny: rulesOf('deny') } }
  },
}

/** Who may come is in the rule's source, which knows one list alone; other principals are a condition. */
function policyRule(rule: Config<'authorization'>['rules'][number]): Fields {
  const { methods, paths, headers: fields = [], principals, claims = [] } = rule
  const when = [
    ...(principals
      ? [{ key: 'source.principal', values: principals.map((id) => id.replace(/^spiffe:\/\//, '')) }]
      : []),
    ...fields.map(({ name, values }) => ({ key: `request.headers[${name}]`, values })),
    ...claims.map(({ name, values }) => ({ key: `request.auth.claims[${name}]`, values })),
  ]
  const operation = { ...defined({ methods, paths }) }
  return {
    ...(Object.keys(operation).length === 0 ? {} : { to: [{ operation }] }),
    ...(when.length === 0 ? {} : { when }),
  }
}

const renderings = {
  timeouts,
  fault,
  jwt,
  authorization,
  headers,
  circuitBreaker,
  outlier,
  balance,
  retry,
} satisfies { [Name in keyof FiltersConfig]?: Rendering<Name> }

type FunctionName = keyof typeof renderings

export const istioFunctionNames = Object.keys(renderings) as readonly FunctionName[]

const rawConfig = 'its API has no object for it, so that only raw config of Envoy (EnvoyFilter) would do it'
const ofInstallation = 'it is of the installation, and the same for all arms'
const counted = 'its hops count by themselves, and its API (Telemetry) turns that off, not on'
const provider = 'whom it tells or asks is a provider of the mesh config, which is the same for all arms'
const oneEndpoint = "an endpoint's place is its node's, and the server is one endpoint"
const ofThisProxy = "it is of this repository's proxy"
const noService = 'it takes a service of the cluster, and none is raised there'

/** Why Istio has no object for the other functions. */
const lackingFilters: Readonly<Record<Exclude<keyof FiltersConfig, FunctionName>, string>> = {
  requestMetrics: counted,
  accessLog: provider,
  trace: provider,
  pause: ofThisProxy,
  burn: ofThisProxy,
  rateLimit: rawConfig,
  globalRateLimit: rawConfig,
  externalAuthorization: provider,
  forwarded: ofInstallation,
  mirror: noService,
  health: rawConfig,
  locality: oneEndpoint,
}

/** The same of what is beside the filters. */
const lackingOfProxy = { zones: oneEndpoint, services: noService, workers: ofInstallation }
const lackingOfTunnel = {
  connectionMetrics: counted,
  endpoints: oneEndpoint,
  balance: oneEndpoint,
  pool: ofInstallation,
}

/** What settings of an arm may say, as far as this module reads them. */
export interface FunctionSettings {
  readonly proxy?:
    | {
        readonly filters?: Fields | undefined
        readonly split?: readonly { readonly weight: number }[] | undefined
      }
    | undefined
  readonly tunnel?: { readonly ports?: readonly number[] | undefined } | undefined
}

/** Renders what an arm's settings turn on. Throws a `ZodError` for settings that `whyNotOnIstio` refuses. */
export function istioFunctions({ proxy, tunnel }: FunctionSettings): IstioFunctions {
  const all = filtersSchema.parse(proxy?.filters ?? {})
  const parts = istioFunctionNames.flatMap((name) => {
    const config = all[name]
    // The names of both sides are the same by `satisfies`; what TypeScript cannot see is that they go together.
    return config === undefined ? [] : [(renderings[name] as Rendering<never>).render(config as never, all)]
  })
  const merged = (fields: (part: Partial<IstioFunctions>) => Fields | undefined) =>
    Object.assign({}, ...parts.map(fields)) as Fields
  const asked = parts.map((part) => part.asked ?? nothingAsked)
  return {
    route: merged(({ route }) => route),
    shares: proxy?.split?.map(({ weight }) => weight) ?? [],
    traffic: merged(({ traffic }) => traffic),
    pool: { tcp: merged(({ pool }) => pool?.tcp), http: merged(({ pool }) => pool?.http) },
    asked: {
      jwtRules: asked.flatMap(({ jwtRules }) => jwtRules),
      requestPrincipals: asked.flatMap(({ requestPrincipals }) => requestPrincipals),
      allow: asked.flatMap(({ allow }) => allow),
      deny: asked.flatMap(({ deny }) => deny),
    },
    ports: tunnel?.ports ?? [],
  }
}

/** What carries out the objects of a path; of a kind that is not here it has none. */
function placesOn(mode: IstioMode, path: Path): Readonly<Partial<Record<Kind, string>>> {
  const atServer = "the server's sidecar"
  if (hasGateway(path))
    return { destination: 'the gateway', ...(mode === 'sidecar' ? { policy: atServer } : {}) }
  if (mode === 'ambient')
    return { route: 'the waypoint', destination: 'the waypoint', policy: 'the waypoint' }
  const atClient = "the client's sidecar"
  return { route: atClient, destination: atClient, policy: atServer }
}

const noPlace: Readonly<Record<Kind, string>> = {
  route: "a VirtualService does it, and the way in from outside is the Gateway API's",
  destination: 'nothing on this path speaks to the server by a DestinationRule',
  policy: 'nothing between the gateway and the server parses requests',
}

/**
 * Why an arm on a path cannot have settings, its own or what a variant lays over them; undefined where it can. Of fields that
 * are not there others may be laid over, so that their absence is no reason.
 */
export function whyNotOnIstio(mode: IstioMode, settings: Fields, path: Path): string | undefined {
  if ('transport' in settings)
    return 'transport: its hops have mutual TLS, whose identities policies and proofs go by; a certificate of the server alone is not to be had'
  const proxy = record(settings.proxy)
  const filters = record(proxy.filters)
  return (
    whyLacking('tunnel', record(settings.tunnel), lackingOfTunnel) ??
    whyLacking('proxy.filters', filters, lackingFilters) ??
    whyNotFilters(filters) ??
    // A function has a better reason than the service that it calls.
    whyLacking('proxy', proxy, lackingOfProxy) ??
    whyNoPlace(mode, settings, path)
  )
}

function whyLacking(
  place: string,
  given: Fields,
  reasons: Readonly<Record<string, string>>,
): string | undefined {
  const found = Object.entries(reasons).find(([name]) => Object.hasOwn(given, name))
  return found && `${place}.${found[0]}: ${found[1]}`
}

function whyNotFilters(filters: Fields): string | undefined {
  const { data, error } = filtersSchema.safeParse(filters, { reportInput: true })
  const issue = error?.issues.find(({ code, input }) => code === 'unrecognized_keys' || input !== undefined)
  if (issue) return describeIssue(issue)
  for (const name of istioFunctionNames) {
    const config = data?.[name]
    const unable =
      config === undefined ? undefined : (renderings[name] as Rendering<never>).unable?.(config as never)
    if (unable !== undefined) return `proxy.filters.${name}.${unable}`
  }
  return undefined
}

function describeIssue({ path, message }: z.core.$ZodIssue): string {
  return `${['proxy', 'filters', ...path].join('.')}: ${message}`
}

function whyNoPlace(mode: IstioMode, settings: Fields, path: Path): string | undefined {
  if (!has(path, 'l7')) return undefined
  const places = placesOn(mode, path)
  const found = kindsOf(settings).find(({ kind }) => places[kind] === undefined)
  return found && `${found.name}: ${noPlace[found.kind]}`
}

/** Where on a path Istio does what settings turn on, in words for the report; undefined where they turn on nothing there. */
export function placeOnIstio(mode: IstioMode, settings: Fields, path: Path): string | undefined {
  const places = placesOn(mode, path)
  const ofRequests = has(path, 'l7') ? kindsOf(settings).flatMap(({ kind }) => places[kind] ?? []) : []
  const isCarried = has(path, 'l4') && 'ports' in record(settings.tunnel)
  const ofConnections = mode === 'sidecar' ? "the server's sidecar" : "the server's ztunnel"
  const all = new Set([...ofRequests, ...(isCarried ? [ofConnections] : [])])
  return all.size === 0 ? undefined : [...all].join(' and ')
}

function kindsOf(settings: Fields): readonly { readonly name: string; readonly kind: Kind }[] {
  const proxy = record(settings.proxy)
  const filters = record(proxy.filters)
  return [
    ...istioFunctionNames
      .filter((name) => filters[name] !== undefined)
      .map((name) => ({ name: `proxy.filters.${name}`, kind: renderings[name].kind })),
    ...(proxy.split === undefined ? [] : [{ name: 'proxy.split', kind: 'route' as const }]),
  ]
}

/** How Istio's functions differ from the proxy's and where they are, for those that any of an environment's arms have. */
export function functionFacts(mesh: string, all: readonly Fields[]): readonly Fact[] {
  const used = new Set(all.flatMap((settings) => Object.keys(record(record(settings.proxy).filters))))
  const differing = istioFunctionNames.flatMap((name) => {
    const { differs } = renderings[name] as Rendering<never>
    return used.has(name) && differs !== undefined ? [`${name}: ${differs}`] : []
  })
  if (all.every((settings) => kindsOf(settings).length === 0)) return []
  return [
    {
      name: `${mesh} functions`,
      value:
        "each at one place of a path: a VirtualService's and a DestinationRule's at the client's sidecar, the waypoint or the gateway, an authentication's and an authorization's at the server's sidecar or the waypoint; `reference` has them on each L7 hop",
    },
    ...differing.map((value) => ({ name: `${mesh} function`, value })),
  ]
}

const has = (path: Path, layer: Hop['layer']) => path.hops.some((hop) => hop.layer === layer)

function record(value: unknown): Fields {
  return typeof value === 'object' && value !== null ? (value as Fields) : {}
}

/** As protobuf writes durations. */
const seconds = (ms: number) => `${ms / 1000}s`
