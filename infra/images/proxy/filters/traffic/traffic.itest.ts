/** The filters that decide where a request goes and how often, each through a real chain to real upstreams. */
import { type Server, createServer } from 'node:net'
import { describe, expect, it } from 'vitest'
import { type TestProxy, ask, closedAfterEach, cluster } from '../../tests/testing.js'

const { proxy, proxyTo, rawServer, upstream } = closedAfterEach()
const named = (name: string) =>
  upstream((_request, response) => {
    response.end(name)
  })
const answers = async (target: TestProxy, count: number, path = '/'): Promise<Record<string, number>> => {
  const tally: Record<string, number> = {}
  for (let i = 0; i < count; i++) {
    const { body, status } = await ask(target.address, { path })
    const key = status === 200 ? body : String(status)
    tally[key] = (tally[key] ?? 0) + 1
  }
  return tally
}
const closedPort = async (): Promise<{ host: string; port: number }> => {
  const server: Server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as { port: number }
  await new Promise((resolve) => server.close(resolve))
  return { host: '127.0.0.1', port }
}
const pauseMs = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))

describe('routing', () => {
  it('goes by path, host, method and header, first match first', async () => {
    const [a, b, c, d] = [await named('a'), await named('b'), await named('c'), await named('d')]
    const { address } = await proxy({
      clusters: [cluster('a', a), cluster('b', b), cluster('c', c), cluster('d', d)],
      routes: [
        { match: { prefix: '/api' }, cluster: 'a', prefixRewrite: '/v1' },
        { match: { hosts: ['*.shop.test'] }, cluster: 'b' },
        { match: { headers: [{ name: 'X-Canary', value: 'yes' }], methods: ['GET'] }, cluster: 'c' },
        { match: { path: '/exact' }, cluster: 'd', hostRewrite: 'other.test' },
      ],
    })
    expect((await ask(address, { path: '/api/x?q=1' })).body).toBe('a')
    expect(a.seen[0]?.url).toBe('/v1/x?q=1')
    expect((await ask(address, { path: '/apix', headers: { host: 'www.shop.test:80' } })).body).toBe('b')
    expect((await ask(address, { path: '/', headers: { 'x-canary': 'yes' } })).body).toBe('c')
    expect((await ask(address, { path: '/exact?x' })).body).toBe('d')
    expect(d.seen[0]?.headers.host).toBe('other.test')
    expect((await ask(address, { path: '/apix' })).status).toBe(404)
  })

  it('splits traffic in exact shares', async () => {
    const [a, b] = [await named('a'), await named('b')]
    const target = await proxy({
      clusters: [cluster('a', a), cluster('b', b)],
      routes: [
        {
          match: {},
          split: [
            { cluster: 'a', weight: 3 },
            { cluster: 'b', weight: 1 },
          ],
        },
      ],
    })
    expect(await answers(target, 16)).toEqual({ a: 12, b: 4 })
  })
})

describe('balancing', () => {
  it('takes turns, and by weight', async () => {
    const [a, b] = [await named('a'), await named('b')]
    expect(await answers(await proxy({ clusters: [cluster('server', a, b)] }), 6)).toEqual({ a: 3, b: 3 })
    const weighted = {
      ...cluster('server'),
      endpoints: [
        { host: a.host, port: a.port, weight: 2 },
        { host: b.host, port: b.port, weight: 1 },
      ],
    }
    expect(await answers(await proxy({ clusters: [weighted] }), 9)).toEqual({ a: 6, b: 3 })
  })

  it('prefers the endpoint with fewer requests in progress', async () => {
    const slow = await upstream((_request, response) => {
      setTimeout(() => response.end('slow'), 300)
    })
    const fast = await named('fast')
    const target = await proxy({
      clusters: [cluster('server', slow, fast)],
      filters: { balance: { policy: 'least-request' } },
    })
    const first = [ask(target.address), ask(target.address)]
    await pauseMs(100)
    expect(await answers(target, 4)).toEqual({ fast: 4 })
    await Promise.all(first)
    expect(target.metric('meshbench_endpoint_picks_total')).toBe(6)
    expect(target.metric('meshbench_endpoint_picks_total', String(fast.port))).toBe(5)
  })

  it('stays in its zone while the zone can serve', async () => {
    const [near, far] = [await named('near'), await named('far')]
    const zones = (local: { host: string; port: number }) => ({
      ...cluster('server'),
      endpoints: [
        { host: local.host, port: local.port, locality: 'a' },
        { host: far.host, port: far.port, locality: 'b' },
      ],
    })
    const target = await proxy({ clusters: [zones(near)], filters: { locality: { local: 'a' } } })
    expect(await answers(target, 4)).toEqual({ near: 4 })
    expect(target.metric('meshbench_locality_picks_total', 'local')).toBe(4)
    const failing = await proxy({
      clusters: [zones(await closedPort())],
      filters: {
        locality: { local: 'a' },
        outlier: { consecutiveFailures: 1, ejectionMs: 60_000 },
        retry: { on: ['connect-failure'], backoff: { baseMs: 1, maxMs: 1 } },
      },
    })
    expect(await answers(failing, 3)).toEqual({ far: 3 })
    expect(failing.metric('meshbench_locality_picks_total', 'remote')).toBe(3)
  })
})

describe('health', () => {
  it('ejects an endpoint that fails in a row, and lets it return', async () => {
    let broken = true
    const flaky = await upstream((_request, response) => {
      response.statusCode = broken ? 500 : 200
      response.end('flaky')
    })
    const good = await named('good')
    const target = await proxy({
      clusters: [cluster('server', flaky, good)],
      filters: { outlier: { consecutiveFailures: 2, ejectionMs: 300 } },
    })
    expect(await answers(target, 4)).toEqual({ good: 2, 500: 2 })
    expect(await answers(target, 4)).toEqual({ good: 4 })
    expect(target.metric('meshbench_outlier_ejections_total', String(flaky.port))).toBe(1)
    broken = false
    await pauseMs(350)
    expect(await answers(target, 4)).toEqual({ good: 2, flaky: 2 })
  })

  it('asks, and takes an endpoint out and in again', async () => {
    let healthy = true
    const checked = await upstream((request, response) => {
      response.statusCode = request.url === '/healthz' && !healthy ? 503 : 200
      response.end('checked')
    })
    const good = await named('good')
    const target = await proxy({
      clusters: [cluster('server', checked, good)],
      filters: { health: { intervalMs: 20, timeoutMs: 500, unhealthyAfter: 2, healthyAfter: 2 } },
    })
    expect(await answers(target, 4)).toEqual({ good: 2, checked: 2 })
    healthy = false
    await expect.poll(() => target.metric('meshbench_endpoint_healthy', String(checked.port))).toBe(0)
    expect(await answers(target, 4)).toEqual({ good: 4 })
    healthy = true
    await expect.poll(() => target.metric('meshbench_endpoint_healthy', String(checked.port))).toBe(1)
    expect(await answers(target, 4)).toEqual({ good: 2, checked: 2 })
    expect(target.metric('meshbench_health_checks_total', 'bad')).toBeGreaterThanOrEqual(2)
  })
})

describe('timeouts', () => {
  it('answers 504 for a slow request, a slow try and a silent stream', async () => {
    const silent = await upstream(() => {})
    for (const [filters, kind] of [
      [{ requestMs: 60 }, 'request'],
      [{ perTryMs: 60 }, 'per-try'],
      [{ idleMs: 60 }, 'idle'],
    ] as const) {
      const target = await proxy({ clusters: [cluster('server', silent)], filters: { timeouts: filters } })
      expect((await ask(target.address)).status).toBe(504)
      expect(target.metric('meshbench_timeouts_total', kind)).toBe(1)
      expect(target.metric('meshbench_requests_total', '5xx')).toBe(1)
    }
  })

  it('leaves alone what is fast enough', async () => {
    const quick = await named('quick')
    const target = await proxy({
      clusters: [cluster('server', quick)],
      filters: { timeouts: { requestMs: 5000, perTryMs: 5000, idleMs: 5000 } },
    })
    expect(await answers(target, 3)).toEqual({ quick: 3 })
    expect(target.metric('meshbench_timeouts_total')).toBe(0)
  })
})

describe('retries', () => {
  const backoff = { baseMs: 1, maxMs: 2 }

  it('tries again with the same body until it is answered well', async () => {
    let calls = 0
    const flaky = await upstream((_request, response, body) => {
      response.statusCode = ++calls < 3 ? 503 : 200
      response.end(body)
    })
    const target = await proxy({
      clusters: [cluster('server', flaky)],
      filters: { retry: { retries: 3, backoff } },
    })
    const answer = await ask(target.address, { method: 'PUT', body: 'precious' })
    expect(answer).toMatchObject({ status: 200, body: 'precious' })
    expect(flaky.seen.map(({ body }) => body)).toEqual(['precious', 'precious', 'precious'])
    expect(target.metric('meshbench_retries_total', 'retried')).toBe(2)
    expect(target.metric('meshbench_requests_total')).toBe(1)
  })

  it('gives up after the last try and never repeats a POST that was sent', async () => {
    const failing = await upstream((_request, response) => {
      response.statusCode = 502
      response.end('no')
    })
    const target = await proxy({
      clusters: [cluster('server', failing)],
      filters: { retry: { retries: 2, backoff } },
    })
    expect((await ask(target.address)).status).toBe(502)
    expect(failing.seen.length).toBe(3)
    expect(target.metric('meshbench_retries_total', 'limit')).toBe(1)
    expect((await ask(target.address, { method: 'POST', body: 'once' })).status).toBe(502)
    expect(failing.seen.length).toBe(4)
  })

  it('retries a try that took too long, on another endpoint', async () => {
    const silent = await upstream(() => {})
    const good = await named('good')
    const target = await proxy({
      clusters: [cluster('server', silent, good)],
      filters: { timeouts: { perTryMs: 80 }, retry: { on: ['timeout'], backoff } },
    })
    expect(await answers(target, 2)).toEqual({ good: 2 })
  })

  it('stops when too many requests are being retried', async () => {
    // All first tries fail at once, and the second tries last long enough for their number to be seen.
    const held: (() => void)[] = []
    const failing = await upstream((_request, response) => {
      response.statusCode = 503
      held.push(() => response.end())
      if (held.length === 10) for (const answer of held) answer()
      else if (held.length > 10) setTimeout(() => response.end(), 200)
    })
    const target = await proxy({
      clusters: [cluster('server', failing)],
      filters: { retry: { retries: 1, backoff, budget: { percent: 0, minConcurrent: 2 } } },
    })
    await Promise.all(Array.from({ length: 10 }, () => ask(target.address)))
    expect(target.metric('meshbench_retries_total', 'retried')).toBe(2)
    expect(target.metric('meshbench_retries_total', 'budget')).toBe(8)
  })
})

describe('a budget of retries', () => {
  it('is a share of the requests that came so far, whatever became of others', async () => {
    let calls = 0
    const flaky = await upstream((_request, response) => {
      response.statusCode = ++calls === 1 ? 503 : 200
      response.end()
    })
    const target = await proxy({
      clusters: [cluster('server', flaky)],
      filters: {
        authorization: { rules: [{ action: 'deny', paths: ['/denied'] }] },
        retry: { retries: 1, backoff: { baseMs: 1 }, budget: { percent: 100, minConcurrent: 0 } },
      },
    })
    for (let i = 0; i < 5; i++) expect((await ask(target.address, { path: '/denied' })).status).toBe(403)
    expect((await ask(target.address)).status).toBe(200)
  })
})

describe('circuit breaking', () => {
  const slow = () =>
    upstream((_request, response) => {
      setTimeout(() => response.end('ok'), 100)
    })
  const codes = async (target: TestProxy, count: number) =>
    (await Promise.all(Array.from({ length: count }, () => ask(target.address))))
      .map(({ status }) => status)
      .sort()

  it('bounds the requests in progress', async () => {
    const target = await proxy({
      clusters: [cluster('server', await slow())],
      filters: { circuitBreaker: { maxRequests: 2 } },
    })
    expect(await codes(target, 4)).toEqual([200, 200, 503, 503])
    expect(target.metric('meshbench_circuit_breaker_total', 'requests')).toBe(2)
    expect(await codes(target, 2)).toEqual([200, 200])
  })

  it('bounds connections and those who wait for one', async () => {
    const target = await proxy({
      clusters: [cluster('server', await slow())],
      filters: { circuitBreaker: { maxConnections: 1, maxPending: 2 } },
    })
    expect(await codes(target, 5)).toEqual([200, 200, 200, 503, 503])
    expect(target.metric('meshbench_upstream_connections_total')).toBe(1)
    expect(target.metric('meshbench_circuit_breaker_total', 'pending')).toBe(2)
  })

  it('bounds connections when one is lost that somebody else waits for', async () => {
    let opened = 0
    const server = await rawServer((socket) => {
      const isFirst = ++opened === 1
      let requests = 0
      socket.on('error', () => {})
      socket.on('data', () => {
        if (isFirst && ++requests > 1) socket.destroy()
        else setTimeout(() => socket.write('HTTP/1.1 204 No Content\r\n\r\n'), 20)
      })
    })
    const target = await proxyTo(server, {
      filters: { circuitBreaker: { maxConnections: 1, maxPending: 2 } },
    })
    expect(await codes(target, 1)).toEqual([204])
    // One loses the kept connection and is sent again, the other waits for it.
    expect(await codes(target, 2)).toEqual([204, 204])
    expect(opened).toBe(2)
  })

  it('serves who waited for a connection when the config changed', async () => {
    const server = await slow()
    const config = {
      clusters: [cluster('server', server)],
      filters: { circuitBreaker: { maxConnections: 1, maxPending: 4 } },
    }
    const target = await proxy(config)
    const answered = codes(target, 4)
    await expect.poll(() => server.seen.length).toBe(1)
    await target.reload(config)
    expect(await answered).toEqual([200, 200, 200, 200])
  })
})

describe('mirroring', () => {
  it('sends copies to healthy endpoints alone', async () => {
    const server = await upstream()
    const good = await upstream()
    const bad = await upstream((request, response) => {
      response.statusCode = request.url === '/healthz' ? 503 : 200
      response.end()
    })
    const target = await proxy({
      clusters: [cluster('server', server), cluster('mirror', good, bad)],
      filters: {
        mirror: { cluster: 'mirror' },
        health: { intervalMs: 20, timeoutMs: 500, unhealthyAfter: 1, clusters: ['mirror'] },
      },
    })
    await expect.poll(() => target.metric('meshbench_endpoint_healthy', String(bad.port))).toBe(0)
    for (let i = 0; i < 6; i++) await ask(target.address)
    await expect.poll(() => target.metric('meshbench_mirrored_total', 'answered')).toBe(6)
    expect(bad.seen.filter(({ url }) => url !== '/healthz')).toEqual([])
  })

  it('copies an exact share with bodies, and no answer of the mirror is seen', async () => {
    const server = await upstream()
    const copyTo = await upstream((_request, response) => {
      response.statusCode = 500
      response.end('mirror')
    })
    const target = await proxy({
      clusters: [cluster('server', server), cluster('mirror', copyTo)],
      filters: { mirror: { cluster: 'mirror', percent: 50 } },
    })
    for (let i = 0; i < 4; i++) {
      const answer = await ask(target.address, {
        method: 'POST',
        path: `/${i}`,
        body: `body ${i}`,
        headers: { host: 'a.test:80' },
      })
      expect(answer).toMatchObject({ status: 200, body: `body ${i}` })
    }
    await expect.poll(() => target.metric('meshbench_mirrored_total', 'answered')).toBe(2)
    expect(copyTo.seen.map(({ url, body }) => `${url} ${body}`)).toEqual(['/0 body 0', '/2 body 2'])
    expect(copyTo.seen[0]?.headers.host).toBe('a.test-shadow:80')
    expect(target.metric('meshbench_requests_total')).toBe(4)
  })
})
