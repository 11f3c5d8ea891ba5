/** Functions of hops at the wire, as `meshSettings` turn them on: each passes what it should and does its work. */
import { generateKeyPairSync } from 'node:crypto'
import { createServer, type Server } from 'node:http'
import { connect, type AddressInfo, type Socket } from 'node:net'
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import type { CalledService, Endpoint, Path } from '../../../harness/model.js'
import { defined } from '../../../harness/model/defined.js'
import { carriedPath } from '../../../harness/model/paths.js'
import { functions, type MeshFunction } from '../../../scenarios/functions.js'
import { paths } from '../../../scenarios/paths/index.js'
import { parsePrometheus, sumSamples } from '../../../harness/process/prometheus.js'
import { locateBinary } from '../../supply/binaries.js'
import { envoyHop, envoyNeed } from '../envoy/hop.js'
import { getMany, type GetOptions } from '../envoy/testing.js'
import { createHopMesh } from '../hops/hop-mesh.js'
import { ownProxy, ownTunnel } from '../hops/own-hops.js'
import type { HopSettings } from '../hops/settings.js'
import { openTestHost, testArm, type TestHost } from '../hops/testing.js'

const {
  'l4-l7-l4': l4L7L4,
  'l4-only': l4Only,
  'l7-per-node': l7PerNode,
  'l7-sidecar-to-sidecar': l7SidecarToSidecar,
} = paths

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
  const transport = settings.transport === 'mtls' ? undefined : settings.transport
  const arm = await session.raise(
    { ...testArm(name, path), ...defined({ transport }) },
    carriedPath(defined({ transport }), path),
  )
  const ask = async (requests: number, options?: GetOptions) =>
    (await getMany(arm.endpoint, requests, { connections: 1, ...options })).map(({ status }) => status)
  /** Requests that a service has answered so far. */
  const askedOf = async (service: CalledService) => {
    const component = arm.components.find((other) => other.service === service)
    return (await arm.readCounters(component?.name ?? '')).requests
  }
  return { arm, ask, askedOf }
}

interface Served {
  readonly at: Endpoint
  readonly asked: () => number
  /** Ends all of its connections. */
  readonly cut: () => void
}

/** A server that answers with a status and counts what it was asked. */
async function serve(status: number, afterMs = 0): Promise<Served> {
  let asked = 0
  const server = createServer((_request, response) => {
    asked++
    response.statusCode = status
    setTimeout(() => response.end(), afterMs)
  })
  servers.push(server)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    at: { host: '127.0.0.1', port: (server.address() as AddressInfo).port },
    asked: () => asked,
    cut: () => server.closeAllConnections(),
  }
}

/** Opens a connection, has one request answered and keeps it. */
async function hold({ host, port }: Endpoint): Promise<Socket> {
  const socket = connect(port, host)
  await new Promise<void>((resolve, reject) => {
    socket.once('error', reject)
    socket.once('data', () => resolve())
    socket.write('GET / HTTP/1.1\r\nhost: server\r\n\r\n')
  })
  return socket.on('error', () => {})
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
    // Envoy's thread of requests is told by another that a host is ejected: some more may still go there.
    await vi.waitFor(async () => expect(await failing.ask(1)).toEqual([200]))
    const [ejectedAfter, before] = [broken.asked(), far.asked()]
    expect(ejectedAfter).toBeLessThan(10)
    expect(await failing.ask(20)).toEqual(all(20, 200))
    expect([broken.asked(), far.asked()]).toEqual([ejectedAfter, before + 20])
  })

  may.each([l7PerNode, l7SidecarToSidecar, l4L7L4])(
    'split and locality, as they are priced, pass every request on $name',
    async (path) => {
      for (const meshFunction of [functions.split, functions.locality]) {
        const { arm, ask } = await raise(vendor, settingsOf(meshFunction), path)
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

describe.each(vendors)('what protects legs on $vendor', (vendor) => {
  const may = it.skipIf(vendor.skip)
  const forms = [functions.encryption.without, functions.encryption.settings] as const
  const spread = [l4Only, l7SidecarToSidecar, l4L7L4].flatMap((path) =>
    [...forms, functions.mutualAuthentication.settings].map((settings) => ({
      ...{ path, settings, name: path.name, transport: settings.transport },
    })),
  )

  may.each(spread)(
    '$transport on $name: passes every request and is what it says',
    async ({ path, settings }) => {
      const { arm, ask } = await raise(vendor, settings, path)
      const before = await Promise.all(arm.components.map(({ name }) => arm.readCounters(name)))
      expect(await ask(20)).toEqual(all(20, 200))
      for (const [index, { name }] of arm.components.entries()) {
        const counters = await arm.readCounters(name)
        const since = (key: 'tlsHandshakesServer' | 'tlsHandshakesClient') =>
          (counters[key] ?? 0) - (before[index]?.[key] ?? 0)
        const isEncrypted = settings.transport !== 'plain'
        const [isFirst, isLast] = [index === 0, index === arm.components.length - 1]
        expect([name, since('tlsHandshakesServer') > 0]).toEqual([name, isEncrypted && !isFirst])
        expect([name, since('tlsHandshakesClient') > 0]).toEqual([name, isEncrypted && !isLast])
        const knows = settings.transport === 'mtls' || (isEncrypted && !isLast)
        expect([name, counters.peers !== undefined]).toEqual([name, knows])
      }
      const proofs = await arm.prove()
      expect(proofs.filter(({ ok }) => !ok)).toEqual([])
      expect(proofs.length).toBeGreaterThan(0)
    },
  )
})

describe.each(vendors)('what tunnels do on $vendor', (vendor) => {
  const may = it.skipIf(vendor.skip)

  may('portAuthorization: passes the port of the service and refuses all others', async () => {
    const { ask } = await raise(vendor, settingsOf(functions.portAuthorization), l4Only)
    expect(await ask(5)).toEqual(all(5, 200))
    const closed = await raise(vendor, { tunnel: { ports: [8081] } }, l4Only)
    await expect(closed.ask(1)).rejects.toThrow()
  })

  may('connectionBalance: passes every request as it is priced, and takes turns without it', async () => {
    const { ask, arm } = await raise(vendor, settingsOf(functions.connectionBalance), l4Only)
    expect(await ask(20)).toEqual(all(20, 200))
    expect((await arm.prove()).filter(({ ok }) => !ok)).toEqual([])
    const [a, b] = [await serve(200), await serve(200)]
    const turns = await raise(vendor, { tunnel: { endpoints: [a, b].map(({ at }) => ({ at })) } }, l4Only)
    for (let count = 0; count < 10; count++) expect(await turns.ask(1)).toEqual([200])
    expect([a.asked(), b.asked()]).toEqual([5, 5])
  })

  may('connectionBalance: new connections go where the fewest stand', async () => {
    const [a, b] = [await serve(200), await serve(200)]
    const endpoints = [a, b].map(({ at }) => ({ at }))
    const { arm } = await raise(vendor, { tunnel: { endpoints, balance: 'least-connections' } }, l4Only)
    const held: Socket[] = []
    const open = async (count: number) => {
      for (let opened = 0; opened < count; opened++) held.push(await hold(arm.endpoint))
    }
    try {
      await open(100)
      const before = a.asked()
      a.cut()
      await expect.poll(() => held.filter(({ destroyed }) => destroyed).length).toBe(before)
      await open(50)
      const more = a.asked() - before
      if (vendor.vendor === 'reference') expect([before, more]).toEqual([50, 50])
      // Envoy compares two draws, which are b twice one time in four: Binomial(50, 3/4), four standard deviations.
      expect(more).toBeGreaterThan(25)
    } finally {
      for (const socket of held) socket.destroy()
    }
  })
})

describe('connectionMetrics', () => {
  it('counts each connection at both ends, by who is there', async () => {
    const [reference] = vendors
    const { arm, ask } = await raise(reference, settingsOf(functions.connectionMetrics), l4Only)
    expect(await ask(5, { connections: 1 })).toEqual(all(5, 200))
    const account = (name: string) => `spiffe://cluster.local/ns/bench/sa/${name}`
    for (const [{ name }, reporter] of [
      [arm.components[0] ?? { name: '' }, 'source'],
      [arm.components[1] ?? { name: '' }, 'destination'],
    ] as const) {
      const read = async (metric: string) => {
        const samples = parsePrometheus(await test.host.fetchAdmin(name, '/metrics'))
        return sumSamples(samples, `meshbench_tcp_${metric}`, {
          ...{ reporter, destination_service: 'server.bench:8080', connection_security_policy: 'mutual_tls' },
          ...{ source_principal: account('client'), destination_principal: account('server') },
        })
      }
      expect(await read('connections_opened_total')).toBe(1)
      await expect.poll(() => read('connections_closed_total')).toBe(1)
      expect(await read('connection_duration_seconds_count')).toBe(1)
      expect(await read('received_bytes_total')).toBeGreaterThan(5 * 40)
      expect(await read('sent_bytes_total')).toBeGreaterThan(5 * 1024)
    }
  })

  it('knows nobody who has shown no certificate, and is nothing where it is off', async () => {
    const [reference] = vendors
    const settings = { ...settingsOf(functions.connectionMetrics), transport: 'plain' } as const
    for (const [using, lines] of [
      [settings, 1],
      [{}, 0],
    ] as const) {
      const { arm, ask } = await raise(reference, using, l4Only)
      expect(await ask(1)).toEqual([200])
      for (const { name } of arm.components) {
        const text = await test.host.fetchAdmin(name, '/metrics')
        const opened = text.split('\n').filter((line) => line.startsWith('meshbench_tcp_connections_opened'))
        expect([name, opened.length]).toEqual([name, lines])
        for (const line of opened)
          expect(line).toMatch(
            /source_principal="unknown",destination_principal="unknown",.*_policy="none"\} 1$/,
          )
      }
    }
  })
})
