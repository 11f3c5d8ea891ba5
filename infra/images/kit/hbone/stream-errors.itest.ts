/** What ends a stream of HBONE and leaves its connection alone (RFC 9113 §5.4.2, §8.1.1), and what a peer cannot pile up. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { errorCode, flag, frameType } from '../h2/frames.js'
import { type HeaderField, encodeHeaders } from '../h2/hpack.js'
import { type RawClient, frame, u32 } from '../h2/testkit.js'
import type { ByteStream } from '../net/byte-stream.js'
import {
  type ProtocolFixture,
  connectBlock,
  connectRaw,
  createProtocolFixture,
  echo,
  metricOf,
  open,
} from './testkit.js'

let target: ProtocolFixture
beforeAll(async () => {
  target = await createProtocolFixture()
})
afterAll(() => {
  target.close()
})

const { data, headers, rstStream, settings, windowUpdate } = frameType

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
    const client = await target.connect()
    client.send(frame(headers, flag.endHeaders, 1, encodeHeaders(fields, false)))
    await reset(client, errorCode.protocol)
  })

  it('DATA after END_STREAM', async () => {
    const client = await target.connect()
    target.onStream = (request) => {
      request.accept()
      target.onStream = (next) => {
        echo(next.accept())
      }
    }
    client.send(open(1, flag.endStream), frame(data, 0, 1, 'late'))
    await reset(client, errorCode.streamClosed)
  })

  it('HEADERS on a connected stream', async () => {
    const client = await target.connect()
    client.send(open(), open())
    await reset(client, errorCode.protocol)
  })

  it('WINDOW_UPDATE of 0', async () => {
    const client = await target.connect()
    client.send(open(), frame(windowUpdate, 0, 1, u32(0)))
    await reset(client, errorCode.protocol)
  })

  it('WINDOW_UPDATE that overflows', async () => {
    const client = await target.connect()
    client.send(open(), frame(windowUpdate, 0, 1, u32(0x7fff_ffff)))
    await reset(client, errorCode.flowControl)
  })

  it('more DATA than the window of the stream', async () => {
    const client = await target.connect()
    let held: ByteStream | undefined
    target.onStream = (request) => {
      held = request.accept()
      held.pause()
      held.on('error', () => {})
      target.onStream = (next) => {
        echo(next.accept())
      }
    }
    client.send(open(), ...Array.from({ length: 65 }, () => frame(data, 0, 1, Buffer.alloc(16_384))))
    await reset(client, errorCode.flowControl)
    expect(held?.destroyed).toBe(true)
  })

  it('one stream more than allowed', async () => {
    const client = await target.connect()
    client.send(...Array.from({ length: 201 }, (_, i) => open(2 * i + 1)))
    const refused = await client.next(({ type }) => type === rstStream)
    expect([refused.streamId, refused.payload.readUInt32BE(0)]).toEqual([401, errorCode.refusedStream])
    client.socket.destroy()
  })
})

describe('a peer that reads nothing', () => {
  it('cannot pile up refusals', async () => {
    const own = await target.hbone.startServer((request) => {
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
      const client = await connectRaw(target.hbone, own.address)
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
      const connections = () => metricOf(own.registry, 'meshbench_hbone_connections')
      await expect.poll(connections, { timeout: 100_000, interval: 100 }).toBe(0)
      client.socket.destroy()
    }
  }, 240_000)
})
