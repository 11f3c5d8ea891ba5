/** Dials to upstreams: given up when nobody waits for them any more, and kept while somebody does. */
import { type Socket, connect } from 'node:net'
import { createServer as createTlsServer } from 'node:tls'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type HboneFixture, createHboneFixture, destination } from '../../kit/hbone/testkit.js'
import type { HboneStreamRequest } from '../../kit/hbone/server.js'
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

/** Longer than a test may take: a dial that ends was given up. */
const connectTimeoutMs = 60_000

type Transport = 'mtls' | 'hbone'
type Protocol = 'http1' | 'h2'

function startProxy(transport: Transport, protocol: Protocol, address: ListenerAddress): Promise<TestProxy> {
  return startTestProxy(
    {
      identity: fixture.client,
      clusters: [
        {
          ...cluster('server', address),
          transport,
          protocol,
          expect: [spiffe('server')],
          authority: destination(address).authority,
        },
      ],
      limits: { connectTimeoutMs },
    },
    fixture.workspace.dir,
  )
}

/** Nothing is read but the peer's end. */
const endWith = (socket: Socket): void => {
  socket.resume().on('end', () => socket.end())
}

/** An upstream that takes connections and says nothing on them. */
async function listenSilently() {
  const dials: Socket[] = []
  const server = await listenTcp((socket) => {
    dials.push(socket)
    endWith(socket)
  })
  open.push(server)
  return {
    address: { host: server.host, port: server.port },
    dials,
    isOpen: () => dials.some(({ destroyed }) => !destroyed),
  }
}

/** Clients that have asked for something and get no answer. */
function askInVain({ address: { host, port } }: TestProxy, count: number): Socket[] {
  return Array.from({ length: count }, () => {
    const client = connect({ host, port })
    client.on('error', () => {})
    client.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
    return client
  })
}

const leave = (clients: readonly Socket[]): void => {
  for (const client of clients) client.resetAndDestroy()
}

describe.each<[Protocol, Transport]>([
  ['http1', 'mtls'],
  ['h2', 'mtls'],
  ['http1', 'hbone'],
  ['h2', 'hbone'],
])('%s over %s', (protocol, transport) => {
  it('gives a handshake up when all who wait for it have left', async () => {
    const { address, dials, isOpen } = await listenSilently()
    const proxy = await startProxy(transport, protocol, address)
    for (let round = 1; round <= 3; round += 1) {
      const before = dials.length
      const clients = askInVain(proxy, 10)
      await expect.poll(() => dials.length).toBeGreaterThan(before)
      await expect.poll(() => proxy.metric('meshbench_downstream_connections_total')).toBe(10 * round)
      leave(clients)
      await expect.poll(isOpen, { timeout: 5000 }).toBe(false)
    }
    // Nothing failed: who left had not waited to the end.
    expect(proxy.metric('meshbench_tls_handshake_failures_total')).toBe(0)
  })
})

describe('over HBONE', () => {
  it.each(['http1', 'h2'] as const)('gives the CONNECT of %s up with its client', async (protocol) => {
    const asked: HboneStreamRequest[] = []
    const { address } = await fixture.startServer((request) => asked.push(request))
    const clients = askInVain(await startProxy('hbone', protocol, address), 1)
    await expect.poll(() => asked.length).toBe(1)
    leave(clients)
    await expect.poll(() => asked[0]?.gone, { timeout: 5000 }).toBe(true)
  })
})

describe.each<[Protocol, Transport]>([
  ['h2', 'mtls'],
  ['http1', 'hbone'],
  ['h2', 'hbone'],
])('%s over %s', (protocol, transport) => {
  it('goes on with a handshake that somebody still waits for', async () => {
    const { address, dials } = await listenSilently()
    const proxy = await startProxy(transport, protocol, address)
    const clients = askInVain(proxy, 3)
    await expect.poll(() => proxy.metric('meshbench_downstream_connections_total')).toBe(3)
    await expect.poll(() => dials.length).toBe(1)
    leave(clients.slice(1))
    await expect.poll(() => clients.slice(1).every(({ destroyed }) => destroyed)).toBe(true)
    // The proxy reads the resets before this, which is sent after them.
    expect(await sendRaw(proxy.address, ['no request\r\n\r\n'])).toMatch(/^HTTP\/1\.1 400/)
    expect(dials.map(({ destroyed }) => destroyed)).toEqual([false])
    leave(clients)
  })
})

describe('h2 over mtls', () => {
  it('serves who comes after a dial was given up', async () => {
    const sockets: Socket[] = []
    const tls = createTlsServer(
      { ...fixture.pem(fixture.server), requestCert: true, ALPNProtocols: ['h2'] },
      (socket) => {
        socket.on('error', () => {})
        // An HTTP/2 server that answers 204 to its first stream: SETTINGS, then HEADERS with `:status: 204`.
        socket.write(Buffer.from('000000040000000000', 'hex'))
        socket.once('data', () => socket.write(Buffer.from('00000101050000000189', 'hex')))
      },
    )
    const server = await listenTcp((socket) => {
      sockets.push(socket)
      if (sockets.length > 1) tls.emit('connection', socket)
    })
    open.push(server)
    const proxy = await startProxy('mtls', 'h2', server)
    const [client] = askInVain(proxy, 1) as [Socket]
    await expect.poll(() => sockets.length).toBe(1)
    endWith(sockets[0] as Socket)
    leave([client])
    await expect.poll(() => sockets[0]?.destroyed, { timeout: 5000 }).toBe(true)
    const answer = await sendRaw(proxy.address, ['GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n'])
    expect(answer).toMatch(/^HTTP\/1\.1 204 /)
  })
})

describe('who waits for a connection that ends with the answer before', () => {
  it('gets another one, and no error', async () => {
    // The answer and the end of the stream come in one read.
    const { address } = await fixture.startServer((request) => {
      const stream = request.accept()
      stream.on('data', () => {
        stream.write(Buffer.from('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'))
        stream.end()
      })
    })
    const target = await startTestProxy(
      {
        identity: fixture.client,
        clusters: [
          {
            ...cluster('server', address),
            ...{ transport: 'hbone', expect: [spiffe('server')], authority: destination(address).authority },
          },
        ],
        filters: { circuitBreaker: { maxConnections: 1, maxPending: 10 } },
      },
      fixture.workspace.dir,
    )
    const post = 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nConnection: close\r\n\r\n'
    const answers = await Promise.all(Array.from({ length: 5 }, () => sendRaw(target.address, [post])))
    expect(answers.map((text) => text.slice(0, 15))).toEqual(answers.map(() => 'HTTP/1.1 200 OK'))
  })
})
