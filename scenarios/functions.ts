/**
 * What a mesh does with a request, each thing by itself: settings of an L7 hop under which the function works and lets
 * every request pass, so that an arm with it and the same arm without it differ by what the function costs.
 *
 * Mirroring and external authorization are not here: they call another service, whose time and place would be measured.
 */

/** A function of a hop, by the name of its filter (infra/images/proxy/filters). */
export interface MeshFunction {
  /** In words for the report. */
  readonly title: string
  /** Config of the filter. */
  readonly settings: Readonly<Record<string, unknown>>
  /** Fields that requests must carry for it to have work; every arm's requests then carry them, so that all are alike. */
  readonly requestHeaders?: Readonly<Record<string, string>>
}

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

export const functions = {
  balance: { title: 'least-request load balancing', settings: { policy: 'least-request' } },
  retry: {
    title: 'retry policy',
    settings: { retries: 2, on: ['connect-failure', 'reset', 'gateway-error'] },
  },
  timeouts: { title: 'timeouts', settings: { requestMs: 15_000, perTryMs: 5_000, idleMs: 60_000 } },
  circuitBreaker: {
    title: 'circuit breaking',
    settings: { maxConnections: 1024, maxPending: 1024, maxRequests: 1024 },
  },
  outlier: { title: 'outlier ejection', settings: {} },
  jwt: {
    title: 'JWT validation (RS256)',
    settings: {
      issuer: 'https://issuer.bench.local',
      audiences: ['server'],
      jwks: { keys: [{ kty: 'RSA', kid: 'bench', alg: 'RS256', use: 'sig', n: modulus, e: 'AQAB' }] },
    },
    requestHeaders: { authorization: `Bearer ${token}` },
  },
  headers: {
    title: 'header manipulation',
    settings: {
      request: { set: { 'x-bench-route': 'server' }, remove: ['x-bench-debug'] },
      response: { set: { 'x-bench-hop': 'l7' } },
    },
  },
  // One request in a million waits for 1 ms: what is measured is deciding.
  fault: {
    title: 'fault injection, deciding alone',
    settings: { delay: { ms: 1, percent: 0.0001 } },
  },
  authorization: {
    title: 'authorization by method and path',
    settings: { rules: [{ methods: ['GET', 'POST'], paths: ['/*'] }] },
  },
  rateLimit: { title: 'local rate limit', settings: { requestsPerSecond: 1_000_000 } },
  requestMetrics: { title: 'request metrics', settings: {} },
  trace: { title: 'trace context', settings: {} },
  forwarded: { title: 'forwarding headers', settings: { xForwardedFor: true, via: 'bench' } },
} as const satisfies Record<string, MeshFunction>

export type FunctionName = keyof typeof functions
export const functionNames = Object.keys(functions) as FunctionName[]
