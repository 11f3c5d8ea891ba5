/** A real Duplex over an HBONE stream: enough of one that HTTP/2 runs inside. */
import { once } from 'node:events'
import { connect, createServer } from 'node:http2'
import { pipeline } from 'node:stream/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type ByteStream, toDuplex } from './byte-stream.js'
import { splice } from './splice.js'
import { type HboneFixture, createHboneFixture, destination, echo, readAll } from '../hbone/testkit.js'
import { listenTcp, spiffe } from '../testing.js'

let fixture: HboneFixture
beforeAll(async () => {
  fixture = await createHboneFixture()
})
afterAll(() => {
  fixture.close()
})

async function open(onStream: (stream: ByteStream) => void): Promise<ByteStream> {
  const { address } = await fixture.startServer((request) => {
    onStream(request.accept())
  })
  return fixture.createPool().pool.connect({ source: spiffe('client'), destination: destination(address) })
}

describe('toDuplex', () => {
  it('carries HTTP/2 inside HBONE', async () => {
    const inner = createServer((request, response) => {
      request.pipe(response)
    })
    const stream = await open((accepted) => inner.emit('connection', toDuplex(accepted)))
    const session = connect('http://inner', { createConnection: () => toDuplex(stream) })
    const request = session.request({ ':method': 'POST', ':path': '/' })
    const body = Buffer.alloc(700_000, 'meshbench')
    request.end(body)
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk as Buffer)
    expect(Buffer.concat(chunks).equals(body)).toBe(true)
    session.destroy()
  })

  it('ends and passes on an end', async () => {
    const duplex = toDuplex(await open(echo))
    duplex.end('over')
    let text = ''
    for await (const chunk of duplex) text += String(chunk)
    expect(text).toBe('over')
  })

  it('turns a reset into an error', async () => {
    const duplex = toDuplex(
      await open((accepted) => {
        accepted.write(Buffer.from('half'))
        accepted.destroy()
      }),
    )
    await expect(
      pipeline(
        duplex,
        async function* (source) {
          for await (const chunk of source) yield chunk as Buffer
        },
        async (source) => {
          for await (const chunk of source) void chunk
        },
      ),
    ).rejects.toThrow()
  })
})

describe('splice', () => {
  it('counts what it carries and says when both sides are closed', async () => {
    const server = await listenTcp((socket) => socket.pipe(socket))
    const counted = { toServer: 0, toClient: 0 }
    const { connect: connectTcp } = await import('node:net')
    let closed = 0
    const stream = await open((accepted) => {
      const socket = connectTcp({ host: server.host, port: server.port, allowHalfOpen: true })
      splice(accepted, socket, {
        aToB: (bytes) => (counted.toServer += bytes),
        bToA: (bytes) => (counted.toClient += bytes),
        onClose: () => (closed += 1),
      })
    })
    const all = readAll(stream)
    stream.write(Buffer.alloc(300_000, 'x'))
    stream.end()
    expect((await all).length).toBe(300_000)
    if (!stream.destroyed) await once(stream as never, 'close')
    await new Promise((resolve) => setTimeout(resolve, 100))
    expect(counted).toEqual({ toServer: 300_000, toClient: 300_000 })
    expect(closed).toBe(1)
    server.close()
  })
})
