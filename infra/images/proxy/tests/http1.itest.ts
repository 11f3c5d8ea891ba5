/** HTTP/1.1 through the proxy as clients and servers in the wild speak it: framing, pipelining, upgrade, failure, drain. */
import { once } from 'node:events'
import { connect as connectHttp2 } from 'node:http2'
import { connect } from 'node:net'
import { Agent, request as undiciRequest } from 'undici'
import { describe, expect, it } from 'vitest'
import { ChunkedDecoder } from '../../kit/http1/chunked.js'
import { ask, closedAfterEach, cluster, sendRaw } from './testing.js'

const { open, proxyTo, rawServer, upstream } = closedAfterEach()
const answering = (reply: string) => rawServer((socket) => socket.on('data', () => socket.write(reply)))

describe('framing', () => {
  it('carries bodies of every kind and size both ways', async () => {
    const server = await upstream((request, response, body) => {
      if (request.url === '/chunked') response.write(body.slice(0, 1))
      else response.setHeader('content-length', body.length)
      response.end(request.url === '/chunked' ? body.slice(1) : body)
    })
    const target = await proxyTo(server)
    for (const size of [0, 1, 1023, 65_536, 1_000_000]) {
      const body = 'x'.repeat(size)
      for (const path of ['/length', '/chunked']) {
        expect((await ask(target.address, { method: 'POST', path, body })).body.length).toBe(size)
        const headers = { 'transfer-encoding': 'chunked' }
        expect((await ask(target.address, { method: 'POST', path, body, headers })).body.length).toBe(size)
      }
    }
    expect(target.metric('meshbench_requests_total', '2xx')).toBe(20)
  })

  it('passes short chunks that came together on as one, and every byte in its place', async () => {
    let got = ''
    const server = await rawServer((socket) => {
      socket.on('data', (bytes: Buffer) => {
        got += bytes.toString('latin1')
        if (got.endsWith('\r\n0\r\n\r\n')) socket.write('HTTP/1.1 204 No Content\r\n\r\n')
      })
    })
    const { address } = await proxyTo(server)
    const head = 'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n'
    const chunk = (size: number, i: number) =>
      `${size.toString(16)};x\r\n${String.fromCharCode(97 + (i % 26)).repeat(size)}\r\n`
    const send = async (sizes: readonly number[]) => {
      got = ''
      await sendRaw(address, [`${head}${sizes.map(chunk).join('')}0\r\n\r\n`])
      const decoder = new ChunkedDecoder({ headBytes: 1000, headerCount: 10, targetBytes: 1000 })
      const bytes = Buffer.from(got.slice(got.indexOf('\r\n\r\n') + 4), 'latin1')
      let content = ''
      decoder.feed(bytes, 0, bytes.length, (from, to) => (content += bytes.toString('latin1', from, to)))
      expect(content === sizes.map((size, i) => chunk(size, i).split('\r\n')[1]).join('')).toBe(true)
    }
    await send(Array.from({ length: 5000 }, () => 1))
    expect(got.match(/\r\n/g)?.length).toBeLessThan(200)
    await send(Array.from({ length: 400 }, (_, i) => [1, 4095, 4096, 4097, 20_000, 7][(i * 7) % 6] as number))
  })

  it('answers pipelined requests in order, over one upstream connection', async () => {
    const server = await upstream((request, response) => response.end(`<${request.url}>`))
    const target = await proxyTo(server)
    const all = ['/1', '/2', '/3', '/4'].map((path) => `GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`).join('')
    const got = await sendRaw(target.address, [all], { halfClose: true })
    expect(got.match(/<[^>]*>/g)).toEqual(['</1>', '</2>', '</3>', '</4>'])
    expect(target.metric('meshbench_upstream_connections_total')).toBe(1)
  })

  it('counts itself among the hops that OPTIONS and TRACE may still take, and answers where none is left', async () => {
    const server = await upstream((request, response) => response.end(request.headers['max-forwards'] ?? '-'))
    const target = await proxyTo(server)
    const send = (method: string, left: string) =>
      ask(target.address, { method, headers: { 'max-forwards': left } })
    for (const method of ['OPTIONS', 'TRACE']) expect(await send(method, '7')).toMatchObject({ body: '6' })
    expect(await send('OPTIONS', '99999999999999999999')).toMatchObject({ body: '999999' })
    expect(await send('OPTIONS', 'x')).toMatchObject({ body: 'x' })
    expect(await send('GET', '0')).toMatchObject({ body: '0' })
    expect(await send('OPTIONS', '0')).toMatchObject({ status: 200, body: '' })
    expect(await send('TRACE', '00')).toMatchObject({ status: 405, headers: { allow: '' }, body: '' })
  })

  it('serves HEAD, 204, 304 and HTTP/1.0 clients', async () => {
    const server = await upstream((request, response) => {
      const status = Number(request.url?.slice(1)) || 200
      response.statusCode = status
      if (request.method === 'HEAD') response.setHeader('content-length', '7')
      else if (status === 200) response.write('str')
      response.end(status === 200 && request.method !== 'HEAD' ? 'eam' : undefined)
    })
    const target = await proxyTo(server)
    expect(await ask(target.address, { method: 'HEAD' })).toMatchObject({
      status: 200,
      body: '',
      headers: { 'content-length': '7' },
    })
    expect((await ask(target.address, { path: '/204' })).status).toBe(204)
    expect((await ask(target.address, { path: '/304' })).status).toBe(304)
    const old = await sendRaw(target.address, ['GET / HTTP/1.0\r\n\r\n'])
    expect(old).toMatch(/^HTTP\/1\.1 200 OK\r\n/)
    expect(old).not.toMatch(/transfer-encoding/i)
    expect(old.endsWith('\r\n\r\nstream')).toBe(true)
  })

  it('keeps trailers and interim responses', async () => {
    const server = await upstream((_request, response) => {
      response.writeEarlyHints({ link: '</a.css>; rel=preload' })
      response.writeHead(200, { trailer: 'x-sum' })
      response.write('body')
      response.addTrailers({ 'x-sum': '4' })
      response.end()
    })
    const target = await proxyTo(server)
    const got = await sendRaw(target.address, ['GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n'])
    expect(got).toMatch(/^HTTP\/1\.1 103 /)
    expect(got).toMatch(/4\r\nbody\r\n0\r\nx-sum: 4\r\n\r\n$/)
  })

  it('keeps trailers of a request that was whole before its upstream was there, and of its second try', async () => {
    const trailers: unknown[] = []
    let refusals = 1
    const server = await upstream((request, response) => {
      trailers.push(request.trailers)
      response.statusCode = refusals-- > 0 ? 503 : 200
      response.end()
    })
    const target = await proxyTo(server, {
      filters: { fault: { delay: { ms: 30 } }, retry: { retries: 2, on: ['5xx'], methods: ['POST'] } },
    })
    const got = await sendRaw(target.address, [
      'POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nx-sum: 3\r\n\r\n',
    ])
    expect(got).toMatch(/^HTTP\/1\.1 200 /)
    expect(trailers).toEqual([{ 'x-sum': '3' }, { 'x-sum': '3' }])
    expect(server.seen.map(({ body }) => body)).toEqual(['abc', 'abc'])
  })

  it('passes 100-continue on', async () => {
    const server = await upstream()
    const target = await proxyTo(server)
    const got = await sendRaw(target.address, [
      'POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n',
      'ok',
    ])
    expect(got).toMatch(/^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 200 OK/)
  })

  it('ends with the connection what has no other end', async () => {
    const server = await rawServer((socket) =>
      socket.on('data', () => socket.end('HTTP/1.0 200 OK\r\n\r\nuntil the end')),
    )
    const target = await proxyTo(server)
    expect(await ask(target.address)).toMatchObject({ status: 200, body: 'until the end' })
  })

  it('serves undici, with many requests at once', async () => {
    const target = await proxyTo(await upstream())
    const agent = new Agent({ connections: 4, pipelining: 4 })
    const bodies = await Promise.all(
      Array.from({ length: 100 }, async (_, i) => {
        const { body } = await undiciRequest(`http://127.0.0.1:${target.address.port}/`, {
          method: 'PUT',
          body: `n${i}`,
          dispatcher: agent,
        })
        return body.text()
      }),
    )
    expect(bodies).toEqual(Array.from({ length: 100 }, (_, i) => `n${i}`))
    await agent.close()
    expect(target.metric('meshbench_requests_total')).toBe(100)
  })
})

describe('upgrade', () => {
  it('carries a WebSocket and nothing else', async () => {
    const server = await rawServer((socket) => {
      socket.once('data', (head: Buffer) => {
        expect(String(head)).toMatch(/connection: upgrade\r\nupgrade: websocket/)
        socket.write(
          'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nX-Key: k\r\n\r\nhello',
        )
        socket.on('data', (bytes: Buffer) => socket.write(bytes))
        socket.on('end', () => socket.end())
      })
    })
    const target = await proxyTo(server)
    const got = await sendRaw(
      target.address,
      [
        'GET /chat HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n\r\n',
        'ping\x00\xff',
      ],
      { halfClose: true },
    )
    expect(got).toMatch(/^HTTP\/1\.1 101 Switching Protocols\r\n/)
    expect(got.endsWith('\r\n\r\nhelloping\x00\xff')).toBe(true)
    expect(target.metric('meshbench_requests_total', '1xx')).toBe(1)
  })

  it('tells the server of a client that ended its half before the switch', async () => {
    const switched = 'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n'
    const server = await rawServer((socket) => {
      socket.once('data', () => setTimeout(() => socket.write(switched), 100))
      socket.on('end', () => socket.end('bye'))
    })
    const asked = 'GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n'
    const got = await sendRaw((await proxyTo(server)).address, [asked], { halfClose: true })
    expect(got).toMatch(/^HTTP\/1\.1 101 [^]*bye$/)
  })

  it('refuses a switch that nobody asked for', async () => {
    const server = await answering(
      'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n',
    )
    expect((await ask((await proxyTo(server)).address)).status).toBe(502)
  })
})

describe('failure', () => {
  it('is told apart: nobody there, a bad answer, a cut answer', async () => {
    const gone = await rawServer(() => {})
    open.pop()?.close()
    expect((await ask((await proxyTo(gone)).address)).status).toBe(503)
    for (const reply of [
      'HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab',
      'nonsense\r\n\r\n',
      'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n',
    ]) {
      expect((await ask((await proxyTo(await answering(reply))).address)).status).toBe(502)
    }
    const cutting = await rawServer((socket) =>
      socket.on('data', () => {
        socket.write('HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf')
        setTimeout(() => socket.destroy(), 20)
      }),
    )
    await expect(ask((await proxyTo(cutting)).address)).rejects.toThrow()
  })

  it('of a kept connection is not the client’s problem', async () => {
    const server = await rawServer((socket) => {
      // Answers once, then closes as soon as the next request comes, as a server with an idle limit may.
      let answered = false
      socket.on('data', () => {
        if (answered) socket.destroy()
        else socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok')
        answered = true
      })
    })
    const target = await proxyTo(server)
    for (let i = 0; i < 5; i++) expect((await ask(target.address)).body).toBe('ok')
  })

  it('does not let an answer that nobody asked for reach the next client', async () => {
    const server = await rawServer((socket) =>
      socket.on('data', () =>
        socket.write(
          'HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\naHTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison',
        ),
      ),
    )
    const target = await proxyTo(server)
    for (let i = 0; i < 3; i++) expect((await ask(target.address)).body).toBe('a')
  })
})

describe('change', () => {
  it('reloads and drains without losing a request', async () => {
    const slow = await upstream((_request, response) => {
      setTimeout(() => response.end('old'), 150)
    })
    const fresh = await upstream((_request, response) => response.end('new'))
    const target = await proxyTo(slow)
    const inFlight = ask(target.address)
    await new Promise((resolve) => setTimeout(resolve, 50))
    await target.reload({ clusters: [cluster('server', fresh)] })
    expect((await ask(target.address)).body).toBe('new')
    expect((await inFlight).body).toBe('old')
    await expect(
      target.reload({ trustDomain: 'else.local', clusters: [cluster('server', fresh)] }),
    ).rejects.toThrow(/trustDomain/)
    await target.reload({ clusters: [cluster('server', slow)] })
    const last = ask(target.address)
    await new Promise((resolve) => setTimeout(resolve, 50))
    const drained = target.server.drain()
    const answer = await last
    expect(answer).toMatchObject({ body: 'old', headers: { connection: 'close' } })
    await drained
    await expect(ask(target.address)).rejects.toThrow()
  })

  it('drains a kept connection whose answer had begun', async () => {
    let finish = (): void => {}
    const server = await rawServer((socket) =>
      socket.on('data', () => {
        socket.write('HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nab')
        finish = () => socket.write('cd')
      }),
    )
    const target = await proxyTo(server)
    const client = connect(target.address.port, target.address.host)
    open.push({ close: () => client.destroy() })
    let got = ''
    client.on('data', (bytes: Buffer) => (got += bytes.toString('latin1')))
    client.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
    await expect.poll(() => got).toMatch(/ab$/)
    const drained = target.server.drain()
    finish()
    await drained
    expect(got).toMatch(/\r\n\r\nabcd$/)
  })
})

describe('x-forwarded-client-cert', () => {
  it('of a client is kept when that is a trusted hop, and only then', async () => {
    const server = await upstream()
    const claim = { 'x-forwarded-client-cert': 'URI=spiffe://bench.local/ns/a/sa/b' }
    for (const [clientCert, seen] of [
      ['keep', claim['x-forwarded-client-cert']],
      ['drop', undefined],
      ['set', undefined],
    ] as const) {
      // Once as the head came, once written anew.
      for (const filters of [{}, { headers: { request: { set: { 'x-else': '1' } } } }]) {
        const target = await proxyTo(server, {
          listeners: [{ name: 'downstream', host: '127.0.0.1', port: 0, transport: 'plain', clientCert }],
          filters,
        })
        await ask(target.address, { headers: claim })
        expect(server.seen.at(-1)?.headers['x-forwarded-client-cert']).toBe(seen)
        const session = connectHttp2(`http://127.0.0.1:${target.address.port}`)
        open.push({ close: () => session.destroy() })
        await once(session.request({ ':path': '/', ...claim }).resume(), 'end')
        expect(server.seen.at(-1)?.headers['x-forwarded-client-cert']).toBe(seen)
      }
    }
    expect(server.seen.length).toBe(12)
  })
})

describe('a client that goes without a word', () => {
  it('is let go at once, also in the middle of the preface of HTTP/2', async () => {
    const { address } = await proxyTo(await upstream())
    for (const said of ['', 'PRI * HT']) {
      const client = connect({ port: address.port, host: address.host, allowHalfOpen: true })
      open.push({ close: () => client.destroy() })
      client.resume()
      client.end(said)
      await once(client, 'end')
    }
  })
})
