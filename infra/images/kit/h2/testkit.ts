/** HTTP/2 by hand, right or wrong: what conformance tests say to a peer, and what it answers. */
import type { Socket } from 'node:net'
import { FrameReader, clientPreface, flag, frameType } from './frames.js'

export interface RawFrame {
  readonly type: number
  readonly flags: number
  readonly streamId: number
  readonly payload: Buffer
}

/** A client that speaks frames by hand, right or wrong. */
export interface RawClient {
  readonly socket: Socket
  readonly frames: RawFrame[]
  /** Resolves with the first frame, past or to come, that fits; rejects when the connection closes without one. */
  next(matches: (frame: RawFrame) => boolean): Promise<RawFrame>
  send(...frames: Buffer[]): void
}

export function frame(type: number, flags: number, streamId: number, payload: Buffer | string = ''): Buffer {
  const body = Buffer.from(payload)
  const header = Buffer.alloc(9)
  header.writeUIntBE(body.length, 0, 3)
  header[3] = type
  header[4] = flags
  header.writeUInt32BE(streamId, 5)
  return Buffer.concat([header, body])
}

/** Big-endian 32-bit numbers, as most payloads are made of. */
export function u32(...values: number[]): Buffer {
  const bytes = Buffer.alloc(values.length * 4)
  values.forEach((value, i) => bytes.writeUInt32BE(value >>> 0, i * 4))
  return bytes
}

/** One entry of a SETTINGS payload. */
export function settingEntry(id: number, value: number): Buffer {
  const bytes = Buffer.alloc(6)
  bytes.writeUInt16BE(id, 0)
  bytes.writeUInt32BE(value, 2)
  return bytes
}

/** Gathers the frames that come in on a connected socket. With `preface` it begins as a client has to. */
export function speakFrames(socket: Socket, preface = true): RawClient {
  const frames: RawFrame[] = []
  let check = (): void => {}
  let closed = false
  const data: Buffer[] = []
  const reader = new FrameReader({
    onFrameHeader() {},
    onData(streamId, bytes, from, to, last, endStream) {
      data.push(Buffer.from(bytes.subarray(from, to)))
      if (!last) return
      const payload = Buffer.concat(data.splice(0))
      frames.push({ type: frameType.data, flags: endStream ? flag.endStream : 0, streamId, payload })
      check()
    },
    onFrame(type, flags, streamId, bytes, from, to) {
      frames.push({ type, flags, streamId, payload: Buffer.from(bytes.subarray(from, to)) })
      check()
    },
  })
  socket.on('data', (chunk: Buffer) => {
    reader.read(chunk)
  })
  socket.on('error', () => {})
  socket.on('close', () => {
    closed = true
    check()
  })
  if (preface) socket.write(Buffer.concat([clientPreface, frame(frameType.settings, 0, 0)]))
  return {
    socket,
    frames,
    send(...parts) {
      socket.write(Buffer.concat(parts))
    },
    async next(matches) {
      return new Promise((resolve, reject) => {
        check = () => {
          const found = frames.find(matches)
          if (found) resolve(found)
          else if (closed)
            reject(new Error(`closed without it; got ${frames.map(({ type }) => type).join()}`))
        }
        check()
      })
    },
  }
}

/** As narrow as tests can reach. */
export const limits = {
  streamsPerConnection: 100,
  headerBytes: 4096,
  headerCount: 50,
  continuationFrames: 4,
  resetsPerSecond: 100,
  controlFramesPerSecond: 1000,
  streamWindowBytes: 65_535,
}
