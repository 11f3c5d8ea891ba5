/** HTTP/2 peers that fail, refuse or go away in the middle, frame by frame on either side of the proxy, and what the other side sees. */
import { once } from 'node:events'
import { type AddressInfo, type Socket, connect, createServer } from 'node:net'
import { describe, expect, it } from 'vitest'
import { errorCode, flag, frameType, setting } from '../../kit/h2/frames.js'
import { type HeaderField, HpackDecoder, encodeHeaders } from '../../kit/h2/hpack.js'
import { type RawClient, type RawFrame, frame, settingEntry, speakFrames, u32 } from '../../kit/h2/testkit.js'
import { type TestProxy, closedAfterEach, cluster, h2 } from './testing.js'

const { data, headers, rstStream, goaway, settings } = frameType
const { open, proxy, rawServer, upstream: startUpstream } = closedAfterEach()
const client = async (target: TestProxy): Promise<RawClient> => {
  const socket = connect(target.address)
  await once(socket, 'connect')
  open.push({ close: () => socket.destroy() })
  return speakFrames(socket)
}
const request = (id: number, method: string, body?: string, ...extra: HeaderField[]): Buffer => {
  const fields: HeaderField[] = [
    [':method', method],
    [':scheme', 'http'],
    [':path', '/bench.Echo/Call'],
    [':authority', 'a.test'],
    ...extra,
  ]
  const block = encodeHeaders(fields, false)
  return body === undefined
    ? frame(headers, flag.endHeaders | flag.endStream, id, block)
    : Buffer.concat([frame(headers, flag.endHeaders, id, block), frame(data, flag.endStream, id, body)])
}

/** The fields of a stream's answer; header blocks are decoded in the order in which they came. */
const answerOf = async (from: RawClient, id: number): Promise<Record<string, string>> => {
  await from.next(({ type, streamId }) => type === headers && streamId === id)
  const decoder = new HpackDecoder(4096, { headerBytes: 65_536, headerCount: 100 })
  for (const { type, streamId, payload } of from.frames) {
    if (type !== headers) continue
    const { fields } = decoder.decode(payload)
    if (streamId !== id) continue
    return Object.fromEntries(fields.flatMap((name, i) => (i % 2 === 0 ? [[name, fields[i + 1] ?? '']] : [])))
  }
  return {}
}

interface Spoken {
  readonly socket: Socket
  readonly got: RawFrame
}

/** An HTTP/2 upstream by hand: `onEnd` is called with each request's last frame, and the number of its connection. */
const upstreamOf = async (onEnd: (spoken: Spoken, connection: number, body: string) => void) => {
  let connections = 0
  const server = createServer((socket) => {
    connections += 1
    const number = connections
    const bodies = new Map<number, string>()
    socket.on('error', () => {})
    let rest = Buffer.alloc(0)
    socket.write(frame(settings, 0, 0))
    let isAfterPreface = false
    socket.on('data', (chunk) => {
      rest = Buffer.concat([rest, chunk])
      if (!isAfterPreface && rest.length < 24) return
      if (!isAfterPreface) rest = rest.subarray(24)
      isAfterPreface = true
      while (rest.length >= 9 && rest.length >= 9 + rest.readUIntBE(0, 3)) {
        const length = rest.readUIntBE(0, 3)
        const got = {
          type: rest[3] as number,
          flags: rest[4] as number,
          streamId: rest.readUInt32BE(5),
          payload: Buffer.from(rest.subarray(9, 9 + length)),
        }
        rest = rest.subarray(9 + length)
        const { type, flags, streamId, payload } = got
        if (type === data) bodies.set(streamId, (bodies.get(streamId) ?? '') + String(payload))
        if ((type === data || type === headers) && flags & flag.endStream)
          onEnd({ socket, got }, number, bodies.get(streamId) ?? '')
      }
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  open.push(server)
  return {
    host: '127.0.0.1',
    port: (server.address() as AddressInfo).port,
    get connections() {
      return connections
    },
  }
}
const ok = encodeHeaders([[':status', '200']], false)
const answer = ({ socket, got: { streamId } }: Spoken, body: string): void => {
  socket.write(
    Buffer.concat([
      frame(headers, flag.endHeaders, streamId, ok),
      frame(data, flag.endStream, streamId, body),
    ]),
  )
}
const bodyOf = async (from: RawClient, id: number): Promise<string> => {
  await from.next(
    ({ type, flags, streamId }) => type === data && streamId === id && (flags & flag.endStream) !== 0,
  )
  return from.frames
    .filter(({ type, streamId }) => type === data && streamId === id)
    .map(({ payload }) => String(payload))
    .join('')
}

describe('an upstream that breaks the protocol', () => {
  it('is left, and the next request goes over a new connection', async () => {
    const upstream = await upstreamOf((spoken, connection) => {
      // DATA on stream 0: a connection error (RFC 9113 §6.1).
      if (connection === 1) spoken.socket.write(frame(data, 0, 0, 'x'))
      else answer(spoken, 'good')
    })
    const from = await client(await proxy({ clusters: [h2(upstream)] }))
    from.send(request(1, 'POST', 'first'))
    expect((await answerOf(from, 1))[':status']).toBe('502')
    from.send(request(3, 'POST', 'second'))
    expect(await bodyOf(from, 3)).toBe('good')
    expect(upstream.connections).toBe(2)
  })

  it('with a malformed field gives a bad answer', async () => {
    const upstream = await upstreamOf(({ socket, got: { streamId } }) => {
      const block = encodeHeaders(
        [
          [':status', '200'],
          ['x-bad', 'a\nb'],
        ],
        false,
      )
      socket.write(frame(headers, flag.endHeaders | flag.endStream, streamId, block))
    })
    const from = await client(await proxy({ clusters: [h2(upstream)] }))
    from.send(request(1, 'GET'))
    expect((await answerOf(from, 1))[':status']).toBe('502')
  })
})

describe('a request that the upstream did not begin with', () => {
  const refusals: [string, (spoken: Spoken) => void][] = [
    [
      'REFUSED_STREAM',
      ({ socket, got: { streamId } }) =>
        socket.write(frame(rstStream, 0, streamId, u32(errorCode.refusedStream))),
    ],
    ['GOAWAY', ({ socket }) => socket.write(frame(goaway, 0, 0, u32(0, errorCode.noError)))],
  ]
  it.each(refusals)('%s: a POST and a gRPC call are sent again, with their bodies', async (_name, refuse) => {
    let isRefused = false
    const upstream = await upstreamOf((spoken, _connection, body) => {
      if (isRefused) answer(spoken, `got ${body}`)
      else refuse(spoken)
      isRefused = true
    })
    const target = await proxy({ clusters: [h2(upstream)] })
    const from = await client(target)
    from.send(request(1, 'POST', 'posted'))
    expect(await bodyOf(from, 1)).toBe('got posted')
    isRefused = false
    from.send(request(3, 'POST', 'called', ['content-type', 'application/grpc'], ['te', 'trailers']))
    expect(await bodyOf(from, 3)).toBe('got called')
  })

  it('leaves no connection behind whose server takes no streams at all', async () => {
    const sockets = new Set<Socket>()
    const upstream = await upstreamOf(({ socket, got: { streamId } }) => {
      sockets.add(socket)
      socket.on('close', () => sockets.delete(socket))
      socket.write(frame(settings, 0, 0, settingEntry(setting.maxConcurrentStreams, 0)))
      socket.write(frame(rstStream, 0, streamId, u32(errorCode.refusedStream)))
    })
    const from = await client(await proxy({ clusters: [h2(upstream)] }))
    for (const id of [1, 3, 5, 7]) {
      from.send(request(id, 'GET'))
      expect((await answerOf(from, id))[':status']).toBe('503')
    }
    await expect.poll(() => sockets.size, { timeout: 3000 }).toBe(0)
  })

  it('is not sent for ever', async () => {
    let asked = 0
    const upstream = await upstreamOf(({ socket, got: { streamId } }) => {
      asked += 1
      socket.write(frame(rstStream, 0, streamId, u32(errorCode.refusedStream)))
    })
    const from = await client(await proxy({ clusters: [h2(upstream)] }))
    from.send(request(1, 'POST', 'x'))
    expect((await answerOf(from, 1))[':status']).toBe('503')
    expect(asked).toBe(4)
  })
})

describe('a client that breaks the protocol', () => {
  it('loses its connection within seconds, with a stream open too, and leaves room for the next', async () => {
    const upstream = await startUpstream(() => {})
    const target = await proxy({ clusters: [cluster('server', upstream)], limits: { connections: 1 } })
    const from = await client(target)
    from.send(request(1, 'GET'))
    await from.next(({ type, flags }) => type === settings && flags === flag.ack)
    from.send(frame(data, 0, 0, 'x'))
    const last = await from.next(({ type }) => type === goaway)
    expect(last.payload.readUInt32BE(4)).toBe(errorCode.protocol)
    // Its side of the socket stays open: the proxy closes all the same.
    await once(from.socket, 'close')
    // With room for one connection, the next is served as soon as this one is gone.
    const isServed = async (): Promise<boolean> =>
      (await client(target))
        .next(({ type }) => type === settings)
        .then(
          () => true,
          () => false,
        )
    await expect.poll(isServed, { timeout: 3000 }).toBe(true)
  })

  it('is bound by the limit of heads although it acknowledged no SETTINGS', async () => {
    const upstream = await startUpstream()
    const target = await proxy({ clusters: [cluster('server', upstream)], limits: { headBytes: 1024 } })
    const from = await client(target)
    from.send(request(1, 'GET', undefined, ['x-large', 'y'.repeat(2000)]))
    expect((await answerOf(from, 1))[':status']).toBe('431')
    from.send(request(3, 'GET'))
    expect((await answerOf(from, 3))[':status']).toBe('200')
    expect(upstream.seen.length).toBe(1)
  })
})

describe('an early answer', () => {
  it('that waited for the client’s window ends the stream, though the request never ends', async () => {
    const server = await rawServer((socket) => {
      socket.once('data', () => socket.write('HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nearly'))
    })
    const from = await client(await proxy({ clusters: [cluster('server', server)] }))
    from.send(frame(settings, 0, 0, settingEntry(setting.initialWindowSize, 0)))
    const head = request(1, 'POST').subarray()
    head[4] = flag.endHeaders
    from.send(head)
    expect((await answerOf(from, 1))[':status']).toBe('200')
    from.send(frame(frameType.windowUpdate, 0, 1, u32(100)))
    expect(await bodyOf(from, 1)).toBe('early')
    const last = await from.next(({ type, streamId }) => type === rstStream && streamId === 1)
    expect(last.payload.readUInt32BE(0)).toBe(errorCode.noError)
  })
})

describe('an answer of the proxy itself to a gRPC call', () => {
  const call: readonly HeaderField[] = [
    ['content-type', 'application/grpc'],
    ['te', 'trailers'],
  ]
  const jwt = { issuer: 'i', audiences: ['a'], jwks: { keys: [{ kty: 'EC' }] } }
  const nobody = { host: '127.0.0.1', port: 1 }
  const cases: [title: string, status: string, config: Record<string, unknown>][] = [
    ['a refused connection', '14', {}],
    ['no route', '12', { routes: [{ match: { path: '/other' }, cluster: 'server' }] }],
    ['jwt', '16', { filters: { jwt } }],
    ['authorization', '7', { filters: { authorization: { rules: [{ action: 'deny', paths: ['*'] }] } } }],
    ['an abort', '14', { filters: { fault: { abort: { status: 503 } } } }],
    ['an abort with another status', '2', { filters: { fault: { abort: { status: 418 } } } }],
    ['the rate limit', '14', { filters: { rateLimit: { requestsPerSecond: 0.001, burst: 1 } } }],
    [
      'an authorizer that is not there',
      '14',
      {
        clusters: [h2(nobody), cluster('authorizer', nobody)],
        filters: { externalAuthorization: { cluster: 'authorizer' } },
      },
    ],
    ['the circuit breaker', '14', { filters: { circuitBreaker: { maxRequests: 1 } }, silent: true }],
    ['a time-out', '14', { filters: { timeouts: { requestMs: 50 } }, silent: true }],
  ]
  it.each(cases)('%s: status %s in the head, and nothing after it', async (title, status, config) => {
    const { silent, ...rest } = config
    const upstream = silent === true ? await upstreamOf(() => {}) : nobody
    const target = await proxy({ clusters: [h2(upstream)], ...rest })
    const from = await client(target)
    // What counts against a limit comes first.
    from.send(request(1, 'POST', 'x', ...call))
    if (title === 'the rate limit') await answerOf(from, 1)
    const id = title === 'the rate limit' || title === 'the circuit breaker' ? 3 : 1
    if (id === 3) from.send(request(3, 'POST', 'x', ...call))
    const got = await answerOf(from, id)
    expect(got).toMatchObject({ ':status': '200', 'content-type': 'application/grpc', 'grpc-status': status })
    expect(got['grpc-message']).not.toBe('')
    const head = from.frames.find(({ type, streamId }) => type === headers && streamId === id)
    expect((head?.flags ?? 0) & flag.endStream).toBe(flag.endStream)
  })

  it('knows one by its field, whatever the value of another is', async () => {
    const from = await client(await proxy({ clusters: [h2(nobody)] }))
    // Another host than its authority.
    from.send(request(1, 'POST', 'x', ['host', 'b.test'], ['x-asks-for', 'content-type'], ...call))
    expect(await answerOf(from, 1)).toMatchObject({ ':status': '200', 'grpc-status': '13' })
  })

  it('is plain HTTP for everybody else', async () => {
    const from = await client(await proxy({ clusters: [h2(nobody)] }))
    from.send(request(1, 'POST', 'x'))
    expect(await answerOf(from, 1)).toMatchObject({ ':status': '503' })
  })
})
