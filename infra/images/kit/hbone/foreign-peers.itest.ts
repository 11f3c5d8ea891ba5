/** HBONE against `node:http2`, an implementation that is not ours, on either side. */
import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import {
  type ClientHttp2Session,
  type Http2SecureServer,
  type ServerHttp2Session,
  type ServerHttp2Stream,
  connect,
  constants,
  createSecureServer,
} from 'node:http2'
import type { AddressInfo } from 'node:net'
import type { TLSSocket } from 'node:tls'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { HboneError } from './hbone.js'
import type { HboneStreamRequest } from './server.js'
import {
  type HboneFixture,
  type StartedServer,
  authorityName,
  createHboneFixture,
  destination,
  echo,
  metricOf,
  readAll,
} from './testkit.js'
import { spiffe, writeWorkload } from '../testing.js'

let fixture: HboneFixture
beforeAll(async () => {
  fixture = await createHboneFixture()
})
afterAll(() => {
  fixture.close()
})

const sha = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex')

describe('our server with a node:http2 client', () => {
  let started: StartedServer
  let session: ClientHttp2Session
  let onStream: (request: HboneStreamRequest) => void = (request) => {
    echo(request.accept())
  }
  beforeAll(async () => {
    started = await fixture.startServer((request) => {
      onStream(request)
    })
    session = connect(`https://127.0.0.1:${started.address.port}`, {
      ...fixture.pem(fixture.client),
      checkServerIdentity: () => undefined,
    })
    await once(session, 'connect')
  })
  afterAll(() => {
    session.destroy()
  })
  const request = (headers: Record<string, string> = {}) =>
    session.request({ ':method': 'CONNECT', ':authority': authorityName, ...headers })

  it('echoes 3 MiB exactly and half-closes', async () => {
    const bytes = randomBytes(3 << 20)
    const stream = request()
    stream.end(bytes)
    const chunks: Buffer[] = []
    for await (const chunk of stream) chunks.push(chunk as Buffer)
    expect(sha(Buffer.concat(chunks))).toBe(sha(bytes))
  })

  it('serves 50 streams at once on one connection', async () => {
    const results = await Promise.all(
      Array.from({ length: 50 }, async (_, i) => {
        const stream = request().setEncoding('utf8')
        stream.end(`stream ${i}`)
        let text = ''
        for await (const chunk of stream) text += chunk as string
        return text === `stream ${i}`
      }),
    )
    expect(results.every(Boolean)).toBe(true)
    expect(metricOf(started.registry, 'meshbench_tls_handshakes_total')).toBe(1)
  })

  it('reads every header value that Huffman coding can carry', async () => {
    const visible = Array.from({ length: 94 }, (_, i) => String.fromCharCode(33 + i)).join('')
    const high = Array.from({ length: 128 }, (_, i) => String.fromCharCode(128 + i)).join('')
    let fields: readonly string[] = []
    const valueOf = (name: string) => fields[fields.indexOf(name) + 1] ?? ''
    const before = onStream
    onStream = (incoming) => {
      fields = incoming.fields
      incoming.refuse(503)
    }
    const stream = request({ baggage: visible, 'x-high': high, forwarded: 'for="[::1]:4711"' })
    const [headers] = (await once(stream, 'response')) as [Record<string, unknown>]
    onStream = before
    expect(headers[':status']).toBe(503)
    expect(valueOf('baggage')).toBe(visible)
    expect(Buffer.from(valueOf('x-high'), 'latin1')).toEqual(Buffer.from(high, 'latin1'))
    expect(valueOf('forwarded')).toBe('for="[::1]:4711"')
  })

  it('tells who calls, and refuses with a status', async () => {
    let peer = ''
    const before = onStream
    onStream = (incoming) => {
      peer = incoming.peer?.id ?? 'nobody'
      incoming.refuse(401)
    }
    const stream = request()
    const [headers] = (await once(stream, 'response')) as [Record<string, unknown>]
    onStream = before
    expect(headers[':status']).toBe(401)
    expect(peer).toBe(spiffe('client'))
    stream.close()
  })

  it('knows the caller of a resumed session, too', async () => {
    const callers: string[] = []
    const own = await fixture.startServer((request) => {
      callers.push(request.peer?.id ?? 'nobody')
      echo(request.accept())
    })
    const { pool } = fixture.createPool({ pool: { multiplex: false, resume: true } })
    for (let i = 0; i < 3; i += 1) {
      const stream = await pool.connect({ source: spiffe('client'), destination: destination(own.address) })
      const all = readAll(stream)
      stream.write(Buffer.from('ping'))
      stream.end()
      expect(String(await all)).toBe('ping')
    }
    expect(callers).toEqual([spiffe('client'), spiffe('client'), spiffe('client')])
    expect(metricOf(own.registry, 'meshbench_tls_resumptions_total')).toBe(2)
  })

  it('answers 405 to anything but CONNECT', async () => {
    const stream = session.request({ ':method': 'GET', ':path': '/' })
    const [headers] = (await once(stream, 'response')) as [Record<string, unknown>]
    expect(headers[':status']).toBe(405)
  })

  it('resets a stream that is destroyed before its end', async () => {
    const before = onStream
    onStream = (incoming) => {
      const stream = incoming.accept()
      stream.write(Buffer.from('half'))
      stream.destroy()
    }
    const stream = request()
    stream.resume()
    await once(stream, 'close')
    onStream = before
    expect(stream.rstCode).toBe(constants.NGHTTP2_CANCEL)
  })
})

describe('our pool with a node:http2 server', () => {
  let server: Http2SecureServer
  let sessions: ServerHttp2Session[] = []
  let onStream: (stream: ServerHttp2Stream) => void
  let peers: number

  const listen = async (settings = {}): Promise<{ host: string; port: number }> => {
    peers = 0
    sessions = []
    onStream = (stream) => {
      stream.respond({ ':status': 200 })
      stream.pipe(stream)
    }
    server = createSecureServer({ ...fixture.pem(fixture.server), requestCert: true, settings })
    server.on('session', (session) => {
      peers += 1
      sessions.push(session)
      session.on('error', () => {})
    })
    server.on('stream', (stream) => {
      stream.on('error', () => {})
      onStream(stream)
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    return { host: '127.0.0.1', port: (server.address() as AddressInfo).port }
  }
  afterEach(() => {
    for (const session of sessions) session.destroy()
    server.close()
  })

  it('echoes 3 MiB exactly and half-closes', async () => {
    const { pool } = fixture.createPool()
    const via = await listen()
    const stream = await pool.connect({ source: spiffe('client'), destination: destination(via) })
    const bytes = randomBytes(3 << 20)
    stream.write(bytes)
    stream.end()
    expect(sha(await readAll(stream))).toBe(sha(bytes))
  })

  it('passes on the status of a refusal', async () => {
    const { pool } = fixture.createPool()
    const via = await listen()
    onStream = (stream) => {
      stream.respond({ ':status': 401 }, { endStream: true })
    }
    const refused = pool.connect({ source: spiffe('client'), destination: destination(via) })
    await expect(refused).rejects.toThrow('the peer answered 401')
    await expect(refused).rejects.toBeInstanceOf(HboneError)
  })

  it('keeps to the number of streams that the peer allows', async () => {
    const { pool } = fixture.createPool()
    const via = await listen({ maxConcurrentStreams: 3 })
    const connect = () => pool.connect({ source: spiffe('client'), destination: destination(via) })
    // The peer's SETTINGS have to arrive before they can be kept to.
    const streams = [await connect()]
    for (let i = 0; i < 6; i += 1) streams.push(await connect())
    expect(peers).toBe(3)
    for (const stream of streams) stream.destroy()
  })

  it('puts not more streams on a connection than it may, however many wait for the first', async () => {
    const { pool } = fixture.createPool({ pool: { maxStreamsPerConnection: 3 } })
    const via = await listen()
    const streams = await Promise.all(
      Array.from({ length: 7 }, () =>
        pool.connect({ source: spiffe('client'), destination: destination(via) }),
      ),
    )
    expect(peers).toBe(3)
    for (const stream of streams) stream.destroy()
  })

  it('dials again after GOAWAY, and lets the established stream live on', async () => {
    const { pool } = fixture.createPool()
    const via = await listen()
    const first = await pool.connect({ source: spiffe('client'), destination: destination(via) })
    const gone = new Promise((resolve) => setTimeout(resolve, 50))
    sessions[0]?.goaway(0, 2 ** 31 - 1)
    await gone
    const second = await pool.connect({ source: spiffe('client'), destination: destination(via) })
    expect(peers).toBe(2)
    for (const stream of [first, second]) {
      const all = readAll(stream)
      stream.write(Buffer.from('still here'))
      stream.end()
      expect(String(await all)).toBe('still here')
    }
  })

  it('fails streams when the connection is lost, and dials again', async () => {
    const { pool } = fixture.createPool()
    const via = await listen()
    const first = await pool.connect({ source: spiffe('client'), destination: destination(via) })
    const cut = readAll(first)
    sessions[0]?.destroy()
    await expect(cut).rejects.toThrow()
    const second = await pool.connect({ source: spiffe('client'), destination: destination(via) })
    const all = readAll(second)
    second.end()
    expect((await all).length).toBe(0)
  })

  it('opens one TLS connection per stream when it may not multiplex, and closes it after', async () => {
    const { pool, registry } = fixture.createPool({ pool: { multiplex: false } })
    const via = await listen()
    const streams = await Promise.all(
      Array.from({ length: 5 }, () =>
        pool.connect({ source: spiffe('client'), destination: destination(via) }),
      ),
    )
    expect(metricOf(registry, 'meshbench_tls_handshakes_total')).toBe(5)
    expect(metricOf(registry, 'meshbench_hbone_connections')).toBe(5)
    await Promise.all(
      streams.map(async (stream) => {
        const all = readAll(stream)
        stream.end()
        await all
        await new Promise((resolve) => setTimeout(resolve, 50))
      }),
    )
    expect(metricOf(registry, 'meshbench_hbone_connections')).toBe(0)
  })

  it('resumes the last session when told to, and shakes hands in full after a rotation', async () => {
    const identities = fixture.identities([fixture.client])
    const { pool, registry } = fixture.createPool({ pool: { multiplex: false, resume: true }, identities })
    const via = await listen()
    const reused: boolean[] = []
    server.on('secureConnection', (socket: TLSSocket) => reused.push(socket.isSessionReused()))
    const once = async () => {
      const stream = await pool.connect({ source: spiffe('client'), destination: destination(via) })
      const all = readAll(stream)
      stream.end()
      await all
    }
    await once()
    await once()
    await once()
    expect(reused).toEqual([false, true, true])
    await writeWorkload(fixture.workspace, fixture.authority, 'client')
    identities.reload([fixture.client])
    await once()
    await once()
    expect(reused).toEqual([false, true, true, false, true])
    expect(metricOf(registry, 'meshbench_tls_handshakes_total')).toBe(5)
    expect(metricOf(registry, 'meshbench_tls_resumptions_total')).toBe(3)
  })

  it('reports a peer that cannot be reached as 503', async () => {
    const { pool } = fixture.createPool()
    const via = await listen()
    server.close()
    const refused = pool.connect({ source: spiffe('client'), destination: destination(via) })
    await expect(refused).rejects.toMatchObject({ reason: 'ECONNREFUSED' })
  })
})
