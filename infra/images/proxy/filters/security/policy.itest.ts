/** The filters that admit, refuse, change and observe requests, each through a real chain to a real upstream. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { constants } from 'node:http2'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { SignJWT, exportJWK, generateKeyPair } from 'jose'
import { describe, expect, it } from 'vitest'
import { type TestProxy, type TestUpstream, ask, closedAfterEach, cluster, h2 } from '../../tests/testing.js'
import { normalisePath } from './authorization.js'

const { proxy: proxyOf, upstream, http2Upstream } = closedAfterEach()
const proxy = (server: TestUpstream, filters: Record<string, unknown>, configDir = '/') =>
  proxyOf({ clusters: [cluster('server', server)], filters }, configDir)

describe('jwt', () => {
  it('admits valid RS256 and ES256 tokens and refuses all others', async () => {
    const server = await upstream()
    const rsa = await generateKeyPair('RS256', { extractable: true })
    const ec = await generateKeyPair('ES256', { extractable: true })
    const stranger = await generateKeyPair('ES256', { extractable: true })
    const keys = [
      { ...(await exportJWK(rsa.publicKey)), kid: 'rsa', alg: 'RS256' },
      { ...(await exportJWK(ec.publicKey)), kid: 'ec', alg: 'ES256' },
    ]
    const { address, metric } = await proxy(server, {
      jwt: { issuer: 'issuer', audiences: ['bench'], jwks: { keys } },
    })
    const token = (
      alg: 'RS256' | 'ES256',
      key: Awaited<ReturnType<typeof generateKeyPair>>['privateKey'],
      kid: string,
      claims: { iss?: string; aud?: string; exp?: string } = {},
    ) =>
      new SignJWT({ role: 'reader' })
        .setProtectedHeader({ alg, kid })
        .setIssuer(claims.iss ?? 'issuer')
        .setAudience(claims.aud ?? 'bench')
        .setExpirationTime(claims.exp ?? '1h')
        .sign(key)
    const status = async (authorization?: string) =>
      (await ask(address, { headers: authorization === undefined ? {} : { authorization } })).status
    expect(await status(`Bearer ${await token('RS256', rsa.privateKey, 'rsa')}`)).toBe(200)
    const good = await token('ES256', ec.privateKey, 'ec')
    expect(await status(`Bearer ${good}`)).toBe(200)
    expect(server.seen.every(({ headers }) => headers.authorization === undefined)).toBe(true)
    expect(await status()).toBe(401)
    expect(await status('Basic eDp5')).toBe(401)
    expect(await status(`Bearer ${await token('ES256', stranger.privateKey, 'ec')}`)).toBe(401)
    expect(await status(`Bearer ${await token('ES256', ec.privateKey, 'ec', { iss: 'else' })}`)).toBe(401)
    expect(await status(`Bearer ${await token('ES256', ec.privateKey, 'ec', { aud: 'else' })}`)).toBe(401)
    expect(await status(`Bearer ${await token('ES256', ec.privateKey, 'ec', { exp: '-1m' })}`)).toBe(401)
    const [, payload = ''] = good.split('.')
    const none = `${Buffer.from('{"alg":"none"}').toString('base64url')}.${payload}.`
    expect(await status(`Bearer ${none}`)).toBe(401)
    expect(metric('meshbench_jwt_total', '"valid"')).toBe(2)
    expect(metric('meshbench_jwt_total', 'expired')).toBe(1)
    expect(metric('meshbench_jwt_total', 'missing')).toBe(1)
    expect(server.seen.length).toBe(2)
  })

  it('fetches keys of the issuer once, has 503 as long as there are none, and asks again when they are old', async () => {
    const server = await upstream()
    const { publicKey, privateKey } = await generateKeyPair('ES256', { extractable: true })
    // What an issuer may have beside the keys that are used here.
    const others = [{ kty: 'OKP', crv: 'Ed25519', kid: 'other', x: 'AA' }]
    const keys = [...others, { ...(await exportJWK(publicKey)), kid: 'ec', alg: 'ES256' }]
    let isUp = false
    const issuer = await upstream((_request, response) => {
      response.statusCode = isUp ? 200 : 500
      // In two parts: the whole of it is read.
      const text = JSON.stringify({ keys, issuer: 'issuer' })
      response.write(text.slice(0, 20))
      setImmediate(() => response.end(text.slice(20)))
    })
    const started = await proxyOf({
      clusters: [cluster('server', server), cluster('issuer', issuer)],
      filters: {
        jwt: {
          ...{ issuer: 'issuer', audiences: ['bench'] },
          remoteJwks: { cluster: 'issuer', path: '/keys', host: 'issuer.bench', cacheMs: 1000 },
        },
      },
    })
    const token = await new SignJWT()
      .setProtectedHeader({ alg: 'ES256', kid: 'ec' })
      .setIssuer('issuer')
      .setAudience('bench')
      .setExpirationTime('1h')
      .sign(privateKey)
    const headers = { authorization: `Bearer ${token}` }
    const status = async () => (await ask(started.address, { headers })).status
    expect([await status(), await status()]).toEqual([503, 503])
    // An issuer that fails is not asked for each request.
    expect(issuer.seen.length).toBeLessThan(3)
    expect(issuer.seen[0]).toMatchObject({ method: 'GET', url: '/keys', headers: { host: 'issuer.bench' } })
    expect(server.seen).toEqual([])
    isUp = true
    await expect.poll(status, { timeout: 10_000, interval: 100 }).toBe(200)
    const asked = () => started.metric('meshbench_jwks_fetches_total', 'fetched')
    expect(asked()).toBe(1)
    await expect.poll(async () => [await status(), asked()], { timeout: 10_000 }).toEqual([200, 2])
    expect(started.metric('meshbench_jwt_total', 'unchecked')).toBeGreaterThanOrEqual(2)
  })
})

describe('authorization', () => {
  it('decides by method, path, header and claim; deny wins', async () => {
    const server = await upstream()
    const ec = await generateKeyPair('ES256', { extractable: true })
    const jwks = { keys: [{ ...(await exportJWK(ec.publicKey)), kid: 'ec', alg: 'ES256' }] }
    const target = await proxy(server, {
      jwt: { issuer: 'i', audiences: ['a'], jwks, allowMissing: true },
      authorization: {
        rules: [
          { methods: ['GET'], paths: ['/public*'] },
          { headers: [{ name: 'X-Team', values: ['blue'] }] },
          { claims: [{ name: 'role', values: ['admin'] }] },
          { action: 'deny', paths: ['/public/secret*'] },
        ],
      },
    })
    const status = async (path: string, options: Parameters<typeof ask>[1] = {}) =>
      (await ask(target.address, { path, ...options })).status
    expect(await status('/public/x?y')).toBe(200)
    expect(await status('/public', { method: 'POST', body: 'x' })).toBe(403)
    expect(await status('/other', { headers: { 'x-team': 'blue' } })).toBe(200)
    expect(await status('/other', { headers: { 'x-team': 'red' } })).toBe(403)
    expect(await status('/public/secret', { headers: { 'x-team': 'blue' } })).toBe(403)
    const admin = await new SignJWT({ role: ['user', 'admin'] })
      .setProtectedHeader({ alg: 'ES256', kid: 'ec' })
      .setIssuer('i')
      .setAudience('a')
      .setExpirationTime('1h')
      .sign(ec.privateKey)
    expect(await status('/other', { headers: { authorization: `Bearer ${admin}` } })).toBe(200)
    // Other spellings of the denied path.
    for (const path of [
      '/public/./secret',
      '/public//secret',
      '/public/x/../secret',
      '/public/%73ecret',
      '/public%2fsecret',
    ]) {
      expect([path, await status(path, { headers: { 'x-team': 'blue' } })]).toEqual([path, 403])
    }
    expect(target.metric('meshbench_authorization_total', 'allowed')).toBe(3)
    expect(target.metric('meshbench_authorization_total', 'denied')).toBe(8)
  })

  it('knows a host in every spelling that routing knows', async () => {
    const server = await upstream()
    const target = await proxy(server, {
      authorization: { rules: [{ action: 'deny', headers: [{ name: 'host', values: ['Admin.bench'] }] }] },
    })
    for (const host of ['admin.bench', 'ADMIN.bench', 'admin.bench:80', 'admin.BENCH:8080', 'admin.bench:']) {
      expect([host, (await ask(target.address, { headers: { host } })).status]).toEqual([host, 403])
    }
    expect((await ask(target.address, { headers: { host: 'other.bench' } })).status).toBe(200)
    expect(target.metric('meshbench_authorization_total', 'denied')).toBe(5)
  })

  it('is not misled by a header that is repeated, in lines of its own or in one', async () => {
    const server = await upstream()
    const rules = (action: string, ...values: string[]) => ({
      authorization: { rules: [{ action, headers: [{ name: 'x-role', values }] }] },
    })
    const denies = await proxy(server, rules('deny', 'admin', 'sys*', 'a, b'))
    const allows = await proxy(server, rules('allow', 'user', 'dev*', 'a, b', 'c, *'))
    const statuses = async (target: TestProxy, ...roles: (string | string[])[]) =>
      Promise.all(
        roles.map(async (role) => (await ask(target.address, { headers: { 'x-role': role } })).status),
      )
    expect(
      await statuses(
        denies,
        'admin',
        ['admin', 'admin'],
        ['user', 'admin'],
        'user, admin',
        'admin,user',
        ['user', 'x,system'],
        'a, b',
        ['a, b', 'user'],
      ),
    ).toEqual(Array(8).fill(403))
    expect(await statuses(denies, 'user', ['user', 'guest'], 'a', 'administrator, x')).toEqual(
      Array(4).fill(200),
    )
    expect(
      await statuses(
        allows,
        ['user', 'admin'],
        ['dev1', 'admin'],
        'dev1, admin',
        'dev1,',
        ['admin', 'user'],
        ['a, b', 'admin'],
      ),
    ).toEqual(Array(6).fill(403))
    expect(
      await statuses(allows, 'user', ['user', 'dev2'], 'dev1,user', ['user', 'user'], 'a, b', 'c, whatever'),
    ).toEqual(Array(6).fill(200))
  })

  it('reads paths as servers do', () => {
    expect(normalisePath('/a/../../b')).toBe('/b')
    expect(normalisePath('/a/b/..')).toBe('/a/')
    expect(normalisePath('/%61%20')).toBe('/a%20')
    for (const path of ['/a%2Fb', '/a%5cb', '/a\\b', '/a%00', '/a%zz'])
      expect(normalisePath(path)).toBeUndefined()
  })
})

describe('external authorization', () => {
  it('passes on 2xx, refuses on others, and refuses when nobody answers', async () => {
    const server = await upstream()
    const authorizer = await upstream((request, response) => {
      const isKnown = request.headers.authorization === 'Bearer known'
      if (request.url?.startsWith('/check/hang')) return
      response.writeHead(
        isKnown ? 200 : 401,
        isKnown ? { 'x-user': 'ann' } : { 'www-authenticate': 'Bearer' },
      )
      response.end()
    })
    const started = await proxyOf({
      clusters: [cluster('server', server), cluster('authorizer', authorizer)],
      filters: {
        externalAuthorization: {
          cluster: 'authorizer',
          pathPrefix: '/check',
          upstreamHeaders: ['x-user'],
          timeoutMs: 100,
        },
      },
    })
    const headers = { authorization: 'Bearer known', 'x-user': 'forged' }
    expect((await ask(started.address, { path: '/a', method: 'POST', body: 'hello', headers })).body).toBe(
      'hello',
    )
    expect(server.seen[0]?.headers['x-user']).toBe('ann')
    expect(authorizer.seen[0]).toMatchObject({ url: '/check/a', method: 'POST', body: '' })
    expect(await ask(started.address, { path: '/a' })).toMatchObject({
      status: 401,
      headers: { 'www-authenticate': 'Bearer' },
    })
    expect((await ask(started.address, { path: '/hang', headers })).status).toBe(503)
    expect(server.seen.length).toBe(1)
    for (const result of ['allowed', 'denied', 'error']) {
      expect(started.metric('meshbench_external_authorization_total', result)).toBe(1)
    }
  })
})

describe('a question to a service over HTTP/2', () => {
  it('is asked again when the service had not begun with it', async () => {
    let asked = 0
    const service = await http2Upstream((stream) => {
      if (++asked === 1) stream.close(constants.NGHTTP2_REFUSED_STREAM)
      else stream.respond({ ':status': 200 }, { endStream: true })
    })
    const target = await proxyOf({
      clusters: [cluster('server', await upstream()), { ...h2(service), name: 'authz' }],
      filters: { externalAuthorization: { cluster: 'authz', timeoutMs: 2000 } },
    })
    expect((await ask(target.address)).status).toBe(200)
    expect(asked).toBe(2)
  })
})

describe('rate limit', () => {
  it('lets a burst pass and refills', async () => {
    const target = await proxy(await upstream(), { rateLimit: { requestsPerSecond: 20, burst: 3 } })
    const statuses: number[] = []
    for (let i = 0; i < 4; i++) statuses.push((await ask(target.address)).status)
    expect(statuses.slice(0, 3)).toEqual([200, 200, 200])
    const limited = await Promise.all(Array.from({ length: 10 }, () => ask(target.address)))
    expect(limited.filter(({ status }) => status === 429).length).toBeGreaterThan(4)
    expect(target.metric('meshbench_rate_limit_total', 'limited')).toBeGreaterThan(4)
    await new Promise((resolve) => setTimeout(resolve, 120))
    expect((await ask(target.address)).status).toBe(200)
  })
})

describe('headers', () => {
  it('sets, adds and removes in both directions', async () => {
    const server = await upstream((_request, response) => {
      response.setHeader('server', 'secret')
      response.setHeader('x-kept', 'yes')
      response.end('ok')
    })
    const target = await proxy(server, {
      headers: {
        request: { set: { 'X-A': '1' }, add: { 'x-b': '2' }, remove: ['x-c'] },
        response: { set: { 'x-d': '4' }, remove: ['Server'] },
      },
    })
    const answer = await ask(target.address, { headers: { 'x-a': '0', 'x-b': '0', 'x-c': '0' } })
    expect(server.seen[0]?.headers).toMatchObject({ 'x-a': '1', 'x-b': '0, 2' })
    expect(server.seen[0]?.headers['x-c']).toBeUndefined()
    expect(answer).toMatchObject({ body: 'ok', headers: { 'x-d': '4', 'x-kept': 'yes' } })
    expect(answer.headers.server).toBeUndefined()
    expect(target.metric('meshbench_header_changes_total')).toBe(2)
  })

  it('will not touch framing', async () => {
    const server = await upstream()
    await expect(proxy(server, { headers: { request: { set: { 'Content-Length': '3' } } } })).rejects.toThrow(
      /set.Content-Length/,
    )
    await expect(proxy(server, { headers: { response: { set: { 'x-a': 'a\r\nb: c' } } } })).rejects.toThrow(
      /line breaks/,
    )
  })
})

describe('faults', () => {
  it('aborts an exact share and delays by what was asked', async () => {
    const server = await upstream()
    const aborting = await proxy(server, { fault: { abort: { status: 503, percent: 25 } } })
    let aborted = 0
    for (let i = 0; i < 8; i++) if ((await ask(aborting.address)).status === 503) aborted++
    expect(aborted).toBe(2)
    expect(aborting.metric('meshbench_faults_injected_total', 'abort')).toBe(2)
    const delaying = await proxy(server, { fault: { delay: { ms: 80.5 } } })
    const before = performance.now()
    expect(await ask(delaying.address, { method: 'POST', body: 'late' })).toMatchObject({
      status: 200,
      body: 'late',
    })
    expect(performance.now() - before).toBeGreaterThanOrEqual(80.5)
    expect(delaying.metric('meshbench_faults_injected_total', 'delay')).toBe(1)
  })
})

describe('known answers', () => {
  it('burns what it was told to', async () => {
    const target = await proxy(await upstream(), { burn: { cpuUs: 20_000 } })
    const before = process.cpuUsage()
    for (let i = 0; i < 5; i++) await ask(target.address)
    const used = process.cpuUsage(before)
    expect(target.metric('meshbench_burn_seconds_total')).toBeGreaterThanOrEqual(0.1)
    expect(target.metric('meshbench_burn_seconds_total')).toBeLessThan(0.11)
    expect(used.user + used.system).toBeGreaterThan(95_000)
  })

  it('stops the world', async () => {
    const target = await proxy(await upstream(), { pause: { everyMs: 50, pauseMs: 20 } })
    await expect.poll(() => target.metric('meshbench_pauses_total')).toBeGreaterThanOrEqual(2)
    const seconds = target.metric('meshbench_pause_seconds_total')
    expect(seconds / target.metric('meshbench_pauses_total')).toBeGreaterThanOrEqual(0.0199)
  })
})

describe('observation', () => {
  it('counts, times and sizes requests', async () => {
    const server = await upstream((_request, response) => {
      response.statusCode = 500
      response.end('x'.repeat(2000))
    })
    const target = await proxy(server, { requestMetrics: {} })
    await ask(target.address, { method: 'POST', body: 'y'.repeat(300) })
    expect(
      target.metric('meshbench_responses_total', 'code="500"', 'method="POST"', 'cluster="server"'),
    ).toBe(1)
    expect(target.metric('meshbench_request_duration_seconds_count')).toBe(1)
    expect(target.metric('meshbench_request_duration_seconds_sum')).toBeGreaterThan(0)
    expect(target.metric('meshbench_request_bytes_sum')).toBe(300)
    expect(target.metric('meshbench_response_bytes_sum')).toBe(2000)
  })

  it('continues a trace or starts one', async () => {
    const server = await upstream()
    const target = await proxy(server, { trace: {} })
    const traceId = '4bf92f3577b34da6a3ce929d0e0e4736'
    await ask(target.address, {
      headers: { traceparent: `00-${traceId}-00f067aa0ba902b7-01`, tracestate: 'a=b' },
    })
    await ask(target.address, {
      headers: { traceparent: `00-${'0'.repeat(32)}-00f067aa0ba902b7-01`, tracestate: 'a=b' },
    })
    await ask(target.address)
    const [first, second, third] = server.seen.map(({ headers }) => headers)
    expect(first?.traceparent).toMatch(new RegExp(`^00-${traceId}-[0-9a-f]{16}-01$`))
    expect(first?.traceparent).not.toContain('00f067aa0ba902b7')
    expect(first?.tracestate).toBe('a=b')
    for (const headers of [second, third]) {
      expect(headers?.traceparent).toMatch(/^00-(?!0{32})[0-9a-f]{32}-[0-9a-f]{16}-01$/)
      expect(headers?.tracestate).toBeUndefined()
    }
    expect(target.metric('meshbench_trace_spans_total', 'continued')).toBe(1)
    expect(target.metric('meshbench_trace_spans_total', 'started')).toBe(2)
  })

  it('logs each exchange as JSON', async () => {
    const dir = mkdtempSync(join(tmpdir(), 'meshbench-log-'))
    const target = await proxy(await upstream(), { accessLog: { file: 'access.log' } }, dir)
    await ask(target.address, { method: 'POST', path: '/p', body: 'abc' })
    const read = () => readFileSync(join(dir, 'access.log'), 'utf8')
    await expect.poll(() => read().length).toBeGreaterThan(0)
    expect(JSON.parse(read())).toMatchObject({
      method: 'POST',
      path: '/p',
      status: 200,
      requestBytes: 3,
      responseBytes: 3,
      attempts: 1,
    })
    expect(target.metric('meshbench_access_log_lines_total', 'written')).toBe(1)
    rmSync(dir, { recursive: true })
  })

  it('tells who asked, and does not believe who says so', async () => {
    const server = await upstream()
    const target = await proxy(server, { forwarded: { xForwardedFor: true, forwarded: true, via: 'edge' } })
    const answer = await ask(target.address, {
      headers: { 'x-forwarded-for': '9.9.9.9', 'x-forwarded-client-cert': 'URI=spiffe://forged' },
    })
    const { headers } = server.seen[0] as TestUpstream['seen'][number]
    expect(headers).toMatchObject({
      'x-forwarded-for': '127.0.0.1',
      forwarded: 'for=127.0.0.1;proto=http',
      via: '1.1 edge',
    })
    expect(headers['x-forwarded-client-cert']).toBeUndefined()
    expect(answer.headers.via).toBe('1.1 edge')
    expect(target.metric('meshbench_forwarded_requests_total')).toBe(1)
  })
})
