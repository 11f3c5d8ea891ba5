import { EventEmitter } from 'node:events'
import { expect, it } from 'vitest'
import type { ByteStream } from '../net/byte-stream.js'
import { H2Connection } from './connection.js'
import { clientPreface, flag, frameType } from './frames.js'
import { blockWriter, encodeHeaders } from './hpack.js'
import { frame, limits } from './testkit.js'

/** A peer that takes nothing: whatever is written stays. */
class DeafPeer extends EventEmitter implements ByteStream {
  destroyed = false
  writableLength = 0
  isPaused = false

  get bytesWritten(): number {
    return this.writableLength
  }
  write(bytes: Uint8Array): boolean {
    this.writableLength += bytes.length
    return false
  }
  end(): void {}
  destroy(): void {
    this.destroyed = true
  }
  resetAndDestroy(): void {
    this.destroyed = true
  }
  pause(): void {
    this.isPaused = true
  }
  resume(): void {
    this.isPaused = false
  }
}

it('reads no more requests of a client that does not read their answers, until it does', async () => {
  const peer = new DeafPeer()
  let requests = 0
  const connection = new H2Connection(peer, 'server', limits, {
    onRequest(stream) {
      requests += 1
      const block = blockWriter.begin().field(':status', '204').field('x-long', 'y'.repeat(200))
      stream.head(block.bytes, block.length, true)
    },
  })
  const block = encodeHeaders(
    [
      [':method', 'GET'],
      [':scheme', 'http'],
      [':path', '/'],
      [':authority', 'a'],
    ],
    false,
  )
  connection.read(Buffer.concat([clientPreface, frame(frameType.settings, 0, 0)]))
  const ask = (): void => {
    connection.read(frame(frameType.headers, flag.endHeaders | flag.endStream, 2 * requests + 1, block))
  }
  for (let turn = 0; turn < 1000 && !peer.isPaused; turn += 1) {
    for (let i = 0; i < 20 && !peer.isPaused; i += 1) ask()
    await new Promise((resolve) => setImmediate(resolve))
  }
  expect(peer.isPaused).toBe(true)
  expect(peer.writableLength).toBeLessThan(512 * 1024)
  const before = requests
  peer.writableLength = 0
  peer.emit('drain')
  expect(peer.isPaused).toBe(false)
  ask()
  expect(requests).toBe(before + 1)
  connection.close()
})
