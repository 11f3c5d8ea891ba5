/** Each function of Envoy does what its name says, in a chain with a real upstream. */
import { generateKeyPairSync } from 'node:crypto'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { SignJWT, exportJWK } from 'jose'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import type { Endpoint, Path } from '../../../harness/model.js'
import { paths } from '../../../scenarios/paths/index.js'
import { locateBinary } from '../../supply/binaries.js'
import { createHopMesh } from '../hops/hop-mesh.js'
import { openTestHost, testArm, type TestHost } from '../hops/testing.js'
import { envoyHop, envoyNeed } from './hop.js'
import { getMany, type GetOptions } from './testing.js'

const { 'l4-l7-l4': l4L7L4, 'l7-per-node': l7PerNode, 'l7-sidecar-to-sidecar': l7SidecarToSidecar } = paths

const found = await locateBinary(envoyNeed)
const missing = typeof found === 'string' ? undefined : found
if (missing) console.warn(`skipped: ${missing.need}: ${missing.found}; ${missing.remedy}`)

describe.skipIf(missing)('a function on Envoy', () => {
  let test: TestHost
  const servers: Server[] = []
  let count = 0
  beforeAll(async () => {
    test = await openTestHost(['echo'])
  })
  afterEach(() => {
    for (const server of servers.splice(0)) server.close()
  })
  afterAll(() => test.close())

  interface ChainOptions {
    readonly path?: Path
    readonly clusters?: Record<string, Endpoint>
  }

  /** Statuses of so many requests through a path with these functions. */
  async function chain(filters: Record<string, unknown>, chainOptions: ChainOptions = {}) {
    const endpoint = await raiseArm(filters, chainOptions)
    return async (requests: number, options?: GetOptions): Promise<number[]> =>
      (await getMany(endpoint, requests, options)).map(({ status }) => status)
  }

  /** Raises a path with these functions on its L7 hops, and returns where the client sends. */
  async function raiseArm(
    filters: Record<string, unknown>,
    { path = l7PerNode, clusters = {} }: ChainOptions = {},
  ): Promise<Endpoint> {
    const name = `functions-${++count}`
    const mesh = createHopMesh({
      name,
      summary: '',
      paths: [path.name],
      l4: envoyHop,
      l7: envoyHop,
    })
    const request = {
      ...test.context.request,
      config: { ...test.context.request.config, meshSettings: { [name]: { proxy: { filters }, clusters } } },
    }
    const session = await mesh.install({ ...test.context, request })
    return (await session.raise(testArm(name, path), path)).endpoint
  }

  async function serve(
    handler: (path: string, headers: NodeJS.Dict<string | string[]>) => number,
  ): Promise<Endpoint> {
    const server = createServer((request, response) => {
      response.statusCode = handler(request.url ?? '', request.headers)
      response.end()
    })
    servers.push(server)
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    return { host: '127.0.0.1', port: (server.address() as AddressInfo).port }
  }

  it('fault: aborts and delays the share that it is told', async () => {
    const abort = await chain({ fault: { abort: { status: 418, percent: 100 } } })
    expect(await abort(5)).toEqual([418, 418, 418, 418, 418])
    const some = await chain({ fault: { abort: { status: 418, percent: 50 } } })
    const aborted = (await some(400)).filter((status) => status === 418).length
    // Binomial(400, 1/2): six standard deviations either way.
    expect(aborted).toBeGreaterThan(140)
    expect(aborted).toBeLessThan(260)
    const slow = await chain({ fault: { delay: { ms: 150, percent: 100 } } })
    const started = performance.now()
    expect(await slow(1)).toEqual([200])
    expect(performance.now() - started).toBeGreaterThan(149)
  })

  it('rateLimit: lets the burst through and no more', async () => {
    const limited = await chain({ rateLimit: { requestsPerSecond: 1, burst: 5 } })
    const statuses = await limited(20)
    const passed = statuses.filter((status) => status === 200).length
    expect(passed).toBeGreaterThanOrEqual(5)
    expect(passed).toBeLessThan(15)
    expect(new Set(statuses)).toEqual(new Set([200, 429]))
  })

  it('jwt: wants a token that the issuer has signed', async () => {
    const [own, other] = [0, 1].map(() => generateKeyPairSync('ec', { namedCurve: 'P-256' }))
    if (!own || !other) throw new Error('no keys')
    const key = { ...(await exportJWK(own.publicKey)), kid: 'one', alg: 'ES256' }
    const token = (signer: typeof own, claims = {}) =>
      new SignJWT(claims)
        .setProtectedHeader({ alg: 'ES256', kid: 'one' })
        .setIssuer('meshbench')
        .setAudience('bench')
        .setExpirationTime('5m')
        .sign(signer.privateKey)
    const jwt = { issuer: 'meshbench', audiences: ['bench'], jwks: { keys: [key] } }
    const guarded = await chain({ jwt })
    const as = async (bearer: string) => ({ headers: { authorization: `Bearer ${bearer}` } })
    expect(await guarded(1)).toEqual([401])
    expect(await guarded(1, await as(await token(own)))).toEqual([200])
    expect(await guarded(1, await as(await token(other)))).toEqual([401])

    const byClaim = await chain({
      jwt,
      authorization: { rules: [{ claims: [{ name: 'role', values: ['admin'] }] }] },
    })
    expect(await byClaim(1, await as(await token(own, { role: 'admin' })))).toEqual([200])
    expect(await byClaim(1, await as(await token(own, { role: 'guest' })))).toEqual([403])
  })

  it('authorization: by method, path and header; deny wins', async () => {
    const guarded = await chain({
      authorization: {
        rules: [
          { methods: ['GET'], paths: ['/echo*'] },
          { action: 'deny', headers: [{ name: 'x-evil', values: ['yes'] }] },
        ],
      },
    })
    expect(await guarded(1)).toEqual([200])
    expect(await guarded(1, { headers: { 'x-evil': 'yes' } })).toEqual([403])
    expect(await guarded(1, { path: '/other' })).toEqual([403])
  })

  it.each([l4L7L4, l7SidecarToSidecar])(
    'authorization: by the principal behind mutual TLS on $name',
    async (path) => {
      const rules = (account: string) => ({
        authorization: { rules: [{ principals: [`spiffe://cluster.local/ns/bench/sa/${account}`] }] },
      })
      // On sidecars only the inbound one knows its peer; the outbound one would refuse the config, so it goes without.
      if (path === l7SidecarToSidecar)
        return void (await expect(chain(rules('client'), { path })).rejects.toThrow('knows no peer'))
      expect(await (await chain(rules('client'), { path }))(3)).toEqual([200, 200, 200])
      expect(await (await chain(rules('somebody'), { path }))(3)).toEqual([403, 403, 403])
    },
  )

  it('externalAuthorization: asks, and does what is answered', async () => {
    const asked: string[] = []
    const authorizer = await serve((path, headers) => {
      asked.push(path)
      return headers['x-user'] === 'alice' ? 200 : 403
    })
    const guarded = await chain(
      { externalAuthorization: { cluster: 'authorizer', requestHeaders: ['x-user'] } },
      { clusters: { authorizer } },
    )
    expect(await guarded(2, { headers: { 'x-user': 'alice' } })).toEqual([200, 200])
    expect(await guarded(1, { headers: { 'x-user': 'mallory' } })).toEqual([403])
    expect(asked).toHaveLength(3)
  })

  it('headers: sets and removes', async () => {
    const edited = await raiseArm({
      headers: { response: { set: { 'x-mesh': 'envoy' }, remove: ['content-type'] } },
    })
    const [answer] = await getMany(edited, 1)
    expect(answer?.headers['x-mesh']).toBe('envoy')
    expect(answer?.headers).not.toHaveProperty('content-type')
  })

  it('circuitBreaker: answers 503 beyond the requests that it is told', async () => {
    const broken = await chain({ circuitBreaker: { maxRequests: 1, maxPending: 5 } })
    const statuses = await broken(40, { path: '/echo?size=1&delay=20ms', connections: 8 })
    expect(new Set(statuses)).toEqual(new Set([200, 503]))
  })

  it('timeouts: answers 504 when a request takes longer', async () => {
    const hurried = await chain({ timeouts: { requestMs: 50 } })
    expect(await hurried(1, { path: '/echo?size=1&delay=500ms' })).toEqual([504])
    expect(await hurried(1)).toEqual([200])
  })

  it('mirror: sends a copy elsewhere and answers from the service', async () => {
    let copies = 0
    const shadow = await serve(() => {
      copies++
      return 500
    })
    const mirrored = await chain({ mirror: { cluster: 'shadow' } }, { clusters: { shadow } })
    expect(await mirrored(20)).toEqual(Array.from({ length: 20 }, () => 200))
    await expect.poll(() => copies).toBe(20)
  })

  it('retry: as often as it is told, on the statuses that it is told', async () => {
    const retried = await chain({ retry: { retries: 2, backoff: { baseMs: 1, maxMs: 2 } } })
    const before = await failuresAtEcho()
    expect(await retried(1, { path: '/echo?size=1&status=503' })).toEqual([503])
    expect((await failuresAtEcho()) - before).toBe(3)
    const after = await failuresAtEcho()
    expect(await retried(1, { path: '/echo?size=1&status=500' })).toEqual([500])
    expect((await failuresAtEcho()) - after).toBe(1)
  })

  /** Those alone that this test's requests end with: a copy that an earlier test mirrored may still be on its way. */
  async function failuresAtEcho(): Promise<number> {
    const text = await test.host.fetchAdmin('echo', '/metrics')
    return [...text.matchAll(/^meshbench_requests_total\{\S*5xx\S* (\d+)/gm)].reduce(
      (sum, [, value]) => sum + Number(value),
      0,
    )
  }
})
