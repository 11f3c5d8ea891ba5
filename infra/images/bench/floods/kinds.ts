/** Floods of HTTP/2: what a hostile client sends over and over, as bytes. */
import { clientPreface, flag, frameType } from '../../kit/h2/frames.js'
import { type HeaderField, encodeHeaders } from '../../kit/h2/hpack.js'
import { frame, settingEntry, u32 } from '../../kit/h2/raw-http2.js'

/** A request as the target wants it, and the bytes that ask for a large answer after it. */
export interface FloodRequest {
  /** `ended`: nothing follows the head. */
  head(ended: boolean, path?: string): readonly HeaderField[]
  /** What asks inside of the stream, where the head alone does not. */
  ask(path: string): Buffer | undefined
}

export interface FloodKind {
  readonly name: string
  /** Connections at once. */
  readonly connections: number
  /** Answers are left in the kernel. */
  readonly isDeaf: boolean
  /** After the preface, or all there is of it. */
  open(request: FloodRequest): Buffer
  /** Sent again and again; stream ids go on from `id`. */
  burst(request: FloodRequest, id: number): { readonly bytes: Buffer; readonly nextId: number }
}

const { data, headers, priority, rstStream, settings, ping, windowUpdate, continuation } = frameType
const { endHeaders, endStream } = flag
const perBurst = 100
const nothing = Buffer.alloc(0)

/** A head that leaves the dynamic tables alone. */
function headOf(
  request: FloodRequest,
  id: number,
  { ended = true, path = '/' }: { readonly ended?: boolean; readonly path?: string } = {},
): Buffer {
  const flags = endHeaders | (ended ? endStream : 0)
  return frame(headers, flags, id, encodeHeaders(request.head(ended, path), false))
}

const repeat = (count: number, make: (i: number) => Buffer): Buffer =>
  Buffer.concat(Array.from({ length: count }, (_, i) => make(i)))

/** Bursts that open a stream each time. */
const streams =
  (count: number, make: (request: FloodRequest, id: number) => Buffer): FloodKind['burst'] =>
  (request, id) => ({ bytes: repeat(count, (i) => make(request, id + 2 * i)), nextId: id + 2 * count })

/** Bursts that are the same each time. */
const same = (make: () => Buffer): FloodKind['burst'] => {
  let bytes: Buffer | undefined
  return (_request, id) => ({ bytes: (bytes ??= make()), nextId: id })
}

const preface = (...more: readonly Buffer[]): Buffer =>
  Buffer.concat([clientPreface, frame(settings, 0, 0), ...more])
const plainOpen = (): Buffer => preface()
/** Stream 1, open for as long as the connection is. */
const withOpenStream = (request: FloodRequest): Buffer => preface(headOf(request, 1, { ended: false }))

/** One entry of 4 000 bytes for the dynamic table, and a block that names it as often as fits in a frame (RFC 7541 §6.1, §6.2.1). */
const bombEntry = Buffer.concat([Buffer.from([0x40, 1, 0x62, 0x7f, 0xa1, 0x1e]), Buffer.alloc(4000, 'b')])
const bombBlock = Buffer.alloc(16_000, 0x80 | 62)

export const floodKinds: readonly FloodKind[] = [
  {
    name: 'rapid reset',
    connections: 1,
    isDeaf: false,
    open: plainOpen,
    burst: streams(perBurst, (request, id) =>
      Buffer.concat([headOf(request, id, { ended: false }), frame(rstStream, 0, id, u32(8))]),
    ),
  },
  {
    name: 'resets that it provokes',
    connections: 1,
    isDeaf: false,
    open: plainOpen,
    burst: streams(perBurst, (request, id) =>
      Buffer.concat([headOf(request, id, { ended: false }), frame(windowUpdate, 0, id, u32(0))]),
    ),
  },
  {
    name: 'CONTINUATION',
    connections: 1,
    isDeaf: false,
    open: () => preface(frame(headers, 0, 1, encodeHeaders([['x-first', 'y']], false))),
    burst: same(() => repeat(perBurst, () => frame(continuation, 0, 1, encodeHeaders([['x', 'y']], false)))),
  },
  {
    name: 'SETTINGS',
    connections: 1,
    isDeaf: true,
    open: plainOpen,
    burst: same(() => repeat(perBurst, (i) => frame(settings, 0, 0, settingEntry(4, 65_535 + (i % 2))))),
  },
  {
    name: 'PING',
    connections: 1,
    isDeaf: true,
    open: plainOpen,
    burst: same(() => repeat(perBurst, () => frame(ping, 0, 0, Buffer.alloc(8)))),
  },
  {
    name: 'empty DATA',
    connections: 1,
    isDeaf: false,
    open: withOpenStream,
    burst: same(() => repeat(perBurst, () => frame(data, 0, 1))),
  },
  {
    name: 'WINDOW_UPDATE',
    connections: 1,
    isDeaf: false,
    open: withOpenStream,
    burst: same(() => repeat(perBurst, (i) => frame(windowUpdate, 0, i % 2, u32(1)))),
  },
  {
    name: 'PRIORITY',
    connections: 1,
    isDeaf: false,
    open: plainOpen,
    burst: same(() =>
      repeat(perBurst, (i) => frame(priority, 0, 2 * i + 1, Buffer.concat([u32(0), Buffer.of(1)]))),
    ),
  },
  {
    name: 'tiny windows',
    connections: 4,
    isDeaf: false,
    open: (request) =>
      preface(
        frame(settings, 0, 0, settingEntry(4, 1)),
        repeat(20, (i) => {
          const id = 2 * i + 1
          const asked = request.ask('/large')
          const head = headOf(request, id, { ended: asked === undefined, path: '/large' })
          return asked === undefined ? head : Buffer.concat([head, frame(data, 0, id, asked)])
        }),
      ),
    burst: same(() => repeat(20, (i) => frame(windowUpdate, 0, 2 * i + 1, u32(1)))),
  },
  {
    name: 'header bombs',
    connections: 1,
    isDeaf: false,
    open: plainOpen,
    burst: streams(4, (_request, id) =>
      frame(headers, endHeaders | endStream, id, id === 1 ? bombEntry : bombBlock),
    ),
  },
  {
    name: 'slow preface',
    connections: 200,
    isDeaf: false,
    open: () => clientPreface.subarray(0, 1),
    burst: (_request, id) => ({ bytes: nothing, nextId: id }),
  },
  {
    name: 'unread answers',
    connections: 1,
    isDeaf: true,
    open: plainOpen,
    burst: streams(perBurst, (request, id) => headOf(request, id, { path: '/empty' })),
  },
]

/** Requests that mean something, as many at a time as the others send frames: what a flood is compared with. */
export const honest: FloodKind = {
  name: 'honest requests',
  connections: 1,
  isDeaf: false,
  open: plainOpen,
  burst: streams(20, (request, id) => {
    const asked = request.ask('/')
    const head = headOf(request, id, { ended: asked === undefined })
    return asked === undefined ? head : Buffer.concat([head, frame(data, endStream, id, asked)])
  }),
}
