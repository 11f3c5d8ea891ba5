/** HTTP/1.1 over mutual TLS and HBONE, where closing, waiting and dialling are not what they are on a plain socket. */
import { once } from 'node:events'
import { type Socket, connect } from 'node:net'
import { type TLSSocket, connect as connectTls } from 'node:tls'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { clientPreface, flag, frameType, setting } from '../../kit/h2/frames.js'
import { encodeHeaders } from '../../kit/h2/hpack.js'
import { frame, settingEntry, u32 } from '../../kit/h2/testkit.js'
import type { ByteStream } from '../../kit/net/byte-stream.js'
import {
  type HboneFixture,
  connectRaw,
  createHboneFixture,
  destination,
  readAll,
} from '../../kit/hbone/testkit.js'
import { listenTcp, spiffe } from '../../kit/testing.js'
import { type TestProxy, closedAfterEach, cluster } from './testing.js'

let fixture: HboneFixture
const { open, proxy: proxyOf } = closedAfterEach()
beforeAll(async () => {
  fixture = await createHboneFixture()
})
afterAll(() => {
  fixture.close()
})

const proxy = (config: Record<string, unknown>) => proxyOf(config, fixture.workspace.dir)
/** Answers each read with the same bytes. */
const answering = async (body: Buffer, served: () => void = () => {}) => {
  const head = `HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n`
  const answer = Buffer.concat([Buffer.from(head), body])
  const server = await listenTcp((socket) =>
    socket.on('data', () => {
      served()
      socket.write(answer)
    }),
  )
  open.push(server)
  return server
}
const listener = (transport: string) => ({ name: 'downstream', host: '127.0.0.1', port: 0, transport })

describe('a request that is given up while its upstream is dialled', () => {
  const abortOne = async ({ address }: TestProxy): Promise<void> => {
    const client = connect(address.port, address.host)
    client.on('error', () => {})
    await once(client, 'connect')
    client.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
    setTimeout(() => client.resetAndDestroy(), 50)
    await once(client, 'close')
  }

  it('leaves no mutual TLS connection behind', async () => {
    // It never shakes hands.
    let accepted = 0
    const server = await listenTcp((socket) => {
      accepted += 1
      socket.on('end', () => socket.destroy()).resume()
    })
    open.push(server)
    const target = await proxy({
      identity: fixture.client,
      clusters: [{ ...cluster('server', server), transport: 'mtls', expect: [spiffe('server')] }],
      limits: { connectTimeoutMs: 60_000 },
    })
    await Promise.all(Array.from({ length: 20 }, () => abortOne(target)))
    await expect.poll(() => accepted).toBe(20)
    const connections = () =>
      new Promise<number>((resolve) => server.server.getConnections((_error, count) => resolve(count)))
    await expect.poll(connections).toBe(0)
  })
})

describe('a reload', () => {
  const ask = async (stream: ByteStream): Promise<string> => {
    const all = readAll(stream)
    stream.write(Buffer.from('GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n'))
    return String(await all)
  }

  it('changes the limits of an HBONE listener, and how connections to upstreams are shared', async () => {
    const { address } = await fixture.startServer((request) => {
      const stream = request.accept()
      stream.on('data', () =>
        stream.write(Buffer.from('HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n')),
      )
      stream.on('end', () => {
        stream.end()
      })
    })
    const config = {
      identity: fixture.server,
      listeners: [listener('hbone')],
      clusters: [
        { ...cluster('server', address), transport: 'hbone', authority: destination(address).authority },
      ],
    }
    const target = await proxy(config)
    const { pool } = fixture.createPool()
    const connectTo = () =>
      pool.connect({ source: spiffe('client'), destination: destination(target.address) })
    const opened = () => target.metric('meshbench_upstream_connections_total')
    for (let i = 0; i < 3; i += 1) expect(await ask(await connectTo())).toMatch(/ 204 /)
    expect(opened()).toBe(1)
    await target.reload({
      ...config,
      pool: { multiplex: false },
      limits: { hbone: { streamsPerConnection: 1 } },
    })
    for (let i = 0; i < 3; i += 1) expect(await ask(await connectTo())).toMatch(/ 204 /)
    expect(opened()).toBe(4)
    const client = await connectRaw(fixture, target.address)
    open.push({ close: () => client.socket.destroy() })
    const { payload } = await client.next(({ type }) => type === frameType.settings)
    expect(payload.includes(settingEntry(setting.maxConcurrentStreams, 1))).toBe(true)
  })
})

describe('an HBONE client that reads slowly', () => {
  const connectTo = async (body: Buffer, limits = {}, served?: () => void): Promise<ByteStream> => {
    const target = await proxy({
      identity: fixture.server,
      listeners: [listener('hbone')],
      clusters: [cluster('server', await answering(body, served))],
      limits,
    })
    const { pool } = fixture.createPool()
    const stream = await pool.connect({
      source: spiffe('client'),
      destination: destination(target.address),
    })
    stream.pause()
    return stream
  }

  it('of many answers is not sent more requests’ answers than fit', async () => {
    let served = 0
    const stream = await connectTo(Buffer.alloc(30_000), {}, () => (served += 1))
    const all = readAll(stream)
    stream.pause()
    stream.write(Buffer.from('GET / HTTP/1.1\r\nHost: a\r\n\r\n'.repeat(1000)))
    stream.end()
    await new Promise((resolve) => setTimeout(resolve, 1000))
    expect(served).toBeLessThan(200)
    stream.resume()
    const text = (await all).toString('latin1')
    expect(text.match(/200 OK/g)?.length).toBe(1000)
    expect(served).toBe(1000)
  })

  it('gets the whole of an answer that ends its stream', async () => {
    const stream = await connectTo(Buffer.alloc(300_000))
    const all = readAll(stream)
    stream.pause()
    stream.write(Buffer.from('GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n'))
    // Longer than a connection lingers whose answer has left.
    await new Promise((resolve) => setTimeout(resolve, 2000))
    stream.resume()
    expect((await all).length).toBeGreaterThan(300_000)
  })

  it('is cut off when it takes nothing at all', async () => {
    const stream = await connectTo(Buffer.alloc(2_000_000), { sendIdleMs: 300 })
    const cut = new Promise((resolve) => {
      stream.on('error', resolve)
    })
    stream.write(Buffer.from('GET / HTTP/1.1\r\nHost: a\r\n\r\n'))
    expect(String(await cut)).toMatch(/reset/)
  })
})

describe('a client of HTTP/2 over mutual TLS', () => {
  it('with windows without bounds, that reads little by little, is not kept more for than fits', async () => {
    const server = await listenTcp((socket) => {
      const block = Buffer.alloc(65_536)
      const more = (): void => {
        while (socket.write(block));
      }
      socket.on('drain', more)
      socket.once('data', () => {
        socket.write('HTTP/1.1 200 OK\r\nContent-Length: 1000000000000\r\n\r\n')
        more()
      })
    })
    open.push(server)
    const { address, metric } = await proxy({
      identity: fixture.client,
      listeners: [listener('mtls')],
      clusters: [cluster('server', server)],
    })
    const socket = connectTls({
      ...{ ...address, ...fixture.pem(fixture.client), ALPNProtocols: ['h2'] },
      checkServerIdentity: () => undefined,
    })
    open.push({ close: () => socket.destroy() })
    await once(socket, 'secureConnect')
    const largest = 0x7fff_ffff
    const block = encodeHeaders(
      [
        [':method', 'GET'],
        [':scheme', 'https'],
        [':path', '/'],
        [':authority', 'a'],
      ],
      false,
    )
    socket.write(
      Buffer.concat([
        ...[clientPreface, frame(frameType.settings, 0, 0, settingEntry(setting.initialWindowSize, largest))],
        frame(frameType.windowUpdate, 0, 0, u32(largest - 65_535)),
        ...Array.from({ length: 100 }, (_, i) =>
          frame(frameType.headers, flag.endHeaders | flag.endStream, 2 * i + 1, block),
        ),
      ]),
    )
    let received = 0
    socket.on('data', (bytes: Buffer) => {
      received += bytes.length
      socket.pause()
      setTimeout(() => socket.resume(), 2)
    })
    const taken = () => metric('meshbench_received_bytes_total', 'upstream')
    await expect.poll(() => received, { timeout: 60_000 }).toBeGreaterThan(15_000_000)
    // A read of each stream, what may wait for the socket, and what the kernel holds.
    expect(taken() - received).toBeLessThan(30_000_000)
  })
})

describe('a client that goes without a word', () => {
  it('is let go at once', async () => {
    const server = await answering(Buffer.alloc(0))
    const start = (transport: string) =>
      proxy({
        identity: fixture.server,
        listeners: [listener(transport)],
        clusters: [cluster('server', server)],
      })
    // A TLS socket over a plain one does not end its side of its own accord.
    const { port, host } = (await start('mtls')).address
    const raw = connect({ port, host, allowHalfOpen: true })
    const client = connectTls({
      socket: raw,
      ...fixture.pem(fixture.client),
      checkServerIdentity: () => undefined,
    })
    open.push({ close: () => client.destroy() })
    client.resume()
    await once(client, 'secureConnect')
    client.end()
    await once(client, 'end')

    const stream = await fixture.createPool().pool.connect({
      source: spiffe('client'),
      destination: destination((await start('hbone')).address),
    })
    const all = readAll(stream)
    stream.end()
    expect((await all).length).toBe(0)
  })
})

describe('a drain', () => {
  it('does not wait for a client that shakes hands meanwhile, and asks for nothing', async () => {
    let answer = (): void => {}
    const server = await listenTcp((socket) =>
      socket.on('data', () => {
        answer = () => socket.write('HTTP/1.1 204 No Content\r\n\r\n')
      }),
    )
    open.push(server)
    const target = await proxy({
      identity: fixture.server,
      listeners: [listener('mtls')],
      clusters: [cluster('server', server)],
    })
    const raw = [connect(target.address), connect(target.address)] as const
    await Promise.all(raw.map((socket) => once(socket, 'connect')))
    const shakeHands = async (socket: Socket): Promise<TLSSocket> => {
      const pem = fixture.pem(fixture.client)
      const client = connectTls({ socket, ...pem, checkServerIdentity: () => undefined })
      open.push({ close: () => client.destroy() })
      client.on('error', () => {})
      await once(client, 'secureConnect')
      return client.resume()
    }
    const asking = await shakeHands(raw[0])
    asking.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
    await expect.poll(() => String(answer)).toContain('204')
    let isDrained = false
    void target.server.drain().then(() => (isDrained = true))
    await shakeHands(raw[1])
    answer()
    await expect.poll(() => isDrained, { timeout: 5000 }).toBe(true)
  })
})
