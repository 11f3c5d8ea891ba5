/** What HTTP/2 allows and an HBONE server, or client, has to bear, and how its streams and connections end in order. */
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { type TLSSocket, createServer } from 'node:tls'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { errorCode, flag, frameType, setting } from '../h2/frames.js'
import { HpackDecoder, encodeHeaders } from '../h2/hpack.js'
import { frame, settingEntry, u32 } from '../h2/testkit.js'
import {
  type ProtocolFixture,
  connectBlock,
  connectRaw,
  createProtocolFixture,
  destination,
  echo,
  open,
  readAll,
} from './testkit.js'
import { spiffe } from '../testing.js'

let target: ProtocolFixture
beforeAll(async () => {
  target = await createProtocolFixture()
})
afterAll(() => {
  target.close()
})

const { data, headers, priority, rstStream, settings, ping, goaway, windowUpdate, continuation } = frameType

describe('a server', () => {
  /** Speaks by hand: `answer` to the first bytes of a connection. */
  const serve = (...answer: Buffer[]) => serveGreeting(undefined, ...answer)
  /** Says `greeting` before anything else. */
  const serveGreeting = async (greeting: Buffer | undefined, ...answer: Buffer[]) => {
    const { hbone } = target
    const sockets = new Set<TLSSocket>()
    let connections = 0
    const server = createServer({ ...hbone.pem(hbone.server), ALPNProtocols: ['h2'] }, (socket) => {
      connections += 1
      sockets.add(socket)
      socket.on('close', () => sockets.delete(socket)).on('error', () => {})
      if (greeting !== undefined) socket.write(greeting)
      socket.once('data', () => socket.write(Buffer.concat(answer)))
    })
    await once(server.listen(0, '127.0.0.1'), 'listening')
    const { port } = server.address() as AddressInfo
    const { pool } = hbone.createPool()
    return {
      sockets,
      connections: () => connections,
      close: () => server.close(),
      connect: () =>
        pool.connect({ source: spiffe('client'), destination: destination({ host: '127.0.0.1', port }) }),
    }
  }

  it('may end a stream in the frame of its answer, and the end is heard', async () => {
    const answer = encodeHeaders([[':status', '200']], true)
    const server = await serve(
      frame(settings, 0, 0),
      frame(headers, flag.endHeaders | flag.endStream, 1, answer),
    )
    const stream = await server.connect()
    expect(await readAll(stream)).toHaveLength(0)
    stream.destroy()
    server.close()
  })

  it('that takes no streams at all is left, and no connection to it kept', async () => {
    const server = await serve(
      frame(settings, 0, 0, settingEntry(setting.maxConcurrentStreams, 0)),
      frame(rstStream, 0, 1, u32(errorCode.refusedStream)),
    )
    for (let i = 0; i < 3; i += 1) await expect(server.connect()).rejects.toThrow('reset')
    await expect.poll(() => server.sockets.size, { timeout: 3000 }).toBe(0)
    server.close()
  })

  it('that takes none from the first word on is not dialled for ever', async () => {
    const server = await serveGreeting(
      frame(settings, 0, 0, settingEntry(setting.maxConcurrentStreams, 0)),
      // Should the stream be opened before that is read.
      frame(rstStream, 0, 1, u32(errorCode.refusedStream)),
    )
    await expect(server.connect()).rejects.toMatchObject({ name: 'HboneError' })
    expect(server.connections()).toBeLessThan(10)
    await expect.poll(() => server.sockets.size, { timeout: 3000 }).toBe(0)
    server.close()
  })
})

describe('what is legal', () => {
  it('is tolerated: a list that is larger than the limit is answered, an ACK that nobody asked for ignored', async () => {
    const client = await target.connect()
    const many = Array.from({ length: 101 }, (_, i) => [`x-${i}`, 'y'] as const)
    client.send(
      frame(ping, flag.ack, 0, Buffer.alloc(8)),
      frame(headers, flag.endHeaders | flag.endStream, 1, connectBlock(...many)),
      open(3),
      frame(data, flag.endStream, 3, 'next'),
    )
    const answer = await client.next(({ type, streamId }) => type === headers && streamId === 1)
    const [, status] = new HpackDecoder(4096, { headerBytes: 1000, headerCount: 10 }).decode(
      answer.payload,
    ).fields
    expect(status).toBe('431')
    await client.next(({ type, streamId }) => type === data && streamId === 3)
    client.socket.destroy()
  })

  it('is answered: PING, SETTINGS, padding, priority, unknown frames, a header block in parts, one byte at a time', async () => {
    const client = await target.connect()
    const block = connectBlock()
    const bytes = Buffer.concat([
      frame(ping, 0, 0, '12345678'),
      frame(0xbe, 0xff, 0, 'unknown'),
      frame(priority, 0, 3, Buffer.alloc(5)),
      frame(settings, 0, 0, Buffer.concat([settingEntry(1, 0), settingEntry(0xf0, 7)])),
      frame(
        headers,
        flag.priority | flag.padded,
        1,
        Buffer.concat([Buffer.of(2), u32(0), Buffer.of(15), block.subarray(0, 5), Buffer.alloc(2)]),
      ),
      frame(continuation, flag.endHeaders, 1, block.subarray(5)),
      frame(data, flag.padded, 1, Buffer.concat([Buffer.of(3), Buffer.from('padded '), Buffer.alloc(3)])),
      frame(data, flag.padded | flag.endStream, 1, Buffer.concat([Buffer.of(0), Buffer.from('data')])),
    ])
    for (const byte of bytes) client.socket.write(Buffer.of(byte))
    await client.next(
      ({ type, flags, streamId }) => type === data && streamId === 1 && flags === flag.endStream,
    )
    const text = client.frames.filter(({ type }) => type === data).map(({ payload }) => String(payload))
    expect(text.join('')).toBe('padded data')
    expect(
      client.frames.some(
        ({ type, flags, payload }) => type === ping && flags === flag.ack && String(payload) === '12345678',
      ),
    ).toBe(true)
    expect(client.frames.filter(({ type, flags }) => type === settings && flags === flag.ack).length).toBe(2)
    client.socket.destroy()
  })

  it('keeps to the peer window, and sends the rest when it opens', async () => {
    const client = await target.connect()
    client.send(
      frame(settings, 0, 0, settingEntry(4, 5)),
      open(),
      frame(data, flag.endStream, 1, 'hello world'),
    )
    const first = await client.next(({ type }) => type === data)
    expect(String(first.payload)).toBe('hello')
    await new Promise((resolve) => setTimeout(resolve, 50))
    expect(client.frames.filter(({ type }) => type === data).length).toBe(1)
    client.send(frame(settings, 0, 0, settingEntry(4, 8)))
    client.send(frame(windowUpdate, 0, 1, u32(100)))
    await client.next(({ type, flags }) => type === data && flags === flag.endStream)
    expect(
      client.frames
        .filter(({ type }) => type === data)
        .map(({ payload }) => String(payload))
        .join(''),
    ).toBe('hello world')
    client.socket.destroy()
  })

  it('a reset of the peer is an error and never an end', async () => {
    const client = await target.connect()
    const seen = new Promise<string>((resolve) => {
      target.onStream = (request) => {
        const stream = request.accept()
        stream.on('end', () => {
          resolve('end')
        })
        stream.on('error', (error) => {
          resolve(error.message)
        })
        stream.resume()
      }
    })
    client.send(open(), frame(data, 0, 1, 'half a mess'), frame(rstStream, 0, 1, u32(8)))
    expect(await seen).toContain('reset')
    client.socket.destroy()
  })

  it('frames that cross our reset are ignored', async () => {
    const client = await target.connect()
    target.onStream = (request) => {
      request.refuse(503)
      target.onStream = (next) => {
        echo(next.accept())
      }
    }
    client.send(
      open(),
      frame(data, 0, 1, 'early'),
      frame(windowUpdate, 0, 1, u32(5)),
      open(3),
      frame(data, flag.endStream, 3, 'next'),
    )
    const echoed = await client.next(({ type, streamId }) => type === data && streamId === 3)
    expect(String(echoed.payload)).toBe('next')
    expect(client.frames.some(({ type }) => type === goaway)).toBe(false)
    client.socket.destroy()
  })

  it('tells of a peer that goes before its answer, and of none that was accepted', async () => {
    const gone: string[] = []
    const client = await target.connect()
    target.onStream = (request) => {
      const isServed = request.fields.includes('x-served')
      request.onGone(() => {
        gone.push(isServed ? 'accepted' : 'waiting')
      })
      if (isServed) echo(request.accept())
    }
    client.send(
      frame(headers, flag.endHeaders, 1, connectBlock(['x-served', '1'])),
      frame(data, flag.endStream, 1, 'whole'),
    )
    await client.next(({ type, flags }) => type === data && flags === flag.endStream)
    client.send(open(3), frame(rstStream, 0, 3, u32(8)))
    await expect.poll(() => gone).toEqual(['waiting'])
    client.socket.destroy()
  })

  it('drains: GOAWAY first, the open stream to its end, then the close', async () => {
    const own = await target.hbone.startServer((request) => {
      echo(request.accept())
    })
    const client = await connectRaw(target.hbone, own.address)
    client.send(open())
    await client.next(({ type }) => type === headers)
    const drained = own.server.drain()
    const first = await client.next(({ type }) => type === goaway)
    expect(first.payload.readUInt32BE(0)).toBe(0x7fff_ffff)
    const probe = await client.next(({ type, flags }) => type === ping && flags === 0)
    client.send(frame(ping, flag.ack, 0, probe.payload))
    expect(
      (await client.next(({ type, payload }) => type === goaway && payload.readUInt32BE(0) === 1)).streamId,
    ).toBe(0)
    client.send(frame(data, flag.endStream, 1, 'to the end'))
    const echoed = await client.next(({ type }) => type === data)
    expect(String(echoed.payload)).toBe('to the end')
    await drained
  })
})
