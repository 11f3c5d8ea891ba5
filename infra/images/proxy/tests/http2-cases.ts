/** What a broken or hostile HTTP/2 client may say, in the order of h2spec's list (RFC 9113 and RFC 7541), and what it gets. */
import { errorCode, flag, frameType } from '../../kit/h2/frames.js'
import { type HeaderField, encodeHeaders } from '../../kit/h2/hpack.js'
import { frame, settingEntry, u32 } from '../../kit/h2/testkit.js'

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
const { protocol, frameSize, streamClosed, flowControl, compression } = errorCode

/**
 * `goaway`: the connection ends with this code. `reset`: stream 1 ends with this code, and the connection lives on.
 * `status`: stream 1 is answered so. `alive`: nothing of the kind, and the connection lives on.
 */
export type Outcome = `goaway ${number}` | `reset ${number}` | `status ${number}` | 'alive'

export interface Http2Case {
  readonly section: string
  readonly title: string
  readonly outcome: Outcome
  readonly frames: readonly Buffer[]
  /** Requests of this case that may reach the upstream; without it none may. */
  readonly forwards?: number
}

const request = (...extra: HeaderField[]): HeaderField[] => [
  [':method', 'POST'],
  [':scheme', 'http'],
  [':path', '/case'],
  [':authority', 'bench.test'],
  ...extra,
]
const without = (name: string): HeaderField[] => request().filter(([field]) => field !== name)
const block = (...extra: HeaderField[]): Buffer => encodeHeaders(request(...extra), false)
/** HEADERS with the end of the block; `flags` adds END_STREAM and the like. */
const open = (id = 1, flags = 0, payload: Buffer = block()): Buffer =>
  frame(headers, flag.endHeaders | flags, id, payload)
const whole = (fields: readonly HeaderField[]): Buffer[] => [
  open(1, flag.endStream, encodeHeaders(fields, false)),
]
const raw = (...bytes: number[]): Buffer => Buffer.concat([block(), Buffer.from(bytes)])

type Row = readonly [title: string, outcome: Outcome, frames: readonly Buffer[], forwards?: number]

function cases(section: string, ...list: readonly Row[]): Http2Case[] {
  return list.map(([title, outcome, frames, forwards]) => ({
    section,
    title,
    outcome,
    frames,
    ...(forwards === undefined ? {} : { forwards }),
  }))
}

const end = flag.endStream

export const http2Cases: readonly Http2Case[] = [
  ...cases(
    '4.1 frame format',
    ['a frame of an unknown type is ignored', 'alive', [frame(0x16, 0, 0, 'unknown')]],
    ['undefined flags are ignored', 'alive', [frame(ping, 0x16, 0, '12345678')]],
    ['the reserved bit is ignored', 'alive', [frame(ping, 0, 0x8000_0000, '12345678')]],
  ),
  ...cases(
    '4.2 frame size',
    ['DATA of 2^14 bytes', 'status 200', [open(), frame(data, end, 1, Buffer.alloc(16_384))], 1],
    [
      'DATA larger than announced',
      `goaway ${frameSize}`,
      [open(), frame(data, end, 1, Buffer.alloc(16_385))],
      1,
    ],
    ['HEADERS larger than announced', `goaway ${frameSize}`, [frame(headers, 0, 1, Buffer.alloc(16_385))]],
  ),
  ...cases(
    '4.3 header compression',
    [
      'a fragment that is no HPACK',
      `goaway ${compression}`,
      [open(1, end, raw(0xff, 0xff, 0xff, 0xff, 0xff, 0xff))],
    ],
    [
      'PRIORITY inside a header block',
      `goaway ${protocol}`,
      [frame(headers, 0, 1, block()), frame(priority, 0, 1, Buffer.alloc(5))],
    ],
    [
      'HEADERS of another stream inside a header block',
      `goaway ${protocol}`,
      [frame(headers, 0, 1, block()), open(3, end)],
    ],
  ),
  ...cases(
    '5.1 stream states',
    ['idle: DATA', `goaway ${protocol}`, [frame(data, end, 1, 'x')]],
    ['idle: RST_STREAM', `goaway ${protocol}`, [frame(rstStream, 0, 1, u32(8))]],
    ['idle: WINDOW_UPDATE', `goaway ${protocol}`, [frame(windowUpdate, 0, 1, u32(100))]],
    ['idle: CONTINUATION', `goaway ${protocol}`, [frame(continuation, flag.endHeaders, 1, block())]],
    ['half-closed: DATA', `reset ${streamClosed}`, [open(1, end), frame(data, end, 1, 'x')], 1],
    ['half-closed: HEADERS', `reset ${streamClosed}`, [open(1, end), open(1, end)], 1],
    [
      'half-closed: CONTINUATION',
      `goaway ${protocol}`,
      [open(1, end), frame(continuation, flag.endHeaders, 1, block())],
      1,
    ],
    [
      'closed by a reset: DATA',
      `reset ${streamClosed}`,
      [open(), frame(rstStream, 0, 1, u32(8)), frame(data, end, 1, 'x')],
      1,
    ],
    [
      'closed by a reset: HEADERS',
      `reset ${streamClosed}`,
      [open(), frame(rstStream, 0, 1, u32(8)), open(1, end)],
      1,
    ],
    [
      'closed by a reset: CONTINUATION',
      `goaway ${protocol}`,
      [open(), frame(rstStream, 0, 1, u32(8)), frame(continuation, flag.endHeaders, 1, block())],
      1,
    ],
    [
      'closed: WINDOW_UPDATE is ignored',
      'alive',
      [open(), frame(rstStream, 0, 1, u32(8)), frame(windowUpdate, 0, 1, u32(1))],
      1,
    ],
  ),
  ...cases(
    '5.1.1 stream identifiers',
    ['an even one', `goaway ${protocol}`, [open(2, end)]],
    ['one that goes back', `goaway ${protocol}`, [open(5, end), open(3, end)], 1],
  ),
  ...cases(
    '5.3.1 dependencies (deprecated by RFC 9113)',
    [
      'HEADERS that depend on themselves',
      `goaway ${protocol}`,
      [open(1, end | flag.priority, Buffer.concat([u32(1), Buffer.of(255), block()]))],
    ],
    [
      'PRIORITY that depends on itself',
      `goaway ${protocol}`,
      [frame(priority, 0, 1, Buffer.concat([u32(1), Buffer.of(255)]))],
    ],
  ),
  ...cases('5.5 extensions', [
    'an unknown frame inside a header block',
    `goaway ${protocol}`,
    [frame(headers, 0, 1, block()), frame(0x16, 0, 1, 'x')],
  ]),
  ...cases(
    '6.1 DATA',
    ['on stream 0', `goaway ${protocol}`, [open(), frame(data, end, 0, 'x')], 1],
    [
      'with padding longer than the frame',
      `goaway ${protocol}`,
      [open(), frame(data, end | flag.padded, 1, Buffer.of(6, 1, 2, 3))],
      1,
    ],
    [
      'with padding',
      'status 200',
      [open(), frame(data, end | flag.padded, 1, Buffer.of(2, 65, 66, 0, 0))],
      1,
    ],
  ),
  ...cases(
    '6.2 HEADERS',
    ['on stream 0', `goaway ${protocol}`, [open(0, end)]],
    [
      'with padding longer than the frame',
      `goaway ${protocol}`,
      [open(1, end | flag.padded, Buffer.concat([Buffer.of(255), block()]))],
    ],
    [
      'with padding and priority',
      'status 200',
      [
        open(
          1,
          end | flag.padded | flag.priority,
          Buffer.concat([Buffer.of(2), u32(0), Buffer.of(15), block(), Buffer.alloc(2)]),
        ),
      ],
      1,
    ],
  ),
  ...cases(
    '6.3 PRIORITY',
    ['on stream 0', `goaway ${protocol}`, [frame(priority, 0, 0, Buffer.alloc(5))]],
    ['of a wrong size', `goaway ${frameSize}`, [frame(priority, 0, 1, Buffer.alloc(4))]],
  ),
  ...cases(
    '6.4 RST_STREAM',
    ['on stream 0', `goaway ${protocol}`, [frame(rstStream, 0, 0, u32(8))]],
    ['of a wrong size', `goaway ${frameSize}`, [open(), frame(rstStream, 0, 1, Buffer.alloc(3))], 1],
    ['with an unknown code', 'alive', [open(), frame(rstStream, 0, 1, u32(0xff))], 1],
  ),
  ...cases(
    '6.5 SETTINGS',
    ['ACK with content', `goaway ${frameSize}`, [frame(settings, flag.ack, 0, Buffer.of(0))]],
    ['on a stream', `goaway ${protocol}`, [frame(settings, 0, 1, settingEntry(3, 100))]],
    ['of an odd size', `goaway ${frameSize}`, [frame(settings, 0, 0, Buffer.alloc(3))]],
    ['ENABLE_PUSH of 2', `goaway ${protocol}`, [frame(settings, 0, 0, settingEntry(2, 2))]],
    [
      'INITIAL_WINDOW_SIZE above 2^31-1',
      `goaway ${flowControl}`,
      [frame(settings, 0, 0, settingEntry(4, 0x8000_0000))],
    ],
    ['MAX_FRAME_SIZE below 2^14', `goaway ${protocol}`, [frame(settings, 0, 0, settingEntry(5, 16_383))]],
    [
      'MAX_FRAME_SIZE above 2^24-1',
      `goaway ${protocol}`,
      [frame(settings, 0, 0, settingEntry(5, 16_777_216))],
    ],
    ['an unknown one is ignored', 'alive', [frame(settings, 0, 0, settingEntry(0xff, 1))]],
  ),
  ...cases('6.6 PUSH_PROMISE', [
    'from a client',
    `goaway ${protocol}`,
    [open(), frame(pushPromise, flag.endHeaders, 1, Buffer.concat([u32(2), block()]))],
    1,
  ]),
  ...cases(
    '6.7 PING',
    ['on a stream', `goaway ${protocol}`, [frame(ping, 0, 1, Buffer.alloc(8))]],
    ['of a wrong size', `goaway ${frameSize}`, [frame(ping, 0, 0, Buffer.alloc(6))]],
    ['an ACK that nobody asked for', 'alive', [frame(ping, flag.ack, 0, Buffer.alloc(8))]],
  ),
  ...cases('6.8 GOAWAY', ['on a stream', `goaway ${protocol}`, [frame(goaway, 0, 1, Buffer.alloc(8))]]),
  ...cases(
    '6.9 WINDOW_UPDATE',
    ['of 0 for the connection', `goaway ${protocol}`, [frame(windowUpdate, 0, 0, u32(0))]],
    ['of 0 for a stream', `reset ${protocol}`, [open(), frame(windowUpdate, 0, 1, u32(0))], 1],
    ['of a wrong size', `goaway ${frameSize}`, [frame(windowUpdate, 0, 0, Buffer.alloc(3))]],
    [
      'that overflows the connection',
      `goaway ${flowControl}`,
      [frame(windowUpdate, 0, 0, u32(0x7fff_ffff)), frame(windowUpdate, 0, 0, u32(0x7fff_ffff))],
    ],
    [
      'that overflows a stream',
      `reset ${flowControl}`,
      [open(), frame(windowUpdate, 0, 1, u32(0x7fff_ffff))],
      1,
    ],
    [
      'INITIAL_WINDOW_SIZE that overflows a stream',
      `goaway ${flowControl}`,
      [
        open(),
        frame(windowUpdate, 0, 1, u32(0x7fff_0000)),
        frame(settings, 0, 0, settingEntry(4, 0x7fff_ffff)),
      ],
      1,
    ],
  ),
  ...cases(
    '6.10 CONTINUATION',
    [
      'several',
      'status 200',
      [
        frame(headers, end, 1, block().subarray(0, 3)),
        frame(continuation, 0, 1, block().subarray(3, 9)),
        frame(continuation, flag.endHeaders, 1, block().subarray(9)),
      ],
      1,
    ],
    [
      'after the end of the block',
      `goaway ${protocol}`,
      [open(), frame(continuation, flag.endHeaders, 1, block())],
      1,
    ],
    [
      'on stream 0',
      `goaway ${protocol}`,
      [frame(headers, 0, 1, block()), frame(continuation, flag.endHeaders, 0, block())],
    ],
    [
      'after DATA',
      `goaway ${protocol}`,
      [open(), frame(data, 0, 1, 'x'), frame(continuation, flag.endHeaders, 1, block())],
      1,
    ],
  ),
  ...cases(
    '8.1 messages',
    [
      'a second HEADERS without END_STREAM',
      `reset ${protocol}`,
      [open(), open(1, 0, encodeHeaders([['x-trailer', 'y']], false))],
      1,
    ],
    [
      'trailers with a pseudo-header',
      `reset ${protocol}`,
      [open(), open(1, end, encodeHeaders([[':method', 'GET']], false))],
      1,
    ],
    [
      'trailers',
      'status 200',
      [open(), frame(data, 0, 1, 'x'), open(1, end, encodeHeaders([['x-trailer', 'y']], false))],
      1,
    ],
  ),
  ...cases(
    '8.2 fields',
    ['a name in capitals', `reset ${protocol}`, whole(request(['X-Test', 'ok']))],
    ['an empty name', `reset ${protocol}`, whole(request(['', 'x']))],
    ['a line feed in a value', `reset ${protocol}`, whole(request(['x-test', 'a\nb: c']))],
    ['a NUL in a value', `reset ${protocol}`, whole(request(['x-test', 'a\0b']))],
    ['a colon in a name', `reset ${protocol}`, whole(request(['x:test', 'a']))],
    ...['\r', '\x01', '\x1f', '\x7f', '\t', ' ', '\n'].flatMap((bad): Row[] => [
      [`${JSON.stringify(bad)} before a value`, `reset ${protocol}`, whole(request(['x-test', `${bad}a`]))],
      [`${JSON.stringify(bad)} after a value`, `reset ${protocol}`, whole(request(['x-test', `a${bad}`]))],
    ]),
    ...['x test', 'x\0', 'x"', 'x(', 'x,y', 'x\x80', 'x\n'].map((name): Row => [
      `the name ${JSON.stringify(name)}`,
      `reset ${protocol}`,
      whole(request([name, 'a'])),
    ]),
    [
      'a malformed field in trailers',
      `reset ${protocol}`,
      [open(), frame(data, 0, 1, 'x'), open(1, end, encodeHeaders([['x-trailer', 'a\nb']], false))],
      1,
    ],
    ['connection', `reset ${protocol}`, whole(request(['connection', 'keep-alive']))],
    ['transfer-encoding', `reset ${protocol}`, whole(request(['transfer-encoding', 'chunked']))],
    ['upgrade', `reset ${protocol}`, whole(request(['upgrade', 'websocket']))],
    ['TE other than trailers', `reset ${protocol}`, whole(request(['te', 'trailers, deflate;q=0.5']))],
  ),
  ...cases(
    '8.3 pseudo-headers',
    ['an unknown one', `reset ${protocol}`, whole([[':test', 'x'], ...request()])],
    ['one of responses', `reset ${protocol}`, whole([[':status', '200'], ...request()])],
    ['after a field', `reset ${protocol}`, whole([...without(':path'), ['x-test', 'y'], [':path', '/']])],
    ['an empty :path', `reset ${protocol}`, whole([...without(':path'), [':path', '']])],
    ['no :method', `reset ${protocol}`, whole(without(':method'))],
    ['no :scheme', `reset ${protocol}`, whole(without(':scheme'))],
    ['no :path', `reset ${protocol}`, whole(without(':path'))],
    ['two :method', `reset ${protocol}`, whole([[':method', 'POST'], ...request()])],
    ['two :scheme', `reset ${protocol}`, whole([[':scheme', 'http'], ...request()])],
    ['two :path', `reset ${protocol}`, whole([[':path', '/'], ...request()])],
    ['neither :authority nor host', `reset ${protocol}`, whole(without(':authority'))],
    ['a :path with a space', `reset ${protocol}`, whole([...without(':path'), [':path', '/a b']])],
    [
      'a :path that is a URL',
      `reset ${protocol}`,
      whole([...without(':path'), [':path', 'http://else.test/']]),
    ],
    [
      'an :authority with user information',
      'status 400',
      whole([...without(':authority'), [':authority', 'user@bench.test']]),
    ],
    ['host other than :authority', 'status 400', whole(request(['host', 'else.test']))],
    [
      'CONNECT',
      'status 405',
      whole([
        [':method', 'CONNECT'],
        [':authority', 'bench.test:80'],
      ]),
    ],
  ),
  ...cases(
    '8.1.1 content-length',
    [
      'more than the body',
      `reset ${protocol}`,
      [open(1, 0, block(['content-length', '2'])), frame(data, end, 1, 'x')],
      1,
    ],
    [
      'less than the body',
      `reset ${protocol}`,
      [open(1, 0, block(['content-length', '1'])), frame(data, end, 1, 'xy')],
      1,
    ],
    [
      'other than the sum of several DATA',
      `reset ${protocol}`,
      [open(1, 0, block(['content-length', '3'])), frame(data, 0, 1, 'x'), frame(data, end, 1, 'y')],
      1,
    ],
    ['without a body', `reset ${protocol}`, whole(request(['content-length', '5']))],
    ['twice', `reset ${protocol}`, whole(request(['content-length', '0'], ['content-length', '0']))],
    ['that is no number', `reset ${protocol}`, whole(request(['content-length', '+1']))],
    [
      'that is right',
      'status 200',
      [open(1, 0, block(['content-length', '2'])), frame(data, end, 1, 'xy')],
      1,
    ],
  ),
  ...cases(
    'RFC 7541',
    ['2.3.3 an index beyond the tables', `goaway ${compression}`, [open(1, end, raw(0xc6))]],
    [
      '4.2 a table size update at the end of a block',
      `goaway ${compression}`,
      [open(1, end, raw(0x3f, 0x01))],
    ],
    [
      '5.2 Huffman padding of more than 7 bits',
      `goaway ${compression}`,
      [open(1, end, raw(0x00, 0x85, 0xf2, 0xb2, 0x4a, 0x84, 0xff, 0x84, 0x49, 0x50, 0x9f, 0xff))],
    ],
    [
      '5.2 Huffman padding of zeros',
      `goaway ${compression}`,
      [open(1, end, raw(0x00, 0x85, 0xf2, 0xb2, 0x4a, 0x84, 0xff, 0x83, 0x49, 0x50, 0x90))],
    ],
    [
      '5.2 the Huffman code for the end of a string',
      `goaway ${compression}`,
      [
        open(
          1,
          end,
          raw(0x00, 0x85, 0xf2, 0xb2, 0x4a, 0x84, 0xff, 0x87, 0x49, 0x51, 0xff, 0xff, 0xff, 0xfa, 0x7f),
        ),
      ],
    ],
    ['6.1 index 0', `goaway ${compression}`, [open(1, end, raw(0x80))]],
    [
      '6.3 a table size above the one that was announced',
      `goaway ${compression}`,
      [open(1, end, Buffer.concat([Buffer.of(0x3f, 0xe2, 0x1f), block()]))],
    ],
  ),
]
