/** Functions of hops at the wire, as `meshSettings` turn them on: each passes what it should and does its work. */
import { generateKeyPairSync } from 'node:crypto'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import type { CalledService, Endpoint, Path } from '../../../harness/model.js'
import { functions, type MeshFunction } from '../../../scenarios/functions.js'
import { l4L7L4 } from '../../../scenarios/paths/l4-l7-l4.js'
import { l4Only } from '../../../scenarios/paths/l4-only.js'
import { l7PerNode } from '../../../scenarios/paths/l7-per-node.js'
import { l7SidecarToSidecar } from '../../../scenarios/paths/l7-sidecar-to-sidecar.js'
import { locateBinary } from '../../supply/binaries.js'
import { envoyHop, envoyNeed } from '../envoy/hop.js'
import { getMany, type GetOptions } from '../envoy/testing.js'
import { createHopMesh } from '../hops/hop-mesh.js'
import { ownProxy, ownTunnel } from '../hops/own-hops.js'
import type { HopSettings } from '../hops/settings.js'
import { openTestHost, testArm, type TestHost } from '../hops/testing.js'

const found = await locateBinary(envoyNeed)
const missing = typeof found === 'string' ? undefined : found
if (missing) console.warn(`on Envoy skipped: ${missing.need}: ${missing.found}; ${missing.remedy}`)

let test: TestHost
let count = 0
const servers: Server[] = []
beforeAll(async () => {
  test = await openTestHost(['echo', 'proxy', 'tunnel'])
})
afterEach(() => {
  for (const server of servers.splice(0)) server.close()
})
afterAll(() => test.close())

const vendors = [
  { vendor: 'reference', l4: ownTunnel, l7: ownProxy, skip: false },
  { vendor: 'envoy', l4: envoyHop, l7: envoyHop, skip: missing !== undefined },
] as const

/** Raises a path with these settings; what the run's requests carry is asked for when the path is proved. */
async function raise(
  { l4, l7 }: (typeof vendors)[number],
  settings: HopSettings,
  path: Path = l7PerNode,
  requestHeaders: Readonly<Record<string, string>> = {},
) {
  const name = `functions-${++count}`
  const mesh = createHopMesh({ name, summary: '', paths: [path.name], l4, l7 })
  const variants = [{ name: 'asked', source: '', settings: {}, builds: {}, requestHeaders }]
  const config = { ...test.context.request.config, variants, meshSettings: { [name]: settings } }
  const session = await mesh.install({ ...test.context, request: { ...test.context.request, config } })
  const arm = await session.raise(testArm(name, path), path)
  const ask = async (requests: number, options?: GetOptions) =>
    (await getMany(arm.endpoint, requests, { connections: 1, ...options })).map(({ status }) => status)
  /** Requests that a service has answered so far. */
  const askedOf = async (service: CalledService) => {
    const component = arm.components.find((other) => other.service === service)
    return (await arm.readCounters(component?.name ?? '')).requests
  }
  return { arm, ask, askedOf }
}

/** A server that answers with a status and counts what it was asked. */
async function serve(status: number, afterMs = 0): Promise<{ at: Endpoint; asked: () => number }> {
  let asked = 0
  const server = createServer((_request, response) => {
    asked++
    response.statusCode = status
    setTimeout(() => response.end(), afterMs)
  })
  servers.push(server)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return { at: { host: '127.0.0.1', port: (server.address() as AddressInfo).port }, asked: () => asked }
}

/** What the hops read of it; they check it when they start. */
const settingsOf = ({ settings }: MeshFunction) => settings as HopSettings

const all = (length: number, status: number) => Array.from({ length }, () => status)

describe.each(vendors)('on $vendor', (vendor) => {
  const may = it.skipIf(vendor.skip)

  may('split: sends each share where it belongs, and counts what both carried', async () => {
    const canary = await serve(200)
    const { arm, ask } = await raise(vendor, {
      proxy: { split: [{ weight: 3 }, { weight: 1, at: canary.at }] },
    })
    expect(await ask(400)).toEqual(all(400, 200))
    if (vendor.vendor === 'reference') expect(canary.asked()).toBe(100)
    // Envoy draws at random. Binomial(400, 1/4): six standard deviations either way.
    expect(Math.abs(canary.asked() - 100)).toBeLessThan(52)
    const [hop] = arm.components
    expect(await arm.readCounters(hop?.name ?? '')).toMatchObject({ requests: 400, upstreamConnections: 2 })
  })

  may('balance: sends less to the endpoint that is busy', async () => {
    const [slow, fast] = [await serve(200, 50), await serve(200)]
    const zones = [
      { name: 'a', at: slow.at },
      { name: 'b', at: fast.at },
    ]
    const filters = { balance: { policy: 'least-request' } }
    const { ask } = await raise(vendor, { proxy: { filters, zones } })
    expect(await ask(200, { connections: 4 })).toEqual(all(200, 200))
    expect([slow.asked() + fast.asked(), slow.asked() < 80]).toEqual([200, true])
  })

  may('locality: stays near, and falls over when what is near was ejected', async () => {
    const [near, broken, far] = [await serve(200), await serve(503), await serve(200)]
    const zones = (local: Endpoint) => [
      { name: 'far', at: far.at },
      { name: 'near', at: local },
    ]
    const filters = { locality: { local: 'near' }, outlier: { consecutiveFailures: 3 } }
    const healthy = await raise(vendor, { proxy: { filters, zones: zones(near.at) } })
    expect(await healthy.ask(20)).toEqual(all(20, 200))
    expect([near.asked(), far.asked()]).toEqual([20, 0])
    const failing = await raise(vendor, { proxy: { filters, zones: zones(broken.at) } })
    expect(await failing.ask(3)).toEqual(all(3, 503))
    expect(await failing.ask(20)).toEqual(all(20, 200))
    expect([broken.asked(), far.asked()]).toEqual([3, 20])
  })

  may.each([l7PerNode, l7SidecarToSidecar, l4L7L4])(
    'split and locality, as they are priced, pass every request on $name',
    async (path) => {
      for (const one of [functions.split, functions.locality]) {
        const { arm, ask } = await raise(vendor, settingsOf(one), path)
        expect(await ask(20)).toEqual(all(20, 200))
        const bad = (await arm.prove()).filter(({ ok }) => !ok)
        expect(bad).toEqual([])
      }
    },
  )

  may('authorizationClaims: passes the claim of the token and refuses another', async () => {
    const { requestHeaders: headers } = functions.authorizationClaims
    const priced = await raise(vendor, settingsOf(functions.authorizationClaims))
    expect(await priced.ask(3, { headers })).toEqual(all(3, 200))
    expect(await priced.ask(1)).toEqual([401])
    const authorization = { rules: [{ claims: [{ name: 'role', values: ['admin'] }] }] }
    const { jwt = {} } = settingsOf(functions.jwt).proxy?.filters ?? {}
    const other = await raise(vendor, { proxy: { filters: { jwt, authorization } } })
    expect(await other.ask(3, { headers })).toEqual(all(3, 403))
  })

  may.each([l7PerNode, l7SidecarToSidecar, l4L7L4])(
    'externalAuthorization: each hop asks for each request on $name, and a denial is one',
    async (path) => {
      const { requestHeaders: headers } = functions.externalAuthorization
      const settings = settingsOf(functions.externalAuthorization)
      const { arm, ask, askedOf } = await raise(vendor, settings, path, headers)
      const callers = path.hops.filter(({ layer }) => layer === 'l7').length
      expect(await ask(20, { headers })).toEqual(all(20, 200))
      expect(await askedOf('authorizer')).toBe(20 * callers)
      expect(await ask(3, { headers: { 'x-bench-team': 'other' } })).toEqual(all(3, 403))
      expect(await ask(3)).toEqual(all(3, 403))
      // The first hop has denied them, so that a second one has nothing to ask about.
      expect(await askedOf('authorizer')).toBe(20 * callers + 6)
      const service = arm.components.find(({ category }) => category === 'called-service')
      expect(service?.name).toMatch(/\/authorizer$/)
      expect(service).not.toHaveProperty('hop')
      expect((await arm.prove()).filter(({ ok }) => !ok)).toEqual([])
    },
  )

  may.each([l7PerNode, l7SidecarToSidecar, l4L7L4])(
    'mirror: each hop sends a copy of each request on $name, whatever becomes of the copies',
    async (path) => {
      const { ask, askedOf } = await raise(vendor, settingsOf(functions.mirror), path)
      const callers = path.hops.filter(({ layer }) => layer === 'l7').length
      expect(await ask(20)).toEqual(all(20, 200))
      await expect.poll(() => askedOf('mirror')).toBe(20 * callers)
      // Each copy asks for what the request asked for: it fails there, too, and the client has the service's answer.
      expect(await ask(5, { path: '/echo?size=1&status=404' })).toEqual(all(5, 404))
      await expect.poll(() => askedOf('mirror')).toBe(25 * callers)
    },
  )

  may.each([l7PerNode, l7SidecarToSidecar, l4L7L4])(
    'oidc: each hop has its keys from the issuer on $name, passes its token and refuses another',
    async (path) => {
      const { requestHeaders: headers } = functions.oidc
      const { arm, ask, askedOf } = await raise(vendor, settingsOf(functions.oidc), path, headers)
      const callers = path.hops.filter(({ layer }) => layer === 'l7').length
      expect(await ask(20, { headers })).toEqual(all(20, 200))
      expect(await ask(1)).toEqual([401])
      expect(
        await ask(1, { headers: { authorization: `${headers.authorization.slice(0, -3)}AAA` } }),
      ).toEqual([401])
      // Once for each thread of a hop that keeps keys of its own, and not for each request.
      const fetched = (await askedOf('issuer')) ?? 0
      expect(fetched).toBeGreaterThanOrEqual(callers)
      expect(fetched).toBeLessThanOrEqual(4 * callers)
      expect((await arm.prove()).filter(({ ok }) => !ok)).toEqual([])
    },
  )

  may('jwt: passes its token at each hop of a path', async () => {
    const { requestHeaders: headers } = functions.jwt
    const { ask } = await raise(vendor, settingsOf(functions.jwt), l7SidecarToSidecar)
    expect(await ask(3, { headers })).toEqual(all(3, 200))
    expect(await ask(3)).toEqual(all(3, 401))
  })

  may('oidc: passes nobody whose issuer has other keys', async () => {
    const { requestHeaders: headers } = functions.oidc
    const { publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
    const keys = [{ ...publicKey.export({ format: 'jwk' }), kty: 'RSA', kid: 'bench', alg: 'RS256' }]
    const settings = settingsOf(functions.oidc)
    const services = { issuer: { jwks: { keys } } }
    const { ask } = await raise(vendor, { proxy: { ...settings.proxy, services } })
    expect(await ask(3, { headers })).toEqual(all(3, 401))
  })

  may.each([l7PerNode, l7SidecarToSidecar, l4L7L4])(
    'globalRateLimit: each hop asks for each request on $name',
    async (path) => {
      const { ask, askedOf } = await raise(vendor, settingsOf(functions.globalRateLimit), path)
      const callers = path.hops.filter(({ layer }) => layer === 'l7').length
      expect(await ask(20)).toEqual(all(20, 200))
      expect(await askedOf('rateLimiter')).toBe(20 * callers)
    },
  )

  may('globalRateLimit: what is over the limit of the service is refused', async () => {
    const limitedTo = async (requestsPerSecond: number) => {
      const { proxy } = settingsOf(functions.globalRateLimit)
      return raise(vendor, { proxy: { ...proxy, services: { rateLimiter: { requestsPerSecond } } } })
    }
    const closed = await limitedTo(0)
    expect(await closed.ask(5)).toEqual(all(5, 429))
    expect(await closed.askedOf('rateLimiter')).toBe(5)
    // Windows of a second: some requests of as many as these come after the first of one.
    const narrow = await limitedTo(1)
    expect(new Set(await narrow.ask(200))).toEqual(new Set([200, 429]))
  })

  may('globalRateLimit: a service that is gone refuses, or lets pass, as it is told', async () => {
    const gone = async (failOpen: boolean) => {
      const { proxy } = settingsOf(functions.globalRateLimit)
      const { globalRateLimit = {} } = proxy?.filters ?? {}
      const filters = { globalRateLimit: { ...globalRateLimit, failOpen } }
      const { arm, ask } = await raise(vendor, { proxy: { ...proxy, filters } })
      const service = arm.components.find((other) => other.service === 'rateLimiter')
      await test.stop(service?.name ?? '')
      return ask(3)
    }
    expect(await gone(false)).toEqual(all(3, 500))
    expect(await gone(true)).toEqual(all(3, 200))
  })

  may('authorizationHeaders: passes the header and refuses another, or none', async () => {
    const { requestHeaders: headers } = functions.authorizationHeaders
    const { ask } = await raise(vendor, settingsOf(functions.authorizationHeaders))
    expect(await ask(3, { headers })).toEqual(all(3, 200))
    expect(await ask(1, { headers: { 'x-bench-team': 'other' } })).toEqual([403])
    expect(await ask(1)).toEqual([403])
  })
})

describe('portAuthorization', () => {
  it('passes the port of the service and refuses all others', async () => {
    const [reference] = vendors
    const { ask } = await raise(reference, settingsOf(functions.portAuthorization), l4Only)
    expect(await ask(5)).toEqual(all(5, 200))
    const closed = await raise(reference, { tunnel: { ports: [8081] } }, l4Only)
    await expect(closed.ask(1)).rejects.toThrow()
  })
})
