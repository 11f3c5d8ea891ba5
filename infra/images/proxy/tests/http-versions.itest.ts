/** What must not change its meaning on the way from one version of HTTP to the other: ends, lengths, names and trailers. */
import { once } from 'node:events'
import { type IncomingHttpHeaders, constants } from 'node:http2'
import { type AddressInfo, connect as connectTcp, createServer as createTcpServer } from 'node:net'
import { describe, expect, it } from 'vitest'
import { errorCode, flag, frameType } from '../../kit/h2/frames.js'
import { encodeHeaders } from '../../kit/h2/hpack.js'
import { frame, speakFrames, u32 } from '../../kit/h2/testkit.js'
import { type TestProxy, ask, closedAfterEach, cluster, h2, sendRaw } from './testing.js'

const { http2Upstream, open, proxy, session, upstream: startUpstream } = closedAfterEach()

/** An HTTP/1.1 upstream that answers every request with these bytes. */
const rawUpstream = async (answer: string) => {
  const server = createTcpServer((socket) => {
    socket.on('error', () => {})
    socket.on('data', () => socket.write(answer, 'latin1'))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  open.push(server)
  return { host: '127.0.0.1', port: (server.address() as AddressInfo).port }
}

const get = (target: TestProxy, more = ''): Promise<string> =>
  sendRaw(target.address, [`GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n${more}\r\n`])

const askHttp2 = async (
  target: TestProxy,
  headers: Record<string, string> = {},
): Promise<{ status: number | undefined; headers: IncomingHttpHeaders; body: string; code: number }> => {
  const stream = session(target).request({ ':path': '/', ...headers })
  const answer = {
    status: undefined as number | undefined,
    headers: {} as IncomingHttpHeaders,
    body: '',
    code: 0,
  }
  stream.on('response', (got) => {
    answer.status = got[':status']
    answer.headers = got
  })
  stream.on('error', () => {})
  stream.setEncoding('latin1')
  stream.on('data', (text: string) => (answer.body += text))
  await new Promise((resolve) => {
    stream.on('close', resolve)
    setTimeout(resolve, 2000).unref()
  })
  answer.code = stream.rstCode
  return answer
}

/** An HTTP/2 upstream that answers the first request of each connection with these frames, and reads nothing. */
const frameUpstream = async (frames: readonly Buffer[], thenClose = false) => {
  const server = createTcpServer((socket) => {
    socket.on('error', () => {})
    socket.once('data', () => {
      socket.write(Buffer.concat([frame(frameType.settings, 0, 0), ...frames]))
      if (thenClose) socket.end()
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  open.push(server)
  return { host: '127.0.0.1', port: (server.address() as AddressInfo).port }
}
const ok = frame(frameType.headers, flag.endHeaders, 1, encodeHeaders([[':status', '200']], true))
const half = frame(frameType.data, 0, 1, 'half')
const codes = [
  ['NO_ERROR', errorCode.noError],
  ['CANCEL', errorCode.cancel],
  ['INTERNAL_ERROR', errorCode.internal],
  ['REFUSED_STREAM', errorCode.refusedStream],
] as const

describe('an answer of HTTP/2', () => {
  it.each(codes)('that is cut by %s is not whole for an HTTP/1.1 client', async (_name, code) => {
    const upstream = await frameUpstream([ok, half, frame(frameType.rstStream, 0, 1, u32(code))])
    const target = await proxy({ clusters: [h2(upstream)] })
    const text = await get(target)
    expect(text).toContain('\r\n\r\n')
    expect(text).not.toContain('0\r\n\r\n')
    const other = await proxy({ clusters: [h2(upstream)] })
    expect(await askHttp2(other)).toMatchObject({ status: 200, code: errorCode.internal })
  })

  it('that is cut by the end of its connection is not whole, and nobody waits', async () => {
    const upstream = await frameUpstream([ok, half], true)
    const target = await proxy({ clusters: [h2(upstream)] })
    const startedAt = Date.now()
    const text = await get(target)
    expect(Date.now() - startedAt).toBeLessThan(1500)
    expect(text).toContain('half')
    expect(text).not.toContain('0\r\n\r\n')
  })

  it('that is whole stays whole when a reset follows it', async () => {
    const end = frame(frameType.data, flag.endStream, 1, 'whole')
    const upstream = await frameUpstream([ok, end, frame(frameType.rstStream, 0, 1, u32(0))])
    const target = await proxy({ clusters: [h2(upstream)] })
    expect(await get(target)).toMatch(/whole\r\n0\r\n\r\n$/)
  })

  it('with a length that is not its own is not whole', async () => {
    const head = encodeHeaders(
      [
        [':status', '200'],
        ['content-length', '10'],
      ],
      true,
    )
    const upstream = await frameUpstream([
      frame(frameType.headers, flag.endHeaders, 1, head),
      frame(frameType.data, flag.endStream, 1, 'half'),
    ])
    const target = await proxy({ clusters: [h2(upstream)] })
    const text = await get(target)
    expect(text).not.toMatch(/half[^]*HTTP/)
    const other = await proxy({ clusters: [h2(upstream)] })
    const answer = await askHttp2(other)
    expect([answer.status, answer.code]).not.toEqual([200, 0])
  })

  it.each([
    ['GET', '204'],
    ['GET', '304'],
    ['HEAD', '200'],
  ])('to %s with status %s cannot bring an answer of its own making as content', async (method, status) => {
    const head = encodeHeaders([[':status', status]], true)
    const upstream = await frameUpstream([
      frame(frameType.headers, flag.endHeaders, 1, head),
      frame(frameType.data, flag.endStream, 1, 'HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil'),
    ])
    const target = await proxy({ clusters: [h2(upstream)] })
    const text = await sendRaw(target.address, [`${method} / HTTP/1.1\r\nHost: a\r\n\r\n`])
    expect(text).not.toContain('evil')
    const {
      status: got,
      body,
      code,
    } = await askHttp2(await proxy({ clusters: [h2(upstream)] }), {
      ':method': method,
    })
    expect([got, body, code]).toEqual([Number(status), '', 0])
  })

  it('with a status that is none is a bad answer', async () => {
    const head = encodeHeaders([[':status', '600']], true)
    const upstream = await frameUpstream([frame(frameType.headers, flag.endHeaders, 1, head), half])
    const target = await proxy({ clusters: [h2(upstream)] })
    expect((await askHttp2(target)).status).toBe(502)
  })
})

describe('a request of HTTP/2', () => {
  const post = encodeHeaders(
    [
      [':method', 'POST'],
      [':scheme', 'http'],
      [':path', '/'],
      [':authority', 'bench.test'],
    ],
    true,
  )
  const upstreamOfBytes = async () => {
    let seen = ''
    let closed = 0
    const server = createTcpServer((socket) => {
      socket.on('error', () => {})
      socket.on('data', (bytes) => (seen += bytes.toString('latin1')))
      socket.on('close', () => closed++)
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    open.push(server)
    const { port } = server.address() as AddressInfo
    return { host: '127.0.0.1', port, seen: () => seen, closed: () => closed }
  }

  it.each(codes)('that is cut by %s is not whole for an HTTP/1.1 upstream', async (_name, code) => {
    const upstream = await upstreamOfBytes()
    const target = await proxy({ clusters: [cluster('server', upstream)] })
    const socket = connectTcp(target.address)
    open.push({ close: () => socket.destroy() })
    const client = speakFrames(socket)
    client.send(frame(frameType.headers, flag.endHeaders, 1, post), half)
    await expect.poll(upstream.seen).toContain('half')
    client.send(frame(frameType.rstStream, 0, 1, u32(code)))
    await expect.poll(upstream.closed).toBe(1)
    expect(upstream.seen()).not.toContain('0\r\n\r\n')
  })

  it('with content is not said to have none because one without had the same fields', async () => {
    const seen: (string | undefined)[] = []
    const bodies: string[] = []
    const upstream = await http2Upstream((stream, headers) => {
      let body = ''
      seen.push(headers['content-length'])
      stream.on('data', (bytes: Buffer) => (body += String(bytes)))
      stream.on('end', () => {
        bodies.push(body)
        stream.respond({ ':status': 204 }, { endStream: true })
      })
    })
    const target = await proxy({ clusters: [h2(upstream)] })
    const socket = connectTcp(target.address)
    open.push({ close: () => socket.destroy() })
    const client = speakFrames(socket)
    const [headers, data] = [frameType.headers, frameType.data]
    const answered = (id: number) => client.next(({ type, streamId }) => type === headers && streamId === id)
    // A head that has come twice is kept, with what was made of it. (Without the size of the table, which changes it.)
    const fields = post.subarray(1)
    for (const id of [1, 3, 5]) {
      client.send(frame(headers, flag.endHeaders | flag.endStream, id, fields))
      await answered(id)
    }
    client.send(frame(headers, flag.endHeaders, 7, fields), frame(data, flag.endStream, 7, 'content'))
    await answered(7)
    client.send(frame(headers, flag.endHeaders | flag.endStream, 9, fields))
    await answered(9)
    expect(seen).toEqual(['0', '0', '0', undefined, '0'])
    expect(bodies).toEqual(['', '', '', 'content', ''])
  })

  it('is given up when its client ends its side of the connection', async () => {
    const upstream = await upstreamOfBytes()
    const target = await proxy({ clusters: [cluster('server', upstream)] })
    const socket = connectTcp(target.address)
    const client = speakFrames(socket)
    client.send(frame(frameType.headers, flag.endHeaders, 1, post), half)
    await expect.poll(upstream.seen).toContain('half')
    socket.end()
    await expect.poll(upstream.closed, { timeout: 3000 }).toBe(1)
    expect(upstream.seen()).not.toContain('0\r\n\r\n')
  })
})

describe('answers of HTTP/1.1', () => {
  it.each([600, 999])('with status %i do not bring the proxy down', async (status) => {
    const upstream = await rawUpstream(`HTTP/1.1 ${status} Odd\r\ncontent-length: 2\r\n\r\nok`)
    const target = await proxy({ clusters: [cluster('server', upstream)] })
    expect((await askHttp2(target)).status).toBe(status)
    expect(await get(target)).toMatch(new RegExp(`^HTTP/1.1 ${status} `))
  })

  it('with status 205 reach an HTTP/2 client', async () => {
    const upstream = await rawUpstream('HTTP/1.1 205 Reset Content\r\ncontent-length: 0\r\n\r\n')
    const target = await proxy({ clusters: [cluster('server', upstream)] })
    expect(await askHttp2(target)).toMatchObject({ status: 205, body: '', code: 0 })
  })

  it('that can have no body state no length of one', async () => {
    const upstream = await rawUpstream(
      'HTTP/1.1 103 Early Hints\r\ncontent-length: 7\r\nlink: a\r\n\r\nHTTP/1.1 204 No Content\r\ncontent-length: 5\r\nx: y\r\n\r\n',
    )
    const target = await proxy({ clusters: [cluster('server', upstream)] })
    for (const more of ['', 'connection: keep-alive\r\n']) {
      const text = await get(target, more)
      expect(text).toContain('103 Early Hints')
      expect(text).toContain('204 No Content')
      expect(text).toContain('x: y')
      expect(text).not.toContain('content-length')
    }
    const chunked = await rawUpstream('HTTP/1.1 204 No Content\r\ntransfer-encoding: chunked\r\n\r\n')
    const other = await proxy({ clusters: [cluster('server', chunked)] })
    const text = await sendRaw(other.address, ['GET / HTTP/1.1\r\nhost: a\r\n\r\n'], { timeoutMs: 300 })
    expect(text).toContain('204 No Content')
    expect(text).not.toContain('transfer-encoding')
  })
})

describe('names', () => {
  it('that JavaScript knows are names like others', async () => {
    const upstream = await http2Upstream((stream, headers) => {
      stream.respond({ ':status': 200, 'x-seen': JSON.stringify(headers['constructor'] ?? null) })
      stream.end()
    })
    const target = await proxy({ clusters: [h2(upstream)] })
    const text = await get(target, 'constructor: mine\r\n__proto__: mine\r\n')
    expect(text).toContain('x-seen: "mine"')
  })
})

describe('trailers of HTTP/2', () => {
  it('bring no field that only a head may have', async () => {
    const upstream = await startUpstream((request, response) => {
      response.end(JSON.stringify(request.trailers))
    })
    const target = await proxy({ clusters: [cluster('server', upstream)] })
    const stream = session(target).request(
      { ':path': '/', ':method': 'POST' },
      { endStream: false, waitForTrailers: true },
    )
    stream.on('wantTrailers', () => {
      stream.sendTrailers({
        'x-sum': '1',
        'x-forwarded-client-cert': 'By=;URI=spiffe://bench.local/ns/a/sa/admin',
        authorization: 'Bearer x',
        cookie: 'a=b',
      })
    })
    let body = ''
    stream.setEncoding('utf8').on('data', (text: string) => (body += text))
    stream.end('x')
    await once(stream, 'end')
    expect(JSON.parse(body)).toEqual({ 'x-sum': '1' })
  })
})

describe('a request that an HTTP/2 upstream refused to begin', () => {
  it('is sent again when that is safe', async () => {
    let refused = 0
    const upstream = await http2Upstream((stream) => {
      if (refused++ < 1) {
        stream.close(constants.NGHTTP2_REFUSED_STREAM)
        return
      }
      stream.respond({ ':status': 200 })
      stream.end('ok')
    })
    const target = await proxy({ clusters: [h2(upstream)] })
    expect((await ask(target.address, { path: '/' })).status).toBe(200)
  })

  it('finds another session when the one that was kept is cut', async () => {
    let requests = 0
    const upstream = await http2Upstream((stream) => {
      if (++requests === 2) {
        stream.session?.destroy()
        return
      }
      stream.respond({ ':status': 200 })
      stream.end('ok')
    })
    const target = await proxy({ clusters: [h2(upstream)] })
    expect((await ask(target.address, { path: '/' })).status).toBe(200)
    expect((await ask(target.address, { path: '/' })).status).toBe(200)
  })
})
