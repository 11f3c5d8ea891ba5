/** HTTP/2 and gRPC through the proxy, with node:http2 and @grpc/grpc-js, which we did not write, on both sides. */
import { once } from 'node:events'
import { type ClientHttp2Session, type IncomingHttpHeaders, constants } from 'node:http2'
import * as grpc from '@grpc/grpc-js'
import { describe, expect, it, vi } from 'vitest'
import { closedAfterEach, cluster, h2, sendRaw } from './testing.js'

const { http2Upstream, open, proxy, session, upstream: startUpstream } = closedAfterEach()

interface Answer {
  headers: IncomingHttpHeaders & { ':status'?: number | undefined }
  trailers: IncomingHttpHeaders
  body: string
  resetCode: number | undefined
}
const ask = async (
  client: ClientHttp2Session,
  headers: Record<string, string>,
  body?: string,
): Promise<Answer> => {
  const stream = client.request({ ':path': '/', ...headers }, { endStream: body === undefined })
  const answer: Answer = { headers: {}, trailers: {}, body: '', resetCode: undefined }
  stream.on('response', (got: Answer['headers']) => (answer.headers = got))
  stream.on('trailers', (got: IncomingHttpHeaders) => (answer.trailers = got))
  stream.on('error', () => {})
  stream.setEncoding('latin1')
  stream.on('data', (text: string) => (answer.body += text))
  if (body !== undefined) stream.end(body)
  await new Promise((resolve) => stream.on('close', resolve))
  answer.resetCode = stream.rstCode
  return answer
}
describe('HTTP/2', () => {
  it('becomes HTTP/1.1 for an HTTP/1.1 upstream', async () => {
    const upstream = await startUpstream()
    const target = await proxy({ clusters: [cluster('server', upstream)] })
    const client = session(target)
    const big = 'b'.repeat(300_000)
    const answers = await Promise.all(
      ['', 'small', big].map((body) =>
        ask(client, { ':method': 'POST', ':path': `/${body.length}`, cookie: 'a=1' }, body),
      ),
    )
    expect(answers.map(({ body }) => body.length)).toEqual([0, 5, 300_000])
    expect(answers[2]?.body).toBe(big)
    expect(answers.map(({ headers }) => headers[':status'])).toEqual([200, 200, 200])
    expect(upstream.seen[0]?.headers).toMatchObject({
      cookie: 'a=1',
      host: `127.0.0.1:${target.address.port}`,
    })
    expect(target.metric('meshbench_requests_total', '2xx')).toBe(3)
    expect((await ask(client, { ':method': 'HEAD' })).headers[':status']).toBe(200)
  })

  it('lets an upstream reset as many streams as it likes, since it has no more than were opened', async () => {
    let answerSlow = (): void => {}
    const upstream = await http2Upstream((serve, headers) => {
      if (headers[':path'] !== '/slow') serve.close(constants.NGHTTP2_INTERNAL_ERROR)
      else answerSlow = () => serve.respond({}, { endStream: true })
    })
    const target = await proxy({ clusters: [h2(upstream)] })
    const client = session(target)
    const slow = ask(client, { ':path': '/slow' })
    for (let batch = 0; batch < 6; batch += 1) {
      const posts = Array.from({ length: 40 }, () => ask(client, { ':method': 'POST' }))
      for (const { headers } of await Promise.all(posts)) expect(headers[':status']).toBe(502)
    }
    answerSlow()
    expect((await slow).headers[':status']).toBe(200)
    expect(target.metric('meshbench_upstream_connections_total')).toBe(1)
  })

  it('keeps idle connections of both sides when the clock of the host is set', async () => {
    const upstream = await http2Upstream((serve) => serve.respond({}, { endStream: true }))
    const target = await proxy({ clusters: [h2(upstream)] })
    const client = session(target)
    await ask(client, {})
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 24 * 3_600_000 })
    try {
      await new Promise((resolve) => setTimeout(resolve, 600))
    } finally {
      vi.useRealTimers()
    }
    expect(client.closed).toBe(false)
    expect((await ask(client, {})).headers[':status']).toBe(200)
    expect(target.metric('meshbench_upstream_connections_total')).toBe(1)
  })

  it('passes trailers, resets and early answers between HTTP/2 on both sides', async () => {
    const upstream = await http2Upstream((serve, headers) => {
      const path = headers[':path']
      serve.on('error', () => {})
      if (path === '/reset') serve.close(constants.NGHTTP2_INTERNAL_ERROR)
      else if (path === '/early') serve.respond({ ':status': 413 }, { endStream: true })
      else if (path === '/trailers') {
        serve.respond({ ':status': 200, 'set-cookie': ['a=1', 'b=2'] }, { waitForTrailers: true })
        serve.on('wantTrailers', () => {
          serve.sendTrailers({ 'grpc-status': '0' })
        })
        serve.end('body')
      } else {
        serve.respond({ ':status': 200 })
        serve.pipe(serve)
      }
    })
    const target = await proxy({ clusters: [h2(upstream)] })
    const client = session(target)
    const trailed = await ask(client, { ':path': '/trailers' })
    expect(trailed).toMatchObject({ body: 'body', trailers: { 'grpc-status': '0' } })
    expect(trailed.headers['set-cookie']).toEqual(['a=1', 'b=2'])
    expect((await ask(client, { ':path': '/reset' })).headers[':status']).toBe(502)
    expect(
      (await ask(client, { ':path': '/early', ':method': 'POST' }, 'x'.repeat(2_000_000))).headers[':status'],
    ).toBe(413)
    const big = 'z'.repeat(3_000_000)
    expect((await ask(client, { ':path': '/echo', ':method': 'POST' }, big)).body).toBe(big)
    expect(upstream.sessions.length).toBe(1)
  })

  it('opens a new session when the old one goes away', async () => {
    const upstream = await http2Upstream((serve) => {
      serve.respond({ ':status': 200 }, { endStream: true })
    })
    const target = await proxy({ clusters: [h2(upstream)] })
    const client = session(target)
    expect((await ask(client, {})).headers[':status']).toBe(200)
    for (const upstreamSession of upstream.sessions) upstreamSession.goaway()
    await new Promise((resolve) => setTimeout(resolve, 50))
    expect((await ask(client, {})).headers[':status']).toBe(200)
    expect(upstream.sessions.length).toBe(2)
  })

  it('brings trailers of a request to an HTTP/2 upstream that had to be dialled first', async () => {
    const trailers: unknown[] = []
    const upstream = await http2Upstream((serve) => {
      serve.on('trailers', (got: IncomingHttpHeaders) => trailers.push({ ...got }))
      serve.respond({ ':status': 200 })
      serve.pipe(serve)
    })
    const target = await proxy({ clusters: [h2(upstream)] })
    const got = await sendRaw(target.address, [
      'POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nx-sum: 3\r\n\r\n',
    ])
    expect(got).toMatch(/abc/)
    expect(trailers).toEqual([expect.objectContaining({ 'x-sum': '3' })])
  })

  it('names a host for a client of HTTP/1.0 that named none', async () => {
    const authorities: (string | undefined)[] = []
    const server = await http2Upstream((stream, headers) => {
      authorities.push(headers[':authority'])
      stream.respond({ ':status': 204 }, { endStream: true })
    })
    const { address } = await proxy({ clusters: [h2(server)] })
    const hop = await proxy({ clusters: [h2(address)] })
    for (const { host, port } of [address, hop.address])
      expect(await sendRaw({ host, port }, ['GET / HTTP/1.0\r\n\r\n'])).toMatch(/ 204 /)
    expect(authorities).toEqual([`127.0.0.1:${server.port}`, `127.0.0.1:${address.port}`])
  })

  it('lets an HTTP/1.1 client reach an HTTP/2 upstream', async () => {
    const upstream = await http2Upstream((serve) => {
      serve.respond({ ':status': 200, 'x-up': 'h2' })
      serve.pipe(serve)
    })
    const target = await proxy({ clusters: [h2(upstream)] })
    const response = await fetch(`http://127.0.0.1:${target.address.port}/`, {
      method: 'POST',
      body: 'through',
    })
    expect([response.status, response.headers.get('x-up'), await response.text()]).toEqual([
      200,
      'h2',
      'through',
    ])
  })

  it('refuses CONNECT, two different hosts and a path that HTTP/1.1 could not carry', async () => {
    const upstream = await startUpstream()
    const target = await proxy({ clusters: [cluster('server', upstream)] })
    const client = session(target)
    // nghttp2 resets some of these itself; what counts is that none gets through.
    const status = async (headers: Record<string, string>) => {
      const { headers: got, resetCode } = await ask(client, headers)
      return got[':status'] ?? (resetCode === constants.NGHTTP2_PROTOCOL_ERROR ? 400 : 'unanswered')
    }
    expect(await status({ ':path': '/a b' })).toBe(400)
    expect(await status({ ':path': '/a#b' })).toBe(400)
    expect(await status({ ':path': 'http://x/' })).toBe(400)
    expect(await status({ ':authority': 'a.test', host: 'b.test' })).toBe(400)
    expect(await status({ ':authority': 'user@a.test' })).toBe(400)
    const tunnel = client.request({ ':method': 'CONNECT', ':authority': 'a.test:80' })
    tunnel.on('error', () => {})
    const [headers] = (await once(tunnel, 'response')) as [IncomingHttpHeaders & { ':status': number }]
    expect(headers[':status']).toBe(405)
    expect(upstream.seen.length).toBe(0)
  })

  it('cuts off a client that resets its streams as fast as it opens them', async () => {
    const upstream = await startUpstream()
    const target = await proxy({ clusters: [cluster('server', upstream)], limits: { resetsPerSecond: 20 } })
    const client = session(target)
    await once(client, 'connect')
    let opened = 0
    const closed = new Promise((resolve) => client.on('close', resolve))
    const flood = setInterval(() => {
      if (client.destroyed || client.closed) return
      for (let i = 0; i < 20; i++, opened++) {
        const stream = client.request({ ':path': '/' })
        stream.on('error', () => {})
        stream.close(constants.NGHTTP2_CANCEL)
      }
    }, 5)
    await closed
    clearInterval(flood)
    expect(opened).toBeLessThan(2000)
    expect((await ask(session(target), {})).headers[':status']).toBe(200)
  })
})

describe('a client that opens no window', () => {
  it('loses the stream whose answer it does not take, and only that', async () => {
    const server = await startUpstream((request, response) => {
      response.end(request.url === '/large' ? Buffer.alloc(8 * 1024 * 1024) : 'small')
    })
    const target = await proxy({ clusters: [cluster('server', server)], limits: { sendIdleMs: 300 } })
    const client = session(target)
    const stalled = client.request({ ':path': '/large' })
    const broken = new Promise((resolve) => stalled.once('error', resolve))
    stalled.pause()
    await once(stalled, 'response')
    await broken
    expect(stalled.rstCode).toBe(constants.NGHTTP2_INTERNAL_ERROR)
    expect((await ask(client, { ':path': '/small' })).body).toBe('small')
  })
})

describe('gRPC', () => {
  const identity = {
    requestSerialize: (value: Buffer) => value,
    requestDeserialize: (value: Buffer) => value,
    responseSerialize: (value: Buffer) => value,
    responseDeserialize: (value: Buffer) => value,
  }
  const method = (path: string, requestStream: boolean, responseStream: boolean) => ({
    path,
    requestStream,
    responseStream,
    ...identity,
  })
  const service = {
    unary: method('/bench.Echo/Unary', false, false),
    both: method('/bench.Echo/Both', true, true),
    fail: method('/bench.Echo/Fail', false, false),
  }

  it('carries unary calls, streams both ways and errors', async () => {
    const server = new grpc.Server()
    server.addService(service, {
      unary: (call: grpc.ServerUnaryCall<Buffer, Buffer>, done: grpc.sendUnaryData<Buffer>) => {
        const trailer = new grpc.Metadata()
        trailer.set('x-trailer', 'yes')
        done(null, Buffer.concat([call.request, Buffer.from('!')]), trailer)
      },
      both: (call: grpc.ServerDuplexStream<Buffer, Buffer>) => {
        call.on('data', (message: Buffer) => call.write(Buffer.concat([Buffer.from('re:'), message])))
        call.on('end', () => {
          call.end()
        })
      },
      fail: (_call: unknown, done: grpc.sendUnaryData<Buffer>) => {
        done({ code: grpc.status.FAILED_PRECONDITION, details: 'not today' })
      },
    })
    const port = await new Promise<number>((resolve, reject) => {
      server.bindAsync('127.0.0.1:0', grpc.ServerCredentials.createInsecure(), (error, bound) => {
        if (error) reject(error)
        else resolve(bound)
      })
    })
    open.push({
      close: () => {
        server.forceShutdown()
      },
    })
    const target = await proxy({ clusters: [h2({ host: '127.0.0.1', port })] })
    const Client = grpc.makeGenericClientConstructor(service, 'Echo')
    const client = new Client(`127.0.0.1:${target.address.port}`, grpc.credentials.createInsecure())
    open.push({
      close: () => {
        client.close()
      },
    })
    type Call = (
      message: Buffer,
      done: (error: grpc.ServiceError | null, reply?: Buffer) => void,
    ) => grpc.ClientUnaryCall
    const unary = (client['unary'] as Call).bind(client)
    const { reply, trailer } = await new Promise<{ reply: Buffer; trailer: grpc.Metadata }>(
      (resolve, reject) => {
        let got: Buffer | undefined
        const call = unary(Buffer.from('hello'), (error, answer) => {
          if (error) reject(error)
          got = answer
        })
        call.on('status', (status) => {
          resolve({ reply: got as Buffer, trailer: status.metadata })
        })
      },
    )
    expect(String(reply)).toBe('hello!')
    expect(trailer.get('x-trailer')).toEqual(['yes'])

    const stream = (client['both'] as () => grpc.ClientDuplexStream<Buffer, Buffer>).call(client)
    const received: string[] = []
    stream.on('data', (message: Buffer) => {
      received.push(String(message))
      // Ping-pong: the next message goes out only after the answer, so both directions flow at once.
      if (received.length < 5) stream.write(Buffer.from(String(received.length)))
      else stream.end()
    })
    stream.write(Buffer.from('0'))
    await once(stream, 'end')
    expect(received).toEqual(['re:0', 're:1', 're:2', 're:3', 're:4'])

    const failed = await new Promise<grpc.ServiceError | null>((resolve) => {
      ;(client['fail'] as Call).call(client, Buffer.from(''), resolve)
    })
    expect(failed).toMatchObject({ code: grpc.status.FAILED_PRECONDITION, details: 'not today' })
    expect(target.metric('meshbench_requests_total', '2xx')).toBe(3)
  })
})
