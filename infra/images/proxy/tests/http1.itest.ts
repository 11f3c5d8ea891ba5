/** HTTP/1.1 through the proxy as clients and servers in the wild speak it: framing, pipelining, upgrade, failure, drain. */
import { once } from 'node:events'
import { connect as connectHttp2 } from 'node:http2'
import { type Socket, connect, createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { Agent, request as undiciRequest } from 'undici'
import { afterEach, describe, expect, it } from 'vitest'
import {
  type TestProxy,
  type TestUpstream,
  ask,
  cluster,
  sendRaw,
  startTestProxy,
  startUpstream,
} from './testing.js'

const open: { close(): void }[] = []
afterEach(() => {
  for (const one of open.splice(0)) one.close()
})
const upstream = async (...handler: Parameters<typeof startUpstream>): Promise<TestUpstream> => {
  const started = await startUpstream(...handler)
  open.push(started)
  return started
}
const proxyTo = async (
  server: { host: string; port: number },
  config: Record<string, unknown> = {},
): Promise<TestProxy> => {
  const started = await startTestProxy({ clusters: [cluster('server', server)], ...config })
  open.push(started)
  return started
}
/** A server that does with a socket what it likes. */
const rawServer = async (onSocket: (socket: Socket) => void): Promise<{ host: string; port: number }> => {
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => {})
    onSocket(socket)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  open.push({
    close: () => {
      server.close()
      for (const socket of sockets) socket.destroy()
    },
  })
  return { host: '127.0.0.1', port: (server.address() as AddressInfo).port }
}
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

  it('answers pipelined requests in order, over one upstream connection', async () => {
    const server = await upstream((request, response) => response.end(`<${request.url}>`))
    const target = await proxyTo(server)
    const all = ['/1', '/2', '/3', '/4'].map((path) => `GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`).join('')
    const got = await sendRaw(target.address, [all], { halfClose: true })
    expect(got.match(/<[^>]*>/g)).toEqual(['</1>', '</2>', '</3>', '</4>'])
    expect(target.metric('meshbench_upstream_connections_total')).toBe(1)
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

describe('back-pressure', () => {
  it('does not read faster than the client does', async () => {
    let written = 0
    const server = await rawServer((socket) =>
      socket.once('data', () => {
        socket.write('HTTP/1.1 200 OK\r\nContent-Length: 268435456\r\n\r\n')
        const block = Buffer.alloc(65_536, 'x')
        const more = (): void => {
          while (written < 268_435_456) {
            written += block.length
            if (!socket.write(block)) return
          }
        }
        socket.on('drain', more)
        more()
      }),
    )
    const target = await proxyTo(server)
    const { connect } = await import('node:net')
    const client = connect({ host: target.address.host, port: target.address.port })
    client.pause()
    client.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
    await new Promise((resolve) => setTimeout(resolve, 400))
    // Socket buffers of the kernel take some MiB; without back-pressure the proxy would take all.
    expect(written).toBeLessThan(64 * 1024 * 1024)
    let received = 0
    client.on('data', (bytes: Buffer) => {
      received += bytes.length
      if (received > 40 * 1024 * 1024) client.destroy()
    })
    client.resume()
    await once(client, 'close')
    expect(received).toBeGreaterThan(40 * 1024 * 1024)
  })
})

describe('many slow transfers at once', () => {
  const size = 16 * 1024 * 1024
  const pattern = Buffer.from(Array.from({ length: 251 * 1024 }, (_, i) => i % 251))
  /** Compares every byte with the pattern that begins at `seed`; what comes before the first empty line is a head. */
  const checkBytes = (seed: number) => {
    let head = ''
    let at = 0
    const state = { whole: false, wrong: false }
    return {
      state,
      feed: (chunk: Buffer): void => {
        let bytes = chunk
        if (!head.endsWith('\r\n\r\n')) {
          const text = chunk.toString('latin1')
          const end = text.indexOf('\r\n\r\n') + 4
          head += text.slice(0, end)
          bytes = chunk.subarray(end)
        }
        for (let from = 0; from < bytes.length;) {
          const start = (seed + at) % 251
          const part = bytes.subarray(from, from + pattern.length - start)
          if (!part.equals(pattern.subarray(start, start + part.length))) state.wrong = true
          from += part.length
          at += part.length
        }
        state.whole = at === size
      },
    }
  }
  const patternFrom = (seed: number): Buffer => {
    const body = Buffer.allocUnsafe(size)
    for (let at = 0; at < size;) at += pattern.copy(body, at, (seed + at) % 251)
    return body
  }
  const seeds = [1, 37, 73, 109, 145, 181]

  it('bring every client its own bytes', async () => {
    const server = await rawServer((socket) =>
      socket.once('data', (request: Buffer) => {
        const seed = Number(/^GET \/(\d+) /.exec(request.toString('latin1'))?.[1])
        socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${size}\r\n\r\n`)
        socket.write(patternFrom(seed))
      }),
    )
    const { address } = await proxyTo(server)
    const states = await Promise.all(
      seeds.map(async (seed, i) => {
        const client = connect(address.port, address.host)
        open.push({ close: () => client.destroy() })
        const { state, feed } = checkBytes(seed)
        client.write(`GET /${seed} HTTP/1.1\r\nHost: a\r\n\r\n`)
        client.pause()
        setTimeout(() => client.resume(), 200 + 100 * (i % 3))
        client.on('data', feed)
        await expect.poll(() => state.whole, { timeout: 20_000 }).toBe(true)
        return state
      }),
    )
    expect(states.map(({ wrong }) => wrong)).toEqual(seeds.map(() => false))
  })

  it('bring an upstream that reads slowly, and is not connected yet, the bytes of each client', async () => {
    const server = await rawServer((socket) => {
      let check: ReturnType<typeof checkBytes> | undefined
      socket.pause()
      setTimeout(() => socket.resume(), 300)
      socket.on('data', (chunk: Buffer) => {
        check ??= checkBytes(Number(/^PUT \/(\d+) /.exec(chunk.toString('latin1'))?.[1]))
        check.feed(chunk)
        const { whole, wrong } = check.state
        if (whole) socket.end(`HTTP/1.1 ${wrong ? 500 : 204} Done\r\nConnection: close\r\n\r\n`)
      })
    })
    const { address } = await proxyTo(server)
    const answers = await Promise.all(
      seeds.map((seed) =>
        sendRaw(
          address,
          [
            `PUT /${seed} HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: ${size}\r\n\r\n`,
            patternFrom(seed),
          ],
          { timeoutMs: 20_000 },
        ),
      ),
    )
    expect(answers.map((answer) => answer.slice(0, 12))).toEqual(seeds.map(() => 'HTTP/1.1 204'))
  })
})

describe('a slow reader', () => {
  it('does not leave its pause to the next user of the upstream connection', async () => {
    const big = 'y'.repeat(8_000_000)
    const server = await upstream((_request, response) => {
      response.setHeader('content-length', big.length)
      response.end(big)
    })
    const target = await proxyTo(server)
    for (let i = 0; i < 4; i++) expect((await ask(target.address)).body.length).toBe(big.length)
    expect(target.metric('meshbench_upstream_connections_total')).toBe(1)
  })

  it('of many answers is not sent more requests’ answers than fit', async () => {
    let served = 0
    const server = await upstream((_request, response) => {
      served++
      response.end('z'.repeat(1_000_000))
    })
    const target = await proxyTo(server)
    const { connect } = await import('node:net')
    const client = connect({ host: target.address.host, port: target.address.port })
    client.pause()
    client.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n'.repeat(200))
    await new Promise((resolve) => setTimeout(resolve, 600))
    expect(served).toBeLessThan(30)
    let received = 0
    client.on('data', (bytes: Buffer) => (received += bytes.length))
    client.resume()
    await expect.poll(() => received, { timeout: 9000 }).toBeGreaterThan(30_000_000)
    client.destroy()
  })

  it('of many answers is not blamed for the request that waits meanwhile', async () => {
    const server = await upstream((_request, response) => response.end('z'.repeat(60_000)))
    const target = await proxyTo(server, { limits: { headTimeoutMs: 300 } })
    const client = connect(target.address.port, target.address.host)
    open.push({ close: () => client.destroy() })
    client.pause()
    client.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n'.repeat(300))
    await new Promise((resolve) => setTimeout(resolve, 1500))
    let heads = 0
    client.on('data', (bytes: Buffer) => (heads += bytes.toString('latin1').split('200 OK').length - 1))
    client.resume()
    await expect.poll(() => target.metric('meshbench_requests_total'), { timeout: 9000 }).toBe(300)
    await expect.poll(() => heads).toBeGreaterThan(290)
    expect(target.metric('meshbench_requests_total', '2xx')).toBe(300)
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

describe('a client that reads slowly', () => {
  const size = 16 * 1024 * 1024
  /** Asks for a large answer on a connection of its own and reads nothing yet. */
  const askWithoutReading = async (fields: string, sendIdleMs: number) => {
    const server = await upstream((_request, response) => response.end(Buffer.alloc(size)))
    const { address } = await proxyTo(server, { limits: { sendIdleMs } })
    const client = connect(address.port, address.host)
    open.push({ close: () => client.destroy() })
    client.on('error', () => {})
    client.pause()
    client.write(`GET / HTTP/1.1\r\nHost: a\r\n${fields}\r\n`)
    return { client, server }
  }

  it('is cut off when it takes nothing at all', async () => {
    const { client, server } = await askWithoutReading('', 300)
    const connections = () =>
      new Promise<number>((resolve) => server.server.getConnections((_error, count) => resolve(count)))
    await expect.poll(() => server.seen.length).toBe(1)
    // The upstream's answer is of no use to anybody any more, so its connection goes, too.
    await expect.poll(connections, { timeout: 10_000 }).toBe(0)
    let got = 0
    client.on('data', (bytes: Buffer) => (got += bytes.length)).resume()
    await once(client, 'close')
    expect(got).toBeLessThan(size)
  })

  it('gets the whole of an answer that ends its connection', async () => {
    const { client } = await askWithoutReading('Connection: close\r\n', 60_000)
    // Longer than a connection lingers whose answer has left.
    await new Promise((resolve) => setTimeout(resolve, 2000))
    let got = 0
    client.on('data', (bytes: Buffer) => {
      got += bytes.length
      client.pause()
      setTimeout(() => client.resume(), 2)
    })
    client.resume()
    await once(client, 'end')
    expect(got).toBeGreaterThan(size)
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
