/** Floods of HTTP/2: what a hostile client sends over and over, as bytes. */
import { clientPreface, flag, frameType } from '../../kit/h2/frames.js'
import { type HeaderField, encodeHeaders } from '../../kit/h2/hpack.js'
import { frame, settingEntry, u32 } from '../../kit/h2/testkit.js'

/** A request as the target wants it, and the bytes that ask for a large answer after it. */
export interface FloodRequest {
  /** `ended`: nothing follows the head. */
  head(ended: boolean, path?: string): readonly HeaderField[]
  /** What asks inside of the stream, where the head alone does not. */
  ask(path: string): Buffer | undefined
}

export interface FloodKind {
  readonly name: string
  /** At once; 1 by default. */
  readonly connections?: number
  /** Answers are left in the kernel; by default they are read. */
  readonly isDeaf?: boolean
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

/** A whole request for `path`, whether the head alone asks for it or bytes behind it do. */
function ask(request: FloodRequest, id: number, path: string, flags = 0): Buffer {
  const asked = request.ask(path)
  const head = headOf(request, id, { ended: asked === undefined, path })
  return asked === undefined ? head : Buffer.concat([head, frame(data, flags, id, asked)])
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
    open: plainOpen,
    burst: streams(perBurst, (request, id) =>
      Buffer.concat([headOf(request, id, { ended: false }), frame(rstStream, 0, id, u32(8))]),
    ),
  },
  {
    name: 'resets that it provokes',
    open: plainOpen,
    burst: streams(perBurst, (request, id) =>
      Buffer.concat([headOf(request, id, { ended: false }), frame(windowUpdate, 0, id, u32(0))]),
    ),
  },
  {
    name: 'CONTINUATION',
    open: () => preface(frame(headers, 0, 1, encodeHeaders([['x-first', 'y']], false))),
    burst: same(() => repeat(perBurst, () => frame(continuation, 0, 1, encodeHeaders([['x', 'y']], false)))),
  },
  {
    name: 'SETTINGS',
    isDeaf: true,
    open: plainOpen,
    burst: same(() => repeat(perBurst, (i) => frame(settings, 0, 0, settingEntry(4, 65_535 + (i % 2))))),
  },
  {
    name: 'PING',
    isDeaf: true,
    open: plainOpen,
    burst: same(() => repeat(perBurst, () => frame(ping, 0, 0, Buffer.alloc(8)))),
  },
  {
    name: 'empty DATA',
    open: withOpenStream,
    burst: same(() => repeat(perBurst, () => frame(data, 0, 1))),
  },
  {
    name: 'WINDOW_UPDATE',
    open: withOpenStream,
    burst: same(() => repeat(perBurst, (i) => frame(windowUpdate, 0, i % 2, u32(1)))),
  },
  {
    name: 'PRIORITY',
    open: plainOpen,
    burst: same(() =>
      repeat(perBurst, (i) => frame(priority, 0, 2 * i + 1, Buffer.concat([u32(0), Buffer.of(1)]))),
    ),
  },
  {
    name: 'tiny windows',
    connections: 4,
    open: (request) =>
      preface(
        frame(settings, 0, 0, settingEntry(4, 1)),
        repeat(20, (i) => ask(request, 2 * i + 1, '/large')),
      ),
    burst: same(() => repeat(20, (i) => frame(windowUpdate, 0, 2 * i + 1, u32(1)))),
  },
  {
    name: 'header bombs',
    open: plainOpen,
    burst: streams(4, (_request, id) =>
      frame(headers, endHeaders | endStream, id, id === 1 ? bombEntry : bombBlock),
    ),
  },
  {
    name: 'slow preface',
    connections: 200,
    open: () => clientPreface.subarray(0, 1),
    burst: (_request, id) => ({ bytes: nothing, nextId: id }),
  },
  {
    name: 'unread answers',
    isDeaf: true,
    open: plainOpen,
    burst: streams(perBurst, (request, id) => headOf(request, id, { path: '/empty' })),
  },
]

/** Requests that mean something, as many at a time as the others send frames: what a flood is compared with. */
export const honest: FloodKind = {
  name: 'honest requests',
  open: plainOpen,
  burst: streams(20, (request, id) => ask(request, id, '/', endStream)),
}
