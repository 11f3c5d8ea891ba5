import { Socket } from 'node:net'
import { Server } from 'node:tls'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { mostHandshakes, paceHandshakes, patienceMs } from './paced-handshakes.js'

beforeEach(() => {
  vi.useFakeTimers()
})
afterEach(() => {
  vi.useRealTimers()
})

/** A server that takes note of the connections it is told of, and `count` sockets that were accepted. */
function accept(count: number) {
  const server = new Server()
  const begun: Socket[] = []
  server.removeAllListeners('connection').on('connection', (socket: Socket) => begun.push(socket))
  const take = paceHandshakes(server)
  const sockets = Array.from({ length: count }, () => new Socket())
  for (const socket of sockets) take(socket)
  return { server, begun, sockets, take }
}

it('begins a few handshakes, and the next, in order, when one has ended, well or not', () => {
  const { server, begun, sockets } = accept(10)
  expect(begun).toEqual(sockets.slice(0, mostHandshakes))
  server.emit('secureConnection', undefined)
  expect(begun).toEqual(sockets.slice(0, mostHandshakes + 1))
  server.emit('tlsClientError', new Error('no shared cipher'), undefined)
  expect(begun).toEqual(sockets.slice(0, mostHandshakes + 2))
})

it('does not wait for peers that take long, nor counts them when they are done after all', () => {
  const { server, begun } = accept(3 * mostHandshakes + 1)
  vi.advanceTimersByTime(patienceMs)
  expect(begun).toHaveLength(2 * mostHandshakes)
  for (let i = 0; i < 2 * mostHandshakes; i += 1) server.emit('secureConnection', undefined)
  expect(begun).toHaveLength(3 * mostHandshakes + 1)
})

it('leaves out who went while waiting, with an error too', () => {
  const { server, begun, sockets, take } = accept(mostHandshakes)
  const [gone, good] = [new Socket(), new Socket()]
  take(gone)
  take(good)
  gone.destroy(new Error('reset'))
  server.emit('secureConnection', undefined)
  expect(begun).toEqual([...sockets, good])
})

it('keeps no timer when nobody waits', () => {
  const { server } = accept(mostHandshakes + 1)
  expect(vi.getTimerCount()).toBe(1)
  server.emit('secureConnection', undefined)
  expect(vi.getTimerCount()).toBe(0)
})
