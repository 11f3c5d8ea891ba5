/** Two streams joined to each other, one of HBONE and one of TCP. */
import { once } from 'node:events'
import { connect } from 'node:net'
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
    let closed = 0
    const stream = await open((accepted) => {
      const socket = connect({ host: server.host, port: server.port, allowHalfOpen: true })
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

  it('brings a slow client all of a server that has ended and gone, and closes when the client has ended', async () => {
    const upstream = await open((accepted) => {
      accepted.on('error', () => {})
      accepted.write(Buffer.alloc(900_000, 'x'))
      accepted.end()
      // As whoever lingers for the end of a client that does not end.
      setTimeout(() => accepted.destroy(), 100)
    })
    let closed = 0
    const front = await listenTcp((socket) => {
      splice(socket, upstream, { onClose: () => (closed += 1) })
    })
    const client = connect({ host: front.host, port: front.port, allowHalfOpen: true })
    client.pause()
    client.write('nobody wants this')
    await new Promise((resolve) => setTimeout(resolve, 300))
    client.write('nor this')
    const pieces: Buffer[] = []
    client.on('data', (piece: Buffer) => pieces.push(piece)).resume()
    await once(client, 'end')
    expect(Buffer.concat(pieces).equals(Buffer.alloc(900_000, 'x'))).toBe(true)
    expect(closed).toBe(0)
    client.end()
    await once(client, 'close')
    await new Promise((resolve) => setTimeout(resolve, 100))
    expect(closed).toBe(1)
    front.close()
  })
})
