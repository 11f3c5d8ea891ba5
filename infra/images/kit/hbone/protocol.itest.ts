/** The HTTP/2 rules that a hostile or broken peer tries: RFC 9113, in the order of h2spec's list where it applies to CONNECT. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type ByteStream } from '../net/byte-stream.js'
import { errorCode, flag, frameType } from '../h2/frames.js'
import type { HboneStreamRequest } from './server.js'
import {
  type HboneFixture,
  type StartedServer,
  authorityName,
  connectRaw,
  createHboneFixture,
  echo,
} from './testkit.js'
import { type HeaderField, HpackDecoder, encodeHeaders } from '../h2/hpack.js'
import { type RawClient, frame, settingEntry, u32 } from '../h2/raw-http2.js'

let fixture: HboneFixture
let started: StartedServer
const accepted: ByteStream[] = []
let onStream: (request: HboneStreamRequest) => void

beforeAll(async () => {
  fixture = await createHboneFixture()
  started = await fixture.startServer((request) => {
    onStream(request)
  })
})
afterAll(() => {
  fixture.close()
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
const connectBlock = (...extra: HeaderField[]): Buffer =>
  encodeHeaders([[':method', 'CONNECT'], [':authority', authorityName], ...extra], false)
const open = (id = 1, flags = 0): Buffer => frame(headers, flag.endHeaders | flags, id, connectBlock())
async function connect(preface = true): Promise<RawClient> {
  onStream = (request) => {
    const stream = request.accept()
    accepted.push(stream)
    echo(stream)
  }
  return connectRaw(fixture, started.address, preface)
}

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
    const client = await connect()
    client.send(...frames())
    const answer = await client.next(({ type, payload }) => type === goaway && payload.readUInt32BE(4) !== 0)
    expect(answer.payload.readUInt32BE(4)).toBe(code)
    await new Promise((resolve) => client.socket.on('close', resolve).resume())
  })

  it('no preface', async () => {
    const client = await connect(false)
    client.send(Buffer.from('GET / HTTP/1.1\r\nHost: x\r\n\r\n'))
    expect((await client.next(({ type }) => type === goaway)).payload.readUInt32BE(4)).toBe(
      errorCode.protocol,
    )
  })

  it('a first frame that is not SETTINGS', async () => {
    const client = await connect(false)
    client.send(Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'), frame(ping, 0, 0, Buffer.alloc(8)))
    expect((await client.next(({ type }) => type === goaway)).payload.readUInt32BE(4)).toBe(
      errorCode.protocol,
    )
  })
})

const malformed: [title: string, fields: HeaderField[]][] = [
  [
    'a name in capitals',
    [
      [':method', 'CONNECT'],
      [':authority', 'a:1'],
      ['X-Y', 'z'],
    ],
  ],
  [
    'an unknown pseudo-header',
    [
      [':method', 'CONNECT'],
      [':authority', 'a:1'],
      [':protocol', 'websocket'],
    ],
  ],
  [
    'a pseudo-header after a field',
    [
      [':method', 'CONNECT'],
      ['x', 'y'],
      [':authority', 'a:1'],
    ],
  ],
  [
    'a pseudo-header twice',
    [
      [':method', 'CONNECT'],
      [':method', 'CONNECT'],
      [':authority', 'a:1'],
    ],
  ],
  [
    'CONNECT with :path',
    [
      [':method', 'CONNECT'],
      [':authority', 'a:1'],
      [':path', '/'],
    ],
  ],
  [
    'CONNECT with :scheme',
    [
      [':method', 'CONNECT'],
      [':authority', 'a:1'],
      [':scheme', 'https'],
    ],
  ],
  ['CONNECT without :authority', [[':method', 'CONNECT']]],
  ['no :method', [[':authority', 'a:1']]],
  [
    'GET without :path',
    [
      [':method', 'GET'],
      [':scheme', 'https'],
    ],
  ],
  [
    'a connection header',
    [
      [':method', 'CONNECT'],
      [':authority', 'a:1'],
      ['connection', 'close'],
    ],
  ],
  [
    'transfer-encoding',
    [
      [':method', 'CONNECT'],
      [':authority', 'a:1'],
      ['transfer-encoding', 'chunked'],
    ],
  ],
  [
    'TE other than trailers',
    [
      [':method', 'CONNECT'],
      [':authority', 'a:1'],
      ['te', 'gzip'],
    ],
  ],
  [
    'a line feed in a value',
    [
      [':method', 'CONNECT'],
      [':authority', 'a:1'],
      ['x', 'a\nb: c'],
    ],
  ],
  [
    'a NUL in a value',
    [
      [':method', 'CONNECT'],
      [':authority', 'a:1'],
      ['x', 'a\0b'],
    ],
  ],
  [
    'a space before a value',
    [
      [':method', 'CONNECT'],
      [':authority', 'a:1'],
      ['x', ' a'],
    ],
  ],
  [
    'a space in the authority',
    [
      [':method', 'CONNECT'],
      [':authority', 'a b:1'],
    ],
  ],
  [
    'an empty name',
    [
      [':method', 'CONNECT'],
      [':authority', 'a:1'],
      ['', 'x'],
    ],
  ],
]

describe('a stream error', () => {
  const reset = async (client: RawClient, code: number, id = 1): Promise<void> => {
    const answer = await client.next(({ type, streamId }) => type === rstStream && streamId === id)
    expect(answer.payload.readUInt32BE(0)).toBe(code)
    // The connection lives on.
    client.send(open(101), frame(data, flag.endStream, 101, 'alive'))
    const echoed = await client.next(({ type, streamId }) => type === data && streamId === 101)
    expect(String(echoed.payload)).toBe('alive')
    client.socket.destroy()
  }

  it.each(malformed)('%s', async (_title, fields) => {
    const client = await connect()
    client.send(frame(headers, flag.endHeaders, 1, encodeHeaders(fields, false)))
    await reset(client, errorCode.protocol)
  })

  it('DATA after END_STREAM', async () => {
    const client = await connect()
    onStream = (request) => {
      accepted.push(request.accept())
      onStream = (next) => {
        echo(next.accept())
      }
    }
    client.send(open(1, flag.endStream), frame(data, 0, 1, 'late'))
    await reset(client, errorCode.streamClosed)
  })

  it('HEADERS on a connected stream', async () => {
    const client = await connect()
    client.send(open(), open())
    await reset(client, errorCode.protocol)
  })

  it('WINDOW_UPDATE of 0', async () => {
    const client = await connect()
    client.send(open(), frame(windowUpdate, 0, 1, u32(0)))
    await reset(client, errorCode.protocol)
  })

  it('WINDOW_UPDATE that overflows', async () => {
    const client = await connect()
    client.send(open(), frame(windowUpdate, 0, 1, u32(0x7fff_ffff)))
    await reset(client, errorCode.flowControl)
  })

  it('more DATA than the window of the stream', async () => {
    const client = await connect()
    let held: ByteStream | undefined
    onStream = (request) => {
      held = request.accept()
      held.pause()
      held.on('error', () => {})
      onStream = (next) => {
        echo(next.accept())
      }
    }
    client.send(open(), ...Array.from({ length: 17 }, () => frame(data, 0, 1, Buffer.alloc(16_384))))
    await reset(client, errorCode.flowControl)
    expect(held?.destroyed).toBe(true)
  })

  it('one stream more than allowed', async () => {
    const client = await connect()
    client.send(...Array.from({ length: 201 }, (_, i) => open(2 * i + 1)))
    const refused = await client.next(({ type }) => type === rstStream)
    expect([refused.streamId, refused.payload.readUInt32BE(0)]).toEqual([401, errorCode.refusedStream])
    client.socket.destroy()
  })
})

describe('a peer that reads nothing', () => {
  it('cannot pile up refusals', async () => {
    const own = await fixture.startServer((request) => {
      request.refuse(401)
    })
    for (const block of [
      connectBlock(),
      encodeHeaders(
        [
          [':method', 'GET'],
          [':scheme', 'https'],
          [':path', '/'],
        ],
        false,
      ),
    ]) {
      const client = await connectRaw(fixture, own.address)
      await client.next(({ type }) => type === settings)
      client.socket.pause()
      let id = 1
      let sent = 0
      const flood = (): void => {
        while (!client.socket.destroyed && sent < 120_000_000) {
          const part = Buffer.concat(
            Array.from({ length: 2000 }, (_, i) => frame(headers, flag.endHeaders, id + 2 * i, block)),
          )
          id += 4000
          sent += part.length
          if (!client.socket.write(part)) return
        }
      }
      client.socket.on('drain', flood)
      flood()
      // What the kernel takes before it is full comes in steps of seconds.
      await expect.poll(() => own.server.connections, { timeout: 100_000, interval: 100 }).toBe(0)
      client.socket.destroy()
    }
  }, 240_000)
})

describe('what is legal', () => {
  it('is tolerated: a list that is larger than the limit is answered, an ACK that nobody asked for ignored', async () => {
    const client = await connect()
    const many = Array.from({ length: 101 }, (_, i) => [`x-${i}`, 'y'] as const)
    client.send(
      frame(ping, flag.ack, 0, Buffer.alloc(8)),
      frame(headers, flag.endHeaders | flag.endStream, 1, connectBlock(...many)),
      open(3),
      frame(data, flag.endStream, 3, 'next'),
    )
    const answer = await client.next(({ type, streamId }) => type === headers && streamId === 1)
    const [, status] = new HpackDecoder(4096, { headerBytes: 1000, headerCount: 10 }).decode(
      answer.payload,
    ).fields
    expect(status).toBe('431')
    await client.next(({ type, streamId }) => type === data && streamId === 3)
    client.socket.destroy()
  })

  it('is answered: PING, SETTINGS, padding, priority, unknown frames, a header block in parts, one byte at a time', async () => {
    const client = await connect()
    const block = connectBlock()
    const bytes = Buffer.concat([
      frame(ping, 0, 0, '12345678'),
      frame(0xbe, 0xff, 0, 'unknown'),
      frame(priority, 0, 3, Buffer.alloc(5)),
      frame(settings, 0, 0, Buffer.concat([settingEntry(1, 0), settingEntry(0xf0, 7)])),
      frame(
        headers,
        flag.priority | flag.padded,
        1,
        Buffer.concat([Buffer.of(2), u32(0), Buffer.of(15), block.subarray(0, 5), Buffer.alloc(2)]),
      ),
      frame(continuation, flag.endHeaders, 1, block.subarray(5)),
      frame(data, flag.padded, 1, Buffer.concat([Buffer.of(3), Buffer.from('padded '), Buffer.alloc(3)])),
      frame(data, flag.padded | flag.endStream, 1, Buffer.concat([Buffer.of(0), Buffer.from('data')])),
    ])
    for (const byte of bytes) client.socket.write(Buffer.of(byte))
    await client.next(
      ({ type, flags, streamId }) => type === data && streamId === 1 && flags === flag.endStream,
    )
    const text = client.frames.filter(({ type }) => type === data).map(({ payload }) => String(payload))
    expect(text.join('')).toBe('padded data')
    expect(
      client.frames.some(
        ({ type, flags, payload }) => type === ping && flags === flag.ack && String(payload) === '12345678',
      ),
    ).toBe(true)
    expect(client.frames.filter(({ type, flags }) => type === settings && flags === flag.ack).length).toBe(2)
    client.socket.destroy()
  })

  it('keeps to the peer window, and sends the rest when it opens', async () => {
    const client = await connect()
    client.send(
      frame(settings, 0, 0, settingEntry(4, 5)),
      open(),
      frame(data, flag.endStream, 1, 'hello world'),
    )
    const first = await client.next(({ type }) => type === data)
    expect(String(first.payload)).toBe('hello')
    await new Promise((resolve) => setTimeout(resolve, 50))
    expect(client.frames.filter(({ type }) => type === data).length).toBe(1)
    client.send(frame(settings, 0, 0, settingEntry(4, 8)))
    client.send(frame(windowUpdate, 0, 1, u32(100)))
    await client.next(({ type, flags }) => type === data && flags === flag.endStream)
    expect(
      client.frames
        .filter(({ type }) => type === data)
        .map(({ payload }) => String(payload))
        .join(''),
    ).toBe('hello world')
    client.socket.destroy()
  })

  it('a reset of the peer is an error and never an end', async () => {
    const client = await connect()
    const seen = new Promise<string>((resolve) => {
      onStream = (request) => {
        const stream = request.accept()
        stream.on('end', () => {
          resolve('end')
        })
        stream.on('error', (error) => {
          resolve(error.message)
        })
        stream.resume()
      }
    })
    client.send(open(), frame(data, 0, 1, 'half a mess'), frame(rstStream, 0, 1, u32(8)))
    expect(await seen).toContain('reset')
    client.socket.destroy()
  })

  it('frames that cross our reset are ignored', async () => {
    const client = await connect()
    onStream = (request) => {
      request.refuse(503)
      onStream = (next) => {
        echo(next.accept())
      }
    }
    client.send(
      open(),
      frame(data, 0, 1, 'early'),
      frame(windowUpdate, 0, 1, u32(5)),
      open(3),
      frame(data, flag.endStream, 3, 'next'),
    )
    const echoed = await client.next(({ type, streamId }) => type === data && streamId === 3)
    expect(String(echoed.payload)).toBe('next')
    expect(client.frames.some(({ type }) => type === goaway)).toBe(false)
    client.socket.destroy()
  })

  it('tells of a peer that goes before its answer, and of none that was accepted', async () => {
    const gone: string[] = []
    const client = await connect()
    onStream = (request) => {
      const isServed = Object.hasOwn(request.headers, 'x-served')
      request.onGone(() => {
        gone.push(isServed ? 'accepted' : 'waiting')
      })
      if (isServed) echo(request.accept())
    }
    client.send(
      frame(headers, flag.endHeaders, 1, connectBlock(['x-served', '1'])),
      frame(data, flag.endStream, 1, 'whole'),
    )
    await client.next(({ type, flags }) => type === data && flags === flag.endStream)
    client.send(open(3), frame(rstStream, 0, 3, u32(8)))
    await expect.poll(() => gone).toEqual(['waiting'])
    client.socket.destroy()
  })

  it('drains: GOAWAY first, the open stream to its end, then the close', async () => {
    const own = await fixture.startServer((request) => {
      echo(request.accept())
    })
    const client = await connectRaw(fixture, own.address)
    client.send(open())
    await client.next(({ type }) => type === headers)
    const drained = own.server.drain()
    const first = await client.next(({ type }) => type === goaway)
    expect(first.payload.readUInt32BE(0)).toBe(0x7fff_ffff)
    const probe = await client.next(({ type, flags }) => type === ping && flags === 0)
    client.send(frame(ping, flag.ack, 0, probe.payload))
    expect(
      (await client.next(({ type, payload }) => type === goaway && payload.readUInt32BE(0) === 1)).streamId,
    ).toBe(0)
    client.send(frame(data, flag.endStream, 1, 'to the end'))
    const echoed = await client.next(({ type }) => type === data)
    expect(String(echoed.payload)).toBe('to the end')
    await drained
  })
})
