/** The proxy's HTTP/2 front door against broken and hostile clients, frame by frame. */
import { once } from 'node:events'
import { type Socket, connect } from 'node:net'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { errorCode, flag, frameType } from '../../kit/h2/frames.js'
import { HpackDecoder, encodeHeaders } from '../../kit/h2/hpack.js'
import { type RawClient, frame, settingEntry, speakFrames, u32 } from '../../kit/h2/testkit.js'
import { http2Cases } from './http2-cases.js'
import { type TestProxy, type TestUpstream, cluster, startTestProxy, startUpstream } from './testing.js'

let upstream: TestUpstream
let target: TestProxy
beforeAll(async () => {
  upstream = await startUpstream()
  target = await startTestProxy({
    clusters: [cluster('server', upstream)],
    limits: { streamsPerConnection: 20, resetsPerSecond: 50 },
  })
})
afterAll(() => {
  target.close()
  upstream.close()
})

/** Fields that the good requests of the cases bring to the upstream. */
const known = new Set(['host', 'content-length', 'transfer-encoding', 'connection', 'trailer'])

const { data, headers, rstStream, settings, ping, goaway, windowUpdate, continuation } = frameType
const get = (path: string): Buffer =>
  encodeHeaders(
    [
      [':method', 'GET'],
      [':scheme', 'http'],
      [':path', path],
      [':authority', 'bench.test'],
    ],
    false,
  )
const ask = (id: number, path = '/case'): Buffer =>
  frame(headers, flag.endHeaders | flag.endStream, id, get(path))

async function open(): Promise<RawClient> {
  const socket: Socket = connect(target.address)
  await once(socket, 'connect')
  return speakFrames(socket)
}

/** The status of a stream's answer; header blocks are decoded in the order in which they came. */
function statusOf(client: RawClient, streamId: number): string | undefined {
  const decoder = new HpackDecoder(4096, { headerBytes: 65_536, headerCount: 100 })
  for (const { type, streamId: id, payload } of client.frames) {
    if (type !== headers) continue
    const { fields } = decoder.decode(payload)
    const status = fields[fields.indexOf(':status') + 1]
    if (id === streamId) return status
  }
  return undefined
}

const failed = (client: RawClient): number | undefined =>
  client.frames
    .find(({ type, payload }) => type === goaway && payload.readUInt32BE(4) !== 0)
    ?.payload.readUInt32BE(4)

/** Sends a good request after the bad one: its answer shows that the connection lives, GOAWAY that it does not. */
async function outcomeOf(client: RawClient, frames: readonly Buffer[]): Promise<string> {
  client.send(...frames)
  client.send(ask(101, '/marker'))
  const ended = ({ type, flags, streamId }: { type: number; flags: number; streamId: number }): boolean =>
    streamId === 101 && (flags & flag.endStream) !== 0 && (type === headers || type === data)
  await client
    .next((got) => ended(got) || (got.type === goaway && got.payload.readUInt32BE(4) !== 0))
    .catch(() => undefined)
  const code = failed(client)
  if (code !== undefined) return `goaway ${code}`
  if (!client.frames.some(ended)) return 'closed'
  const reset = client.frames.find(({ type, streamId }) => type === rstStream && streamId === 1)
  const status = statusOf(client, 1)
  if (status !== undefined) return `status ${status}`
  return reset === undefined ? 'alive' : `reset ${reset.payload.readUInt32BE(0)}`
}

describe.each([...new Set(http2Cases.map(({ section }) => section))])('%s', (section) => {
  it.each(http2Cases.filter((http2Case) => http2Case.section === section))(
    '$title: $outcome',
    async ({ outcome, frames, forwards = 0 }) => {
      const before = upstream.seen.length
      const client = await open()
      expect(await outcomeOf(client, frames)).toBe(outcome)
      client.socket.destroy()
      const reached = upstream.seen.slice(before).filter(({ url }) => url !== '/marker')
      expect(reached.length).toBeLessThanOrEqual(outcome === 'status 200' ? 1 : forwards)
      // What is malformed and not refused must have been dropped.
      for (const { headers: fields } of reached) {
        const names = Object.keys(fields).filter((name) => !known.has(name))
        expect(names).toEqual([])
      }
    },
  )
})

describe('floods', () => {
  const flood = async (frames: readonly Buffer[]): Promise<void> => {
    const before = upstream.seen.length
    const client = await open()
    client.send(...frames)
    await client.next(({ type, payload }) => type === goaway && payload.readUInt32BE(4) !== 0)
    client.socket.destroy()
    expect(upstream.seen.length - before).toBeLessThan(200)
    // The next client is served.
    const next = await open()
    expect(await outcomeOf(next, [])).toBe('alive')
    next.socket.destroy()
  }

  it('of CONTINUATION end the connection', async () => {
    await flood([
      frame(headers, 0, 1, get('/case')),
      ...Array.from({ length: 2000 }, (_, i) =>
        frame(continuation, 0, 1, encodeHeaders([[`x-${i}`, 'y'.repeat(100)]], false)),
      ),
    ])
  })

  it('of empty CONTINUATION end the connection', async () => {
    await flood([
      frame(headers, 0, 1, get('/case')),
      ...Array.from({ length: 20_000 }, () => frame(continuation, 0, 1)),
    ])
  })

  it('of resets end the connection', async () => {
    await flood(
      Array.from({ length: 1000 }, (_, i) =>
        Buffer.concat([ask(2 * i + 1), frame(rstStream, 0, 2 * i + 1, u32(8))]),
      ),
    )
  })

  it('of PING whose answers nobody reads do not fill the memory', async () => {
    const client = await open()
    client.socket.pause()
    const before = process.memoryUsage().rss
    const pings = Buffer.concat(Array.from({ length: 10_000 }, () => frame(ping, 0, 0, Buffer.alloc(8))))
    const closed = new Promise((resolve) => client.socket.on('close', resolve))
    for (let i = 0; i < 100 && !client.socket.destroyed; i++) {
      client.socket.write(pings)
      await new Promise((resolve) => setTimeout(resolve, 5))
    }
    expect(process.memoryUsage().rss - before).toBeLessThan(100 * 2 ** 20)
    client.socket.destroy()
    await closed
    const next = await open()
    expect(await outcomeOf(next, [])).toBe('alive')
    next.socket.destroy()
  })
})

describe('limits and windows', () => {
  it('refuses one stream more than allowed, and serves the others', async () => {
    const client = await open()
    const post = encodeHeaders(
      [
        [':method', 'POST'],
        [':scheme', 'http'],
        [':path', '/limit'],
        [':authority', 'bench.test'],
      ],
      false,
    )
    const ids = Array.from({ length: 21 }, (_, i) => 2 * i + 1)
    client.send(...ids.map((id) => frame(headers, flag.endHeaders, id, post)))
    const refused = await client.next(({ type }) => type === rstStream)
    expect([refused.streamId, refused.payload.readUInt32BE(0)]).toEqual([41, errorCode.refusedStream])
    client.send(...ids.slice(0, 20).map((id) => frame(data, flag.endStream, id, 'x')))
    for (const id of ids.slice(0, 20)) {
      await client.next(({ type, streamId }) => type === headers && streamId === id)
    }
    client.socket.destroy()
  })

  it('keeps to the window of the client, and sends the rest when it opens', async () => {
    const client = await open()
    client.send(frame(settings, 0, 0, settingEntry(4, 5)))
    await client.next(({ type, flags }) => type === settings && flags === flag.ack)
    const post = encodeHeaders(
      [
        [':method', 'POST'],
        [':scheme', 'http'],
        [':path', '/window'],
        [':authority', 'bench.test'],
      ],
      false,
    )
    client.send(frame(headers, flag.endHeaders, 1, post), frame(data, flag.endStream, 1, 'hello world'))
    const first = await client.next(({ type }) => type === data)
    expect(String(first.payload)).toBe('hello')
    // Less than nothing (RFC 9113 §6.9.2): nothing may come until the window is above zero again.
    client.send(
      frame(settings, 0, 0, settingEntry(4, 0)),
      frame(windowUpdate, 0, 1, u32(5)),
      frame(ping, 0, 0, 'nothing.'),
    )
    await client.next(({ type, flags }) => type === ping && flags === flag.ack)
    expect(client.frames.filter(({ type }) => type === data).length).toBe(1)
    client.send(frame(windowUpdate, 0, 1, u32(100)))
    await client.next(({ type, flags }) => type === data && (flags & flag.endStream) !== 0)
    const bodies = client.frames.filter(({ type }) => type === data).map(({ payload }) => String(payload))
    expect(bodies.join('')).toBe('hello world')
    client.socket.destroy()
  })

  it('answers one byte at a time', async () => {
    const client = await open()
    for (const byte of ask(1)) client.socket.write(Buffer.of(byte))
    await client.next(({ type, streamId }) => type === headers && streamId === 1)
    expect(statusOf(client, 1)).toBe('200')
    client.socket.destroy()
  })
})
