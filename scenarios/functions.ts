/**
 * What a mesh does with a request or a connection, each thing by itself: settings of a hop under which the function works
 * and lets everything pass, so that an arm with it and the same arm without it differ by what the function costs.
 *
 * Some call another service, which is raised beside the hops of each arm: what a request waits for it is the function's price,
 * and what it burns itself has a row of its own in the bill.
 */
import type { CalledService, Security } from '../harness/model.js'

/** A function of the hops of one layer, by its name on the command line. */
export interface MeshFunction {
  /** In words for the report. */
  readonly title: string
  /**
   * What `meshSettings` say to turn it on (infra/meshes/hops/settings.ts). Under `proxy` it is a function of the L7 hops,
   * under `tunnel` one of the L4 hops, each of them unless a mesh has it at one place (`Mesh.placeOf`); `transport` is of the
   * legs between hops, `policy` of the kernel's rules.
   */
  readonly settings: FunctionSettings
  /**
   * What they say to turn it off, where the arm as configured is not the arm without it: it is then measured against an
   * arm of its own, which differs from it in these settings alone.
   */
  readonly without?: FunctionSettings
  /** The service that it calls, which `settings` have raised; absent: none. */
  readonly service?: CalledService
  /** Fields that requests must carry for it to have work; every arm's requests then carry them, so that all are alike. */
  readonly requestHeaders?: Readonly<Record<string, string>>
}

type Settings = Readonly<Record<string, unknown>>
type FunctionSettings =
  | { readonly proxy: Settings }
  | { readonly tunnel: Settings }
  | { readonly transport: Security }
  | { readonly policy: boolean }

/** Settings of filters of an L7 hop, by name (infra/images/proxy/filters). */
const filters = (byName: Settings): FunctionSettings => ({ proxy: { filters: byName } })

/** Filters that call a service by its name, and what that service is told. */
const calling = (service: CalledService, told: Settings, byName: Settings) => ({
  service,
  settings: { proxy: { services: { [service]: told }, filters: byName } },
})

/** Public half of a key that signed one token. The private half was never kept, and nothing but these arms trusts it. */
const modulus = [
  'tJUleTnG0lr4j8llxLT1w-Zn_H6Bb9HM9FocsJbLpOrckBHJDi-WI-1YbXSB3Nte8xBkbRogL6RlE6-z_WFzrdn92n6GD-wU2UB-',
  'VPapvy_Yx9niRElCW03LbyqjAs7tHM1W0pRnpEC7sMnMYBoR1oYlZMClxTcEEimgzh5c3KeVtksrY2qwMsia9vtrs0r3FMB2sRpQ',
  'Pc9UeKXa0DJcc9rFcyjsyRA3Zx1epdCDBpmfQbKBxWnPhlHuXp9Cy8rs_iiiF2_fjnVy8S0TtCP-asmas10iJ77FKni2kNN1MRmc',
  'RpjzFDodYBCf0dEa7UEWyvxZddK9-agH1PtmI8f-vw',
].join('')

/** RS256, of issuer and audience below, for the year 2025 to 2100. */
const token = [
  'eyJhbGciOiJSUzI1NiIsImtpZCI6ImJlbmNoIn0.eyJyb2xlIjoiY2xpZW50IiwiaXNzIjoiaHR0cHM6Ly9pc3N1ZXIuYmVuY2gu',
  'bG9jYWwiLCJhdWQiOiJzZXJ2ZXIiLCJzdWIiOiJjbGllbnQiLCJpYXQiOjE3MzU2ODk2MDAsImV4cCI6NDEwMjQ0NDgwMH0.s5jc',
  'kLmSfz2_0NMIWkJ9MX3vi4VpLgrQLgIQJqZ5zZzA-BEmGa1TrzvT5q06ssUvhG1FbeUZUqi7Dv7gWulz61T5cj07Q_fN-r0-F8_o',
  'JEaOUo7ShES2ur583CeGyySsMwDSgYnwiiTCTRdBXoecYeqoCkY1I82zqPUZCLCRoZzZNX9VxgFilbN791kBmJrZk4on4SEm7_5S',
  'sHp6kNien78Rt8mfnYcyfz06MhAVaHQLs65JKCeWwBuxPFeL7QxpPJUkOkV8oOjA19TXKjbUqMQ1K_qmXQYy6XnRnIl8nGuYT3Bj',
  'O2Du2NcRdJmJ-bqP-e3Rvgxohh0e3XGz6gv5wA',
].join('')

const bearer = { authorization: `Bearer ${token}` }

const jwks = { keys: [{ kty: 'RSA', kid: 'bench', alg: 'RS256', use: 'sig', n: modulus, e: 'AQAB' }] }
/** A hop that kept the token to itself would leave the next one, which has the function too, without. */
const tokens = { issuer: 'https://issuer.bench.local', audiences: ['server'], forward: true }
const jwt = { ...tokens, jwks }

const authorization = (rule: Settings) => ({ authorization: { rules: [rule] } })

/** What the rule by header and the authorizer let pass. */
const team = { header: 'x-bench-team', value: 'mesh' }
const ofTeam = { [team.header]: team.value }

export const functions = {
  balance: {
    title: 'least-request load balancing',
    settings: filters({ balance: { policy: 'least-request' } }),
  },
  retry: {
    title: 'retry policy',
    settings: filters({ retry: { retries: 2, on: ['connect-failure', 'reset', 'gateway-error'] } }),
  },
  timeouts: {
    title: 'timeouts',
    settings: filters({ timeouts: { requestMs: 15_000, perTryMs: 5_000, idleMs: 60_000 } }),
  },
  circuitBreaker: {
    title: 'circuit breaking',
    settings: filters({ circuitBreaker: { maxConnections: 1024, maxPending: 1024, maxRequests: 1024 } }),
  },
  outlier: { title: 'outlier ejection', settings: filters({ outlier: {} }) },
  // Both shares are of the same server: what is measured is choosing, and a pool for each.
  split: {
    title: 'traffic splitting, 90 to 10',
    settings: { proxy: { split: [{ weight: 9 }, { weight: 1 }] } },
  },
  // The server is in the zone of the hop; the endpoint of the other zone gets nothing while it answers.
  locality: {
    title: 'locality-aware routing',
    settings: {
      proxy: { zones: [{ name: 'near' }, { name: 'far' }], filters: { locality: { local: 'near' } } },
    },
  },
  jwt: { title: 'JWT validation (RS256)', settings: filters({ jwt }), requestHeaders: bearer },
  headers: {
    title: 'header manipulation',
    settings: filters({
      headers: {
        request: { set: { 'x-bench-route': 'server' }, remove: ['x-bench-debug'] },
        response: { set: { 'x-bench-hop': 'l7' } },
      },
    }),
  },
  // One request in a million waits for 1 ms: what is measured is deciding.
  fault: {
    title: 'fault injection, deciding alone',
    settings: filters({ fault: { delay: { ms: 1, percent: 0.0001 } } }),
  },
  authorization: {
    title: 'authorization by method and path',
    settings: filters(authorization({ methods: ['GET', 'POST'], paths: ['/*'] })),
  },
  authorizationHeaders: {
    title: 'authorization by header',
    settings: filters(authorization({ headers: [{ name: team.header, values: [team.value] }] })),
    requestHeaders: ofTeam,
  },
  // Claims are known of a token that was checked: less `jwt`, this is the price of the rule.
  authorizationClaims: {
    title: 'authorization by JWT claim, with validation (RS256)',
    settings: filters({ jwt, ...authorization({ claims: [{ name: 'role', values: ['client'] }] }) }),
    requestHeaders: bearer,
  },
  rateLimit: {
    title: 'local rate limit',
    settings: filters({ rateLimit: { requestsPerSecond: 1_000_000 } }),
  },
  requestMetrics: { title: 'request metrics', settings: filters({ requestMetrics: {} }) },
  trace: { title: 'trace context', settings: filters({ trace: {} }) },
  forwarded: {
    title: 'forwarding headers',
    settings: filters({ forwarded: { xForwardedFor: true, via: 'bench' } }),
  },
  externalAuthorization: {
    title: 'external authorization over HTTP',
    ...calling('authorizer', team, {
      externalAuthorization: { cluster: 'authorizer', requestHeaders: [team.header], timeoutMs: 1000 },
    }),
    requestHeaders: ofTeam,
  },
  mirror: {
    title: 'request mirroring, all requests',
    ...calling('mirror', {}, { mirror: { cluster: 'mirror' } }),
  },
  // Keys are fetched once and kept: less `jwt`, this is what it costs to have them from an issuer.
  oidc: {
    title: 'OIDC tokens (RS256), keys fetched from the issuer (JWKS)',
    ...calling('issuer', { jwks }, { jwt: { ...tokens, remoteJwks: { cluster: 'issuer' } } }),
    requestHeaders: bearer,
  },
  // What the service does not answer in time is refused, so that no request goes by undecided.
  globalRateLimit: {
    title: 'global rate limit by a service (gRPC)',
    ...calling(
      'rateLimiter',
      { requestsPerSecond: 1_000_000 },
      {
        globalRateLimit: {
          ...{ cluster: 'rateLimiter', descriptor: { value: 'server' } },
          ...{ timeoutMs: 1000, failOpen: false },
        },
      },
    ),
  },
  portAuthorization: { title: 'port authorization', settings: { tunnel: { ports: [8080] } } },
  connectionMetrics: {
    title: 'connection metrics by identity',
    settings: { tunnel: { connectionMetrics: true } },
  },
  // Both endpoints are the same server: what is measured is choosing.
  connectionBalance: {
    title: 'connection load balancing, least connections',
    settings: { tunnel: { endpoints: [{}, {}], balance: 'least-connections' } },
  },
  // The arm as configured has both: each is measured between two arms that differ in it alone.
  encryption: {
    title: 'encryption between hops, certificate of the server alone',
    settings: { transport: 'tls' },
    without: { transport: 'plain' },
  },
  mutualAuthentication: {
    title: 'mutual authentication, certificate of the client as well',
    settings: { transport: 'mtls' },
    without: { transport: 'tls' },
  },
  // The kernel's path has it as configured: what is measured is the server's node with the rules and without any.
  networkPolicy: {
    title: "network policy: the client's address and port alone",
    settings: { policy: true },
    without: { policy: false },
  },
} as const satisfies Record<string, MeshFunction>

export type FunctionName = keyof typeof functions
export const functionNames = Object.keys(functions) as FunctionName[]
