/** Content that comes in frames of a byte: it costs little to carry on, and nobody is refused for it. */
import { once } from 'node:events'
import { type Socket, connect } from 'node:net'
import { describe, expect, it } from 'vitest'
import { errorCode, flag, frameType } from '../../kit/h2/frames.js'
import { encodeHeaders } from '../../kit/h2/hpack.js'
import { type RawClient, frame, speakFrames } from '../../kit/h2/testkit.js'
import type { ListenerAddress } from '../../kit/net/address.js'
import { type TestProxy, closedAfterEach, cluster, h2 } from './testing.js'

const { data, headers, rstStream, goaway, settings } = frameType
const { open, proxy, rawServer } = closedAfterEach()

const client = async (target: TestProxy): Promise<RawClient> => {
  const socket = connect(target.address)
  await once(socket, 'connect')
  open.push({ close: () => socket.destroy() })
  return speakFrames(socket)
}
const post = (id: number): Buffer => {
  const fields = { ':method': 'POST', ':scheme': 'http', ':path': `/${id}`, ':authority': 'a.test' }
  return frame(headers, flag.endHeaders, id, encodeHeaders(Object.entries(fields), false))
}
const ids = [1, 3, 5]
/** So many frames of a byte on each stream, by turns, each byte another than the one before it. */
const count = 2000
const byteOf = (id: number, i: number): string => String.fromCharCode(97 + ((id + i) % 26))
const bodyOf = (id: number): string => Array.from({ length: count }, (_, i) => byteOf(id, i)).join('')
const frames = Array.from({ length: count }, (_, i) =>
  ids.map((id) => frame(data, 0, id, byteOf(id, i))),
).flat()

/** What an HTTP/1.1 server got: by path, the sizes of the chunks and their content. */
async function chunkServer() {
  const got = new Map<string, { sizes: number[]; body: string }>()
  const server = await rawServer((socket) => {
    let text = ''
    socket.setEncoding('latin1').on('data', (part: string) => {
      text += part
      if (!text.endsWith('\r\n0\r\n\r\n')) return
      const [head = '', ...rest] = text.split('\r\n\r\n')
      const lines = rest.join('\r\n\r\n').split('\r\n')
      const content = lines.filter((_, i) => i % 2 === 1).filter((line) => line !== '')
      const path = head.split(' ')[1] ?? ''
      got.set(path, { sizes: content.map(({ length }) => length), body: content.join('') })
      socket.write('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n')
    })
  })
  return { server, got }
}

/** An HTTP/2 server by hand that answers each request when it is whole; DATA frames by stream. */
async function frameServer() {
  const got = new Map<number, string[]>()
  const server = await rawServer((socket: Socket) => {
    const ok = encodeHeaders([[':status', '200']], false)
    let rest = Buffer.alloc(0)
    let begun = false
    socket.write(frame(settings, 0, 0))
    socket.on('data', (part: Buffer) => {
      rest = Buffer.concat([rest, part])
      if (!begun && rest.length >= 24) rest = rest.subarray(24)
      begun = true
      while (rest.length >= 9 && rest.length >= 9 + rest.readUIntBE(0, 3)) {
        const length = rest.readUIntBE(0, 3)
        const [type, flags, id] = [rest[3], rest[4] as number, rest.readUInt32BE(5)]
        if (type === data) got.set(id, [...(got.get(id) ?? []), String(rest.subarray(9, 9 + length))])
        rest = rest.subarray(9 + length)
        if (type === data && flags & flag.endStream)
          socket.write(frame(headers, flag.endHeaders | flag.endStream, id, ok))
      }
    })
  })
  return { server, got }
}

const answered = async (from: RawClient): Promise<void> => {
  for (const id of ids) await from.next(({ type, streamId }) => type === headers && streamId === id)
  expect(from.frames.filter(({ type }) => type === rstStream || type === goaway)).toEqual([])
}
/** By turns, all in one write: the proxy reads them in few pieces. */
const send = (from: RawClient): void => {
  from.send(...ids.map(post), ...frames, ...ids.map((id) => frame(data, flag.endStream, id)))
}

describe('frames of a byte that come together', () => {
  it('go on in few chunks of HTTP/1.1', async () => {
    const { server, got } = await chunkServer()
    const from = await client(await proxy({ clusters: [cluster('server', server)] }))
    send(from)
    await answered(from)
    for (const id of ids) {
      const { sizes, body } = got.get(`/${id}`) ?? { sizes: [], body: '' }
      expect(body).toBe(bodyOf(id))
      expect(sizes.length).toBeLessThan(count / 20)
    }
  })

  it('go on in few frames of HTTP/2', async () => {
    const { server, got } = await frameServer()
    const from = await client(await proxy({ clusters: [h2(server)] }))
    from.send(...ids.map(post), ...frames.slice(0, ids.length))
    // What comes before there is a connection would be held, and joined there.
    await expect.poll(() => got.size, { timeout: 5000 }).toBe(ids.length)
    from.send(...frames.slice(ids.length), ...ids.map((id) => frame(data, flag.endStream, id)))
    await answered(from)
    expect([...got.values()].map((parts) => parts.join('')).sort()).toEqual(ids.map(bodyOf).sort())
    for (const parts of got.values()) expect(parts.length).toBeLessThan(count / 20)
  })

  it('of an answer go on in few chunks', async () => {
    const body = bodyOf(1)
    const server = await rawServer((socket) => {
      const ok = encodeHeaders([[':status', '200']], false)
      socket.write(frame(settings, 0, 0))
      let bytes = 0
      socket.on('data', (part: Buffer) => {
        const isFirst = bytes === 0
        bytes += part.length
        if (!isFirst) return
        const parts = [...body].map((letter) => frame(data, 0, 1, letter))
        socket.write(Buffer.concat([frame(headers, flag.endHeaders, 1, ok), ...parts, frame(data, 1, 1)]))
      })
    })
    const target = await proxy({ clusters: [h2(server)] })
    const text = await askRaw(target.address)
    const lines = text.slice(text.indexOf('\r\n\r\n') + 4).split('\r\n')
    const chunks = lines.filter((_, i) => i % 2 === 1).filter((line) => line !== '')
    expect(chunks.join('')).toBe(body)
    expect(chunks.length).toBeLessThan(count / 20)
  })
})

async function askRaw(address: ListenerAddress): Promise<string> {
  const socket = connect(address)
  let text = ''
  socket.setEncoding('latin1').on('data', (part: string) => (text += part))
  socket.write('GET / HTTP/1.1\r\nHost: a.test\r\n\r\n')
  await expect.poll(() => text.endsWith('\r\n0\r\n\r\n'), { timeout: 5000 }).toBe(true)
  socket.destroy()
  return text
}

describe('a stream of small messages', () => {
  it('is carried, however many there are, and each for itself', async () => {
    const { server, got } = await frameServer()
    const from = await client(await proxy({ clusters: [h2(server)] }))
    from.socket.setNoDelay(true)
    from.send(post(1))
    const messages = 12_000
    for (let i = 0; i < messages; i += 1) {
      from.send(frame(data, i === messages - 1 ? flag.endStream : 0, 1, 'm'))
      if (i % 50 === 0) await new Promise((resolve) => setImmediate(resolve))
    }
    await from.next(({ type, streamId }) => type === headers && streamId === 1)
    expect(from.frames.filter(({ type }) => type === rstStream || type === goaway)).toEqual([])
    expect(got.get(1)?.join('')).toBe('m'.repeat(messages))
  })

  it('of nothing but padding is a flood', async () => {
    const { server } = await frameServer()
    const from = await client(await proxy({ clusters: [h2(server)] }))
    const padding = frame(data, flag.padded, 1, Buffer.of(0))
    from.send(post(1), ...Array.from({ length: 12_000 }, () => padding))
    const last = await from.next(({ type }) => type === goaway)
    expect(last.payload.readUInt32BE(4)).toBe(errorCode.enhanceYourCalm)
  })
})
