/** The tunnel as processes: bytes through two hops are exact, whatever ends first. */
import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { type Socket, connect } from 'node:net'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { endedByReset } from '../kit/net/reset.js'
import { createWorkspace, listenTcp } from '../kit/testing.js'
import { type TunnelPair, startTunnelPair } from './pair.js'

const workspace = createWorkspace()
let pair: TunnelPair
let upstream: Awaited<ReturnType<typeof listenTcp>>
let onSocket: (socket: Socket) => void = () => {}

beforeAll(async () => {
  upstream = await listenTcp((socket) => {
    onSocket(socket)
  })
  pair = await startTunnelPair(workspace, upstream)
})

afterAll(async () => {
  await pair.stop()
  upstream.close()
  workspace.remove()
})

const dial = async (): Promise<Socket> => {
  const socket = connect({ ...pair.entry, allowHalfOpen: true, noDelay: true })
  await once(socket, 'connect')
  return socket
}

describe('a pair of tunnels', () => {
  it('carries bytes both ways and half-closes', async () => {
    onSocket = (socket) => {
      const hash = createHash('sha256')
      socket.on('data', (chunk) => hash.update(chunk))
      socket.on('end', () => socket.end(hash.digest('hex')))
    }
    const block = Buffer.alloc(65_536, 'meshbench')
    const hash = createHash('sha256')
    const socket = await dial()
    for (let i = 0; i < 320; i += 1) {
      hash.update(block)
      if (!socket.write(block)) await once(socket, 'drain')
    }
    socket.end()
    let reply = ''
    for await (const chunk of socket.setEncoding('utf8')) reply += chunk as string
    expect(reply).toBe(hash.digest('hex'))
  })

  it('carries 20 MiB from the upstream to a slow reader', async () => {
    const block = Buffer.alloc(1 << 20, 'x')
    onSocket = (socket) => {
      socket.resume()
      for (let i = 0; i < 20; i += 1) socket.write(block)
      socket.end()
    }
    const socket = await dial()
    let received = 0
    for await (const chunk of socket) {
      received += (chunk as Buffer).length
      if (received % (1 << 20) < 65_536) await new Promise((resolve) => setTimeout(resolve, 1))
    }
    expect(received).toBe(20 << 20)
    socket.end()
  })

  it('keeps every byte in its place, whatever the sizes of pieces and the pace of readers', async () => {
    const sizes = [1, 100, 1024, 9000, 16_375, 40_000]
    const sent = new Map<string, string>()
    onSocket = (socket) => {
      socket.once('data', (name: Buffer) => {
        const hash = createHash('sha256')
        const send = (left: number): void => {
          if (left === 0) {
            sent.set(String(name), hash.digest('hex'))
            socket.end()
            return
          }
          const bytes = randomBytes(sizes[left % sizes.length] as number)
          hash.update(bytes)
          if (socket.write(bytes)) setImmediate(send, left - 1)
          else
            socket.once('drain', () => {
              send(left - 1)
            })
        }
        send(400)
      })
    }
    const download = async (name: string): Promise<string> => {
      const socket = await dial()
      socket.write(name)
      const hash = createHash('sha256')
      for await (const chunk of socket) {
        hash.update(chunk as Buffer)
        // Every other reader is slow, so that what it does not take has to wait in the hops.
        if (Number(name) % 2 === 1) await new Promise((resolve) => setTimeout(resolve, 2))
      }
      socket.end()
      return hash.digest('hex')
    }
    const names = Array.from({ length: 8 }, (_, i) => String(i))
    const received = await Promise.all(names.map(download))
    expect(received).toEqual(names.map((name) => sent.get(name)))
  })

  /** Whether a socket is reset or ends in order. */
  const ending = (socket: Socket): Promise<'reset' | 'end'> =>
    new Promise((resolve) => {
      socket.on('error', () => {
        resolve('reset')
      })
      socket.on('end', () => {
        resolve(endedByReset(socket) ? 'reset' : 'end')
      })
      socket.resume()
    })

  it.each(['reset', 'end'] as const)(
    'turns a %s behind the upstream’s bytes into one at the client',
    async (how) => {
      onSocket = (socket) => {
        socket.once('data', () => {
          socket.write('unread bytes')
          if (how === 'reset') socket.resetAndDestroy()
          else socket.end()
        })
      }
      for (let i = 0; i < 20; i += 1) {
        const socket = await dial()
        socket.write('x')
        // The client's own half ends first in every other case, as curl and nc do it.
        if (i % 2 === 1) socket.end()
        expect([i, await ending(socket)]).toEqual([i, how])
        socket.destroy()
      }
    },
  )

  it('turns a reset behind the client’s bytes into one at the upstream', async () => {
    const ends: Promise<unknown>[] = []
    onSocket = (socket) => {
      ends.push(ending(socket))
    }
    for (let i = 0; i < 20; i += 1) {
      const socket = await dial()
      socket.write('x')
      await expect.poll(() => ends.length).toBe(i + 1)
      socket.write('unread bytes')
      socket.resetAndDestroy()
      expect([i, await ends[i]]).toEqual([i, 'reset'])
    }
  })

  it('shares one TLS connection between streams', async () => {
    onSocket = (socket) => {
      socket.pipe(socket)
    }
    const before = await pair.outbound.metric('meshbench_hbone_streams_total')
    const sockets = await Promise.all(Array.from({ length: 50 }, dial))
    for (const socket of sockets) {
      socket.write('ping')
      expect(String((await once(socket, 'data'))[0])).toBe('ping')
      socket.destroy()
    }
    expect(await pair.outbound.metric('meshbench_hbone_streams_total')).toBe(before + 50)
    expect(await pair.outbound.metric('meshbench_tls_handshakes_total', 'side="client"')).toBe(1)
    expect(await pair.inbound.metric('meshbench_tls_handshakes_total', 'side="server"', 'sa/client')).toBe(1)
  })
})
