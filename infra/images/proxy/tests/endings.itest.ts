/** How connections end: a reset stays one across every kind of leg, whoever has gone is noticed, and nothing that was cut looks whole. */
import { once } from 'node:events'
import { connect as connectHttp2 } from 'node:http2'
import { type AddressInfo, connect } from 'node:net'
import { connect as connectTls, createServer as createTlsServer } from 'node:tls'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type HboneFixture, createHboneFixture, destination } from '../../kit/hbone/testkit.js'
import type { ByteStream } from '../../kit/net/byte-stream.js'
import { endedByReset, reset } from '../../kit/net/reset.js'
import type { ListenerAddress } from '../../kit/net/address.js'
import { listenTcp, spiffe } from '../../kit/testing.js'
import { type TestProxy, closedAfterEach, cluster, sendRaw } from './testing.js'

let fixture: HboneFixture
const { open, proxy: startTestProxy } = closedAfterEach()
beforeAll(async () => {
  fixture = await createHboneFixture()
})
afterAll(() => {
  fixture.close()
})

const transports = ['plain', 'mtls', 'hbone'] as const
type Transport = (typeof transports)[number]

/** A server on the given kind of leg, as a cluster of the proxy. */
async function serve(transport: Transport, onStream: (stream: ByteStream) => void) {
  const take = (stream: ByteStream): void => {
    stream.on('error', () => {})
    onStream(stream)
  }
  const clusterAt = (address: ListenerAddress) => ({
    ...cluster('server', address),
    transport,
    ...(transport === 'plain'
      ? {}
      : { expect: [spiffe('server')], authority: destination(address).authority }),
  })
  if (transport === 'plain') {
    const server = await listenTcp(take)
    open.push(server)
    return clusterAt(server)
  }
  if (transport === 'hbone') {
    const { address } = await fixture.startServer((request) => {
      take(request.accept())
    })
    return clusterAt(address)
  }
  const server = createTlsServer(
    { ...fixture.pem(fixture.server), requestCert: true, allowHalfOpen: true },
    take,
  )
  server.listen(0, '127.0.0.1')
  open.push(server)
  await once(server, 'listening')
  return clusterAt({ host: '127.0.0.1', port: (server.address() as AddressInfo).port })
}

function startProxy(
  downstream: Transport,
  upstream: Record<string, unknown>,
  limits: Record<string, number> = {},
): Promise<TestProxy> {
  return startTestProxy(
    {
      identity: fixture.client,
      listeners: [{ name: 'downstream', host: '127.0.0.1', port: 0, transport: downstream }],
      clusters: [upstream],
      limits,
    },
    fixture.workspace.dir,
  )
}

async function dial(transport: Transport, { address }: TestProxy): Promise<ByteStream> {
  if (transport === 'hbone') {
    // The proxy of these tests is the client's workload at both its ends.
    return fixture
      .createPool()
      .pool.connect({ source: spiffe('client'), destination: destination(address, [spiffe('client')]) })
  }
  const { host, port } = address
  const socket =
    transport === 'plain'
      ? connect({ host, port, allowHalfOpen: true })
      : connectTls({ host, port, ...fixture.pem(fixture.client), checkServerIdentity: () => undefined })
  open.push({ close: () => socket.destroy() })
  socket.on('error', () => {})
  await once(socket, transport === 'plain' ? 'connect' : 'secureConnect')
  return socket
}

/** How a stream ends, and what came before. */
async function ending(stream: ByteStream): Promise<[how: 'reset' | 'end', text: string]> {
  let text = ''
  return new Promise((resolve) => {
    stream.on('data', (bytes) => {
      text += bytes.toString('latin1')
    })
    stream.on('end', () => {
      resolve([endedByReset(stream) ? 'reset' : 'end', text])
    })
    stream.on('error', () => {
      resolve(['reset', text])
    })
    stream.on('close', () => {
      resolve(['reset', text])
    })
  })
}

const get = Buffer.from('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
const legs: [Transport, Transport][] = transports.flatMap((down) =>
  transports.map((up): [Transport, Transport] => [down, up]),
)

describe.each(legs)('from %s to %s', (down, up) => {
  it.each(['reset', 'end'] as const)(
    'an answer that ends with its connection ends with a %s',
    async (how) => {
      const upstream = await serve(up, (stream) => {
        stream.on('data', () => {
          stream.write(Buffer.from('HTTP/1.1 200 OK\r\n\r\nsome bytes'))
          if (how === 'reset') reset(stream)
          else stream.end()
        })
      })
      const target = await startProxy(down, upstream)
      for (let i = 0; i < 10; i += 1) {
        const client = await dial(down, target)
        const ended = ending(client)
        client.write(Buffer.from('GET / HTTP/1.0\r\n\r\n'))
        const [got, text] = await ended
        // A reset may overtake the answer: then there is none, which nobody takes for whole.
        if (how === 'reset' && text.startsWith('HTTP/1.1 502')) continue
        expect([i, got]).toEqual([i, how])
        if (how === 'end') expect(text).toContain('some bytes')
        client.destroy()
      }
    },
  )

  it('a client’s reset in the middle of a body is one for its upstream', async () => {
    const ends: Promise<unknown>[] = []
    let isThere = (): void => {}
    const upstream = await serve(up, (stream) => {
      ends.push(ending(stream).then(([how]) => how))
      stream.on('data', () => {
        isThere()
      })
    })
    const target = await startProxy(down, upstream)
    for (let i = 0; i < 10; i += 1) {
      const arrived = new Promise<void>((resolve) => (isThere = resolve))
      const client = await dial(down, target)
      client.on('error', () => {})
      client.write(Buffer.from('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nhalf'))
      await arrived
      reset(client)
    }
    await expect.poll(() => ends).toHaveLength(10)
    expect(await Promise.all(ends)).toEqual(Array.from({ length: 10 }, () => 'reset'))
  })
})

describe('a client that leaves while its upstream is silent', () => {
  const pipelined = Buffer.concat(Array.from({ length: 4000 }, () => get))
  const ways: [name: string, leave: (client: ByteStream) => void][] = [
    ['with an end', (client) => client.end()],
    ['with a reset behind its request', reset],
    [
      'with a reset behind pipelined requests',
      (client) => {
        client.write(pipelined)
        setTimeout(() => {
          reset(client)
        }, 50)
      },
    ],
  ]
  it.each(ways)('%s, is noticed', async (_name, leave) => {
    for (const transport of ['plain', 'mtls'] as const) {
      let ended: ReturnType<typeof ending> | undefined
      const upstream = await serve('plain', (stream) => {
        ended = ending(stream)
      })
      const target = await startProxy(transport, upstream, { halfCloseMs: 200 })
      const client = await dial(transport, target)
      client.write(get)
      await expect.poll(() => ended !== undefined).toBe(true)
      leave(client)
      expect((await ended)?.[0]).toBe('reset')
    }
  })

  it('is waited for, when it has but ended its half', async () => {
    const upstream = await serve('plain', (stream) => {
      stream.on('data', () =>
        setTimeout(() => stream.write(Buffer.from('HTTP/1.1 204 No Content\r\n\r\n')), 300),
      )
    })
    const target = await startProxy('plain', upstream)
    expect(await sendRaw(target.address, [get], { halfClose: true })).toMatch(/^HTTP\/1\.1 204 /)
  })
})

describe('HTTP/1.0', () => {
  const asked = (keep: boolean) => `GET / HTTP/1.0\r\n${keep ? 'Connection: keep-alive\r\n' : ''}\r\n`
  const answering = (reply: string, end = false) =>
    serve('plain', (stream) => {
      stream.on('data', () => {
        stream.write(Buffer.from(reply))
        if (end) stream.end()
      })
    })

  it('keeps a connection and says so, until it is not asked to', async () => {
    const target = await startProxy(
      'plain',
      await answering('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'),
    )
    const text = await sendRaw(target.address, [asked(true), asked(true), asked(false)])
    expect(text.match(/HTTP\/1\.1 200/g)).toHaveLength(3)
    expect(text.match(/connection: [a-z-]+/gi)).toEqual([
      'connection: keep-alive',
      'connection: keep-alive',
      'connection: close',
    ])
  })

  it('closes behind an answer that has no other end', async () => {
    const chunked = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n'
    const target = await startProxy('plain', await answering(chunked))
    const client = await dial('plain', target)
    const ended = ending(client)
    client.write(Buffer.from(asked(true)))
    const [how, text] = await ended
    expect(how).toBe('end')
    expect(text).toMatch(/connection: close\r\n\r\nok$/)
  })

  it('gets a reset instead of the end of a chunked answer that was cut', async () => {
    const half = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n'
    const target = await startProxy('plain', await answering(half, true))
    for (let i = 0; i < 10; i += 1) {
      const client = await dial('plain', target)
      const ended = ending(client)
      client.write(Buffer.from(asked(false)))
      expect((await ended)[0]).toBe('reset')
    }
  })
})

describe('a request without content', () => {
  it('that came over HTTP/2 says so where it would be asked for its length', async () => {
    const heads: string[] = []
    const upstream = await serve('plain', (stream) => {
      stream.on('data', (bytes) => {
        heads.push(bytes.toString('latin1').toLowerCase())
        stream.write(Buffer.from('HTTP/1.1 204 No Content\r\n\r\n'))
      })
    })
    const { address } = await startProxy('plain', upstream)
    const session = connectHttp2(`http://${address.host}:${address.port}`)
    for (const method of ['POST', 'PUT', 'GET']) {
      const request = session.request({ ':method': method, ':path': '/' }, { endStream: true })
      await once(request, 'response')
      request.resume()
    }
    session.destroy()
    expect(heads.map((head) => head.includes('\r\ncontent-length: 0\r\n'))).toEqual([true, true, false])
  })
})

describe('a connection whose protocol is not told yet', () => {
  it('is bounded by the time for a head once it has sent something', async () => {
    const upstream = await serve('plain', () => {})
    const target = await startProxy('plain', upstream, { headTimeoutMs: 200 })
    const silent = await dial('plain', target)
    const client = await dial('plain', target)
    const ended = ending(client)
    client.write(Buffer.from('P'))
    await ended
    expect(silent.destroyed).toBe(false)
  })
})
