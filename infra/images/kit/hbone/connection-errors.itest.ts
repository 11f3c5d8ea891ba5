/** What ends a connection of HBONE: RFC 9113, in the order of h2spec's list where it applies to CONNECT. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { errorCode, flag, frameType } from '../h2/frames.js'
import { frame, settingEntry, u32 } from '../h2/testkit.js'
import { type ProtocolFixture, connectBlock, createProtocolFixture, open } from './testkit.js'

let target: ProtocolFixture
beforeAll(async () => {
  target = await createProtocolFixture()
})
afterAll(() => {
  target.close()
})

const {
  data,
  headers,
  priority,
  rstStream,
  settings,
  pushPromise,
  ping,
  goaway,
  windowUpdate,
  continuation,
} = frameType

const connectionErrors: [title: string, code: number, frames: () => Buffer[]][] = [
  ['DATA on stream 0', errorCode.protocol, () => [frame(data, 0, 0, 'x')]],
  ['DATA on an idle stream', errorCode.protocol, () => [frame(data, 0, 1, 'x')]],
  [
    'DATA with padding as long as the frame',
    errorCode.protocol,
    () => [open(), frame(data, flag.padded, 1, Buffer.of(4, 1, 2, 3))],
  ],
  ['DATA that is padded and empty', errorCode.protocol, () => [open(), frame(data, flag.padded, 1)]],
  ['HEADERS on stream 0', errorCode.protocol, () => [frame(headers, flag.endHeaders, 0, connectBlock())]],
  ['HEADERS with an even stream id', errorCode.protocol, () => [open(2)]],
  ['HEADERS with a stream id that goes back', errorCode.protocol, () => [open(5), open(3)]],
  [
    'HEADERS that depend on themselves',
    errorCode.protocol,
    () => [
      frame(
        headers,
        flag.endHeaders | flag.priority,
        1,
        Buffer.concat([u32(1), Buffer.of(0), connectBlock()]),
      ),
    ],
  ],
  [
    'HEADERS with padding longer than the frame',
    errorCode.protocol,
    () => [frame(headers, flag.endHeaders | flag.padded, 1, Buffer.concat([Buffer.of(255), connectBlock()]))],
  ],
  [
    'HEADERS interrupted by another frame',
    errorCode.protocol,
    () => [frame(headers, 0, 1, connectBlock()), frame(ping, 0, 0, Buffer.alloc(8))],
  ],
  [
    'HEADERS continued on another stream',
    errorCode.protocol,
    () => [frame(headers, 0, 1, connectBlock()), frame(continuation, flag.endHeaders, 3, '')],
  ],
  [
    'a header block that is no HPACK',
    errorCode.compression,
    () => [frame(headers, flag.endHeaders, 1, Buffer.of(0xff, 0xff, 0xff, 0xff, 0xff, 0xff))],
  ],
  [
    'CONTINUATION without HEADERS',
    errorCode.protocol,
    () => [frame(continuation, flag.endHeaders, 1, connectBlock())],
  ],
  [
    'a flood of CONTINUATION',
    errorCode.enhanceYourCalm,
    () => [
      frame(headers, 0, 1, connectBlock()),
      ...Array.from({ length: 20 }, () => frame(continuation, 0, 1, '')),
    ],
  ],
  ['PRIORITY on stream 0', errorCode.protocol, () => [frame(priority, 0, 0, Buffer.alloc(5))]],
  ['PRIORITY of a wrong size', errorCode.frameSize, () => [frame(priority, 0, 1, Buffer.alloc(4))]],
  ['RST_STREAM on stream 0', errorCode.protocol, () => [frame(rstStream, 0, 0, u32(8))]],
  ['RST_STREAM on an idle stream', errorCode.protocol, () => [frame(rstStream, 0, 7, u32(8))]],
  [
    'RST_STREAM of a wrong size',
    errorCode.frameSize,
    () => [open(), frame(rstStream, 0, 1, Buffer.alloc(3))],
  ],
  ['SETTINGS on a stream', errorCode.protocol, () => [frame(settings, 0, 1)]],
  ['SETTINGS of an odd size', errorCode.frameSize, () => [frame(settings, 0, 0, Buffer.alloc(3))]],
  ['SETTINGS ACK with content', errorCode.frameSize, () => [frame(settings, flag.ack, 0, Buffer.alloc(6))]],
  ['ENABLE_PUSH of 2', errorCode.protocol, () => [frame(settings, 0, 0, settingEntry(2, 2))]],
  [
    'INITIAL_WINDOW_SIZE above 2^31-1',
    errorCode.flowControl,
    () => [frame(settings, 0, 0, settingEntry(4, 0x8000_0000))],
  ],
  ['MAX_FRAME_SIZE below 2^14', errorCode.protocol, () => [frame(settings, 0, 0, settingEntry(5, 16_383))]],
  [
    'MAX_FRAME_SIZE above 2^24-1',
    errorCode.protocol,
    () => [frame(settings, 0, 0, settingEntry(5, 16_777_216))],
  ],
  [
    'INITIAL_WINDOW_SIZE that overflows a stream',
    errorCode.flowControl,
    () => [
      open(),
      frame(windowUpdate, 0, 1, u32(0x7fff_0000)),
      frame(settings, 0, 0, settingEntry(4, 0x7fff_ffff)),
    ],
  ],
  ['PUSH_PROMISE', errorCode.protocol, () => [open(), frame(pushPromise, flag.endHeaders, 1, u32(2))]],
  ['PING on a stream', errorCode.protocol, () => [frame(ping, 0, 1, Buffer.alloc(8))]],
  ['PING of a wrong size', errorCode.frameSize, () => [frame(ping, 0, 0, Buffer.alloc(7))]],
  ['GOAWAY on a stream', errorCode.protocol, () => [frame(goaway, 0, 1, Buffer.alloc(8))]],
  ['WINDOW_UPDATE of 0 for the connection', errorCode.protocol, () => [frame(windowUpdate, 0, 0, u32(0))]],
  [
    'WINDOW_UPDATE that overflows the connection',
    errorCode.flowControl,
    () => [frame(windowUpdate, 0, 0, u32(0x7fff_ffff)), frame(windowUpdate, 0, 0, u32(0x7fff_ffff))],
  ],
  ['WINDOW_UPDATE of a wrong size', errorCode.frameSize, () => [frame(windowUpdate, 0, 0, Buffer.alloc(3))]],
  ['WINDOW_UPDATE on an idle stream', errorCode.protocol, () => [frame(windowUpdate, 0, 1, u32(1))]],
  [
    'a frame larger than announced',
    errorCode.frameSize,
    () => [open(), frame(data, 0, 1, Buffer.alloc(16_385))],
  ],
  [
    'a flood of PING',
    errorCode.enhanceYourCalm,
    () => Array.from({ length: 11_000 }, () => frame(ping, 0, 0, Buffer.alloc(8))),
  ],
  [
    'a flood of empty DATA',
    errorCode.enhanceYourCalm,
    () => [open(), ...Array.from({ length: 11_000 }, () => frame(data, 0, 1))],
  ],
  [
    'a flood of SETTINGS',
    errorCode.enhanceYourCalm,
    () => Array.from({ length: 11_000 }, () => frame(settings, 0, 0)),
  ],
  [
    'a SETTINGS frame that says the same again and again',
    errorCode.enhanceYourCalm,
    () => [frame(settings, 0, 0, Buffer.concat(Array.from({ length: 33 }, () => settingEntry(4, 65_535))))],
  ],
  [
    'rapid reset',
    errorCode.enhanceYourCalm,
    () =>
      Array.from({ length: 2500 }, (_, i) =>
        Buffer.concat([open(2 * i + 1), frame(rstStream, 0, 2 * i + 1, u32(8))]),
      ),
  ],
  [
    'resets that the peer makes us send',
    errorCode.enhanceYourCalm,
    () =>
      Array.from({ length: 2500 }, (_, i) =>
        Buffer.concat([open(2 * i + 1), frame(windowUpdate, 0, 2 * i + 1, u32(0))]),
      ),
  ],
]

describe('a connection error', () => {
  it.each(connectionErrors)('%s', async (_title, code, frames) => {
    const client = await target.connect()
    client.send(...frames())
    const answer = await client.next(({ type, payload }) => type === goaway && payload.readUInt32BE(4) !== 0)
    expect(answer.payload.readUInt32BE(4)).toBe(code)
    await new Promise((resolve) => client.socket.on('close', resolve).resume())
  })

  it('no preface', async () => {
    const client = await target.connect(false)
    client.send(Buffer.from('GET / HTTP/1.1\r\nHost: x\r\n\r\n'))
    expect((await client.next(({ type }) => type === goaway)).payload.readUInt32BE(4)).toBe(
      errorCode.protocol,
    )
  })

  it('a first frame that is not SETTINGS', async () => {
    const client = await target.connect(false)
    client.send(Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'), frame(ping, 0, 0, Buffer.alloc(8)))
    expect((await client.next(({ type }) => type === goaway)).payload.readUInt32BE(4)).toBe(
      errorCode.protocol,
    )
  })
})
