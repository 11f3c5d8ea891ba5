/** Certificates and transports that must not get through, on either side of HBONE. */
import { once } from 'node:events'
import { type AddressInfo, type Socket, connect as connectTcp } from 'node:net'
import {
  type ConnectionOptions,
  type TLSSocket,
  connect as connectTls,
  createServer as createTlsServer,
} from 'node:tls'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  type HboneFixture,
  type StartedServer,
  createHboneFixture,
  destination,
  metricOf,
} from './testkit.js'
import { createTestAuthority, spiffe, writeWorkload } from '../testing.js'

let fixture: HboneFixture
let started: StartedServer
let streams = 0
/** PEM of identities that are wrong in one way each, all valid otherwise. */
const bad: Record<string, { cert?: string; key?: string; ca: string }> = {}

beforeAll(async () => {
  fixture = await createHboneFixture()
  started = await fixture.startServer((request) => {
    streams += 1
    request.accept()
  })
  const { workspace, authority } = fixture
  const other = await createTestAuthority()
  const hour = 3_600_000
  const issue = async (file: string, from = authority, options = {}) => ({
    ...fixture.pem(await writeWorkload(workspace, from, 'client', { file, ...options })),
    ca: authority.caPem,
  })
  bad['expired'] = await issue('expired', authority, {
    notBefore: new Date(Date.now() - 2 * hour),
    notAfter: new Date(Date.now() - hour),
  })
  bad['not yet valid'] = await issue('early', authority, { notBefore: new Date(Date.now() + hour) })
  bad['of another trust domain'] = await issue('domain', authority, {
    id: spiffe('client', 'elsewhere.local'),
  })
  bad['of another authority'] = await issue('other', other)
  bad['without a SPIFFE id'] = await issue('nospiffe', authority, { id: 'https://client.bench.local/' })
  // Its own authority signed it, so nobody whom we trust did.
  const selfSigned = await createTestAuthority()
  bad['self-signed'] = { ...(await issue('self', selfSigned)) }
  bad['missing'] = { ca: authority.caPem }
})
afterAll(() => {
  fixture.close()
})

const reasons: Record<string, string> = {
  expired: 'CERT_HAS_EXPIRED',
  'not yet valid': 'CERT_NOT_YET_VALID',
  'of another trust domain': 'wrong-trust-domain',
  'of another authority': 'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'without a SPIFFE id': 'no-spiffe-id',
  'self-signed': 'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  missing: 'no-certificate',
}

async function closed(socket: Socket): Promise<void> {
  socket.on('error', () => {})
  await new Promise((resolve) => socket.on('close', resolve))
}

/** Connects, sends a whole CONNECT request blindly, and returns what came back before the close. */
async function tryConnect(options: ConnectionOptions): Promise<Buffer> {
  const socket = connectTls({
    ...started.address,
    checkServerIdentity: () => undefined,
    ALPNProtocols: ['h2'],
    ...options,
  })
  const chunks: Buffer[] = []
  socket.on('data', (chunk: Buffer) => chunks.push(chunk))
  socket.on('error', () => {})
  socket.on('secureConnect', () => {
    socket.write('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n')
    socket.write(Buffer.from('000000040000000000', 'hex'))
  })
  await closed(socket)
  return Buffer.concat(chunks)
}

describe('our server refuses a client certificate', () => {
  it.each(Object.entries(reasons))('%s', async (kind, reason) => {
    const failuresBefore = metricOf(
      started.registry,
      'meshbench_tls_handshake_failures_total',
      `reason="${reason}"`,
    )
    const received = await tryConnect(bad[kind] as ConnectionOptions)
    expect(received.length).toBe(0)
    expect(metricOf(started.registry, 'meshbench_tls_handshake_failures_total', `reason="${reason}"`)).toBe(
      failuresBefore + 1,
    )
    expect(metricOf(started.registry, 'meshbench_tls_handshakes_total')).toBe(0)
    expect(streams).toBe(0)
  })
})

describe('our server refuses a transport', () => {
  const good = (): ConnectionOptions => fixture.pem(fixture.client)
  it('TLS 1.2', async () => {
    expect((await tryConnect({ ...good(), maxVersion: 'TLSv1.2' })).length).toBe(0)
  })
  it('ALPN http/1.1', async () => {
    expect((await tryConnect({ ...good(), ALPNProtocols: ['http/1.1'] })).length).toBe(0)
  })
  it('no ALPN', async () => {
    expect((await tryConnect({ ...good(), ALPNProtocols: [] })).length).toBe(0)
  })
  it.each([
    ['HTTP/1.1', 'CONNECT server.bench:8080 HTTP/1.1\r\nHost: server.bench:8080\r\n\r\n'],
    ['HTTP/2 with prior knowledge', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0'],
  ])('plaintext %s', async (_title, text) => {
    const socket = connectTcp(started.address)
    let received: Buffer = Buffer.alloc(0)
    socket.on('data', (chunk: Buffer) => {
      received = Buffer.concat([received, chunk])
    })
    socket.on('error', () => {})
    socket.end(text, 'latin1')
    await closed(socket)
    // At most a TLS alert record (content type 21).
    expect(received.length === 0 || received[0] === 21).toBe(true)
    expect(streams).toBe(0)
  })
  it('a handshake that does not go on', async () => {
    const slow = await fixture.startServer(() => {}, { limits: { handshakeTimeoutMs: 200 } })
    const socket = connectTcp(slow.address)
    socket.on('error', () => {})
    await once(socket, 'close')
    expect(
      metricOf(slow.registry, 'meshbench_tls_handshake_failures_total', 'ERR_TLS_HANDSHAKE_TIMEOUT'),
    ).toBe(1)
  })
  it('a session that is resumed after its certificate expired', async () => {
    const { workspace, authority } = fixture
    const notAfter = new Date(Math.ceil((Date.now() + 2000) / 1000) * 1000)
    const short = await writeWorkload(workspace, authority, 'client', { file: 'short', notAfter })
    const options = {
      ...started.address,
      ...fixture.pem(short),
      checkServerIdentity: () => undefined,
      ALPNProtocols: ['h2'],
    }
    const first = connectTls(options)
    first.on('error', () => {})
    first.resume()
    const [session] = (await once(first, 'session')) as [Buffer]
    const standing = connectTls({ ...options, session })
    await once(standing, 'secureConnect')
    expect(standing.isSessionReused()).toBe(true)
    for (const socket of [first, standing]) socket.destroy()
    await new Promise((resolve) => setTimeout(resolve, notAfter.getTime() + 1100 - Date.now()))
    const handshakes = metricOf(started.registry, 'meshbench_tls_handshakes_total')
    expect((await tryConnect({ ...fixture.pem(short), session })).length).toBe(0)
    expect(
      metricOf(started.registry, 'meshbench_tls_handshake_failures_total', 'reason="expired"'),
    ).toBeGreaterThan(0)
    expect(metricOf(started.registry, 'meshbench_tls_handshakes_total')).toBe(handshakes)
  })
  it('and accepts the right certificate', async () => {
    const { pool } = fixture.createPool()
    const stream = await pool.connect({ source: spiffe('client'), destination: destination(started.address) })
    expect(streams).toBe(1)
    stream.destroy()
  })
})

describe('our client refuses a server', () => {
  const clientReasons: Record<string, string> = {
    ...reasons,
    'of another trust domain': 'wrong-trust-domain',
  }
  delete clientReasons['missing']
  it.each(Object.entries(clientReasons))('whose certificate is %s', async (kind, reason) => {
    const { cert, key } = bad[kind] as { cert: string; key: string }
    let plaintext = 0
    const server = createTlsServer(
      { cert, key, ca: fixture.authority.caPem, requestCert: true, ALPNProtocols: ['h2'] },
      (socket: TLSSocket) => {
        socket.on('data', (chunk: Buffer) => {
          plaintext += chunk.length
        })
        socket.on('error', () => {})
      },
    ).listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { pool, registry } = fixture.createPool()
    const via = { host: '127.0.0.1', port: (server.address() as AddressInfo).port }
    const refused = pool.connect({ source: spiffe('client'), destination: destination(via, []) })
    await expect(refused).rejects.toMatchObject({ reason })
    expect(metricOf(registry, 'meshbench_tls_handshake_failures_total', 'client', reason)).toBe(1)
    expect(plaintext).toBe(0)
    server.close()
  })

  it('that is not the expected one', async () => {
    const { pool } = fixture.createPool()
    const refused = pool.connect({
      source: spiffe('client'),
      destination: destination(started.address, [spiffe('somebody')]),
    })
    await expect(refused).rejects.toMatchObject({ reason: 'unexpected-identity' })
  })
})
