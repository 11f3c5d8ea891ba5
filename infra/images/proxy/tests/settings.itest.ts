/** Settings with a value of 0, which a peer may send before it has heard anything; and the last word of a connection. */
import { once } from 'node:events'
import { type Socket, connect } from 'node:net'
import { describe, expect, it } from 'vitest'
import { flag, frameType, setting } from '../../kit/h2/frames.js'
import { encodeHeaders } from '../../kit/h2/hpack.js'
import { frame, settingEntry, speakFrames, u32 } from '../../kit/h2/testkit.js'
import { createRegistry } from '../../kit/process/metrics.js'
import { RequestHead } from '../exchange/message.js'
import type { UpstreamOwner } from '../exchange/sides.js'
import type { Dial } from '../../kit/net/waiter.js'
import { Http2Pool } from '../upstream/http2-pool.js'
import type { PoolContext } from '../upstream/pool.js'
import { proxySchema } from '../config.js'
import { ask, closedAfterEach, cluster, h2 } from './testing.js'

const { data, headers, goaway, settings, windowUpdate } = frameType
const { proxy, rawServer, upstream } = closedAfterEach()
const ok = encodeHeaders([[':status', '200']], false)
const answer = (id: number, body: string): Buffer =>
  Buffer.concat([frame(headers, flag.endHeaders, id, ok), frame(data, flag.endStream, id, body)])

/** A server that says `first` as soon as there is a connection; then it is told of each frame of the client's. */
const serverOf = (
  first: Buffer,
  onFrame: (socket: Socket, frame: { type: number; flags: number; id: number; payload: Buffer }) => void,
) =>
  rawServer((socket) => {
    socket.setNoDelay(true).write(first)
    let rest = Buffer.alloc(0)
    let begun = false
    socket.on('data', (part: Buffer) => {
      rest = Buffer.concat([rest, part])
      if (!begun && rest.length < 24) return
      if (!begun) rest = rest.subarray(24)
      begun = true
      while (rest.length >= 9 && rest.length >= 9 + rest.readUIntBE(0, 3)) {
        const payload = Buffer.from(rest.subarray(9, 9 + rest.readUIntBE(0, 3)))
        const got = { type: rest[3] as number, flags: rest[4] as number, id: rest.readUInt32BE(5), payload }
        rest = rest.subarray(9 + payload.length)
        onFrame(socket, got)
      }
    })
  })

const zeros = frame(
  settings,
  0,
  0,
  Buffer.concat([
    settingEntry(setting.headerTableSize, 0),
    settingEntry(setting.initialWindowSize, 0),
    settingEntry(setting.maxHeaderListSize, 0),
  ]),
)

describe('an upstream whose windows and tables are 0 at first', () => {
  it.each([
    ['a window for the stream', (id: number) => frame(windowUpdate, 0, id, u32(3))],
    ['other settings', () => frame(settings, 0, 0, settingEntry(setting.initialWindowSize, 3))],
  ])('gets the body as far as it opens it, by %s', async (_title, room) => {
    const sizes: number[] = []
    const server = await serverOf(zeros, (socket, { type, flags, id, payload }) => {
      if (type === headers) socket.write(room(id))
      if (type !== data) return
      sizes.push(payload.length)
      if (flags & flag.endStream) socket.write(answer(id, 'done'))
      else socket.write(frame(windowUpdate, 0, id, u32(payload.length === 3 ? 4 : 100)))
    })
    const target = await proxy({ clusters: [h2(server)] })
    // The first request finds no connection yet, the second one whose settings are known.
    for (let i = 0; i < 2; i += 1) {
      sizes.length = 0
      expect((await ask(target.address, { method: 'POST', body: 'eleven byte' })).body).toBe('done')
      if (i === 1) expect(sizes.filter((size) => size > 0)).toEqual([3, 4, 4])
    }
  })
})

describe('a server that takes no streams in its first words', () => {
  const first = frame(settings, 0, 0, settingEntry(setting.maxConcurrentStreams, 0))
  /** Hands over what the server said at once before the connection itself, as TLS may with a server's first flight. */
  const poolOf = ({ host, port }: { host: string; port: number }, connectTimeoutMs: number) => {
    let dials = 0
    const dial: Dial = async (onBytes) => {
      dials += 1
      const socket = connect({ host, port })
      socket.on('data', (bytes) => {
        onBytes(bytes, bytes.length, 'owned')
      })
      await once(socket, 'data')
      return socket
    }
    const bytes = createRegistry().counter('bytes', 'Bytes.').labels()
    const { limits } = proxySchema.parse({
      admin: { host: '127.0.0.1', port: 0 },
      trustDomain: 'bench.local',
      listeners: [{ name: 'in', host: '127.0.0.1', port: 0, transport: 'plain' }],
      clusters: [cluster('server', { host, port })],
      routes: [{ match: {}, cluster: 'server' }],
    })
    const context: PoolContext = {
      limits: { ...limits, upstreamIdleMs: 60_000, connectTimeoutMs },
      ...{ clock: { nowMs: 0 }, receivedBytes: bytes, sentBytes: bytes },
    }
    return { pool: new Http2Pool(dial, context), dials: () => dials }
  }
  const request = new RequestHead(
    { method: 'GET', path: '/', authority: 'a.test', scheme: 'http', contentLength: 0 },
    undefined,
  )
  const ownerOf = (told: (what: string) => void): UpstreamOwner => ({
    isOver: false,
    onUpstream: (side) => void side.send(request, undefined, 'owned', true),
    onUpstreamDrain() {},
    onInform() {},
    onSwitch() {},
    onResponse: ({ head }) => {
      told(String(head.status))
    },
    onResponseBody() {},
    onResponseEnd() {},
    onFailure: told,
    cork() {},
    uncork() {},
  })

  it('is waited for, and asked when it takes some', async () => {
    let opened = 0
    const server = await serverOf(first, (socket, { type, flags, id }) => {
      if (type === settings && flags & flag.ack && opened === 0)
        setTimeout(() => {
          opened += 1
          socket.write(frame(settings, 0, 0, settingEntry(setting.maxConcurrentStreams, 10)))
        }, 50)
      if (type === headers) socket.write(answer(id, opened > 0 ? 'in time' : 'too early'))
    })
    const { pool, dials } = poolOf(server, 10_000)
    const told: string[] = []
    pool.acquire(ownerOf((what) => told.push(what)))
    pool.acquire(ownerOf((what) => told.push(what)))
    await expect.poll(() => told, { timeout: 5000 }).toEqual(['200', '200'])
    expect(dials()).toBe(1)
    pool.retire()
  })

  it('is given up in time when it goes on so', async () => {
    const server = await serverOf(first, () => {})
    const { pool, dials } = poolOf(server, 100)
    const told: string[] = []
    pool.acquire(ownerOf((what) => told.push(what)))
    const tick = setInterval(() => {
      pool.onTick(performance.now())
    }, 20)
    await expect.poll(() => told, { timeout: 5000 }).toEqual(['connect'])
    clearInterval(tick)
    expect(dials()).toBe(1)
  })
})

describe('a connection that is drained', () => {
  it('says last which stream was its last, so that a request on its way is known to be undone', async () => {
    const target = await proxy({ clusters: [cluster('server', await upstream())] })
    const socket = connect(target.address)
    await once(socket, 'connect')
    const client = speakFrames(socket)
    const fields = { ':method': 'GET', ':scheme': 'http', ':path': '/', ':authority': 'a.test' }
    const block = encodeHeaders(Object.entries(fields), false)
    client.send(frame(headers, flag.endHeaders | flag.endStream, 1, block))
    await client.next(({ type, streamId }) => type === headers && streamId === 1)
    const closed = once(socket, 'close')
    socket.on('end', () => socket.end())
    void target.server.drain()
    await closed
    const last = client.frames.filter(({ type }) => type === goaway).at(-1)
    expect(last?.payload.readUInt32BE(0)).toBe(1)
  })
})
