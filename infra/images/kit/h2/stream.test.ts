import { expect, it } from 'vitest'
import { H2Stream, type StreamHandler, type StreamHost } from './stream.js'

const host: StreamHost = {
  isServer: true,
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

it('of a server that has answered and wants no more still brings the whole answer', () => {
  const heard: string[] = []
  const handler: StreamHandler = {
    onHead() {},
    onData: (piece) => heard.push(piece.toString()),
    onEnd: () => heard.push('end'),
    onDrain() {},
    onReset: () => heard.push('reset'),
    onOver: () => heard.push('over'),
  }
  const client = new H2Stream({ ...host, isServer: false }, handler, 1, 65_535, 1 << 20)
  client.pause()
  client.receive(Buffer.from('answer'), 0, 6)
  client.receiveEnd(undefined)
  client.stopSending()
  expect(client.write(Buffer.from('more'))).toBe(false)
  expect(heard).toEqual([])
  client.resume()
  expect(heard).toEqual(['answer', 'end', 'over'])
})

it.each([
  ['a server that has answered', true, true, 0],
  ['a server that has not', true, false, 8],
  ['a client that has asked', false, true, 8],
])('%s gives its stream up with the code that says so', (_who, isServer, hasEnded, code) => {
  const codes: number[] = []
  const over = { ...host, isServer, sendReset: (_stream: H2Stream, sent: number) => codes.push(sent) }
  const nothing = (): void => {}
  const stream = new H2Stream(
    over,
    {
      onHead: nothing,
      onData: nothing,
      onEnd: nothing,
      onDrain: nothing,
      onReset: nothing,
      onOver: nothing,
    },
    1,
    65_535,
    1 << 20,
  )
  if (hasEnded) stream.end()
  stream.reset()
  expect(codes).toEqual([code])
})
