import { expect, it } from 'vitest'
import { H2Stream, type StreamHandler, type StreamHost } from './stream.js'

const host: StreamHost = {
  blocked: false,
  sendData: (_stream, bytes) => bytes.length,
  sendHeaders: () => {},
  sendEnd: () => {},
  sendReset: () => {},
  wait: () => {},
  credit: () => {},
  hold: () => {},
  forget: () => {},
}

it('keeps what a slow reader has not taken in few buffers, whatever the size of the frames, and in order', () => {
  const received: Buffer[] = []
  const handler: StreamHandler = {
    onHead() {},
    onData: (piece) => received.push(Buffer.from(piece)),
    onEnd() {},
    onDrain() {},
    onReset() {},
    onOver() {},
  }
  const stream = new H2Stream(host, handler, 1, 65_535, 1 << 20)
  stream.pause()
  // One-byte frames, frames that fill a block exactly or do not fit any more, and large ones among them.
  const sizes = [...Array<number>(40_000).fill(1), 8192, 8192, 1, 8000, 8000, 8000, 20_000, 3, 16_384, 5]
  const sent: Buffer[] = []
  for (const [index, size] of sizes.entries()) {
    const piece = Buffer.alloc(size, index % 251)
    sent.push(Buffer.from(piece))
    stream.receive(piece, 0, size)
    piece.fill(0xff) // the connection uses its memory again
  }
  stream.resume()
  expect(Buffer.concat(received).equals(Buffer.concat(sent))).toBe(true)
  expect(received.length).toBeLessThan(20)
  stream.receive(Buffer.from('after'), 0, 5)
  expect(received.at(-1)?.toString()).toBe('after')
})
