/** Two streams joined to each other, one of HBONE and one of TCP. */
import { once } from 'node:events'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { ByteStream } from './byte-stream.js'
import { splice } from './splice.js'
import { type HboneFixture, createHboneFixture, destination, readAll } from '../hbone/testkit.js'
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
