/** What a peer may ask of a connection; and SETTINGS (RFC 9113 §6.5): what it may announce, checked, and ours, encoded. */
import { ConnectionError, defaultMaxFrame, errorCode, maxWindow, setting } from './frames.js'

export interface ConnectionLimits {
  /** Streams that a client may have open: SETTINGS_MAX_CONCURRENT_STREAMS. */
  readonly streamsPerConnection: number
  /** Of one head: names, values and 32 bytes for each field. */
  readonly headerBytes: number
  readonly headerCount: number
  readonly continuationFrames: number
  readonly resetsPerSecond: number
  readonly controlFramesPerSecond: number
  /** What it may send ahead of a stream's reader. */
  readonly streamWindowBytes: number
}

/** There are a dozen settings: a frame of thousands says some again and again, each of which may move the window of every stream. */
const maxEntries = 32

export type Settings = readonly (readonly [id: number, value: number])[]

/** Throws `ConnectionError` for a frame or a value that no peer may send. `fromServer`: who sent it. */
export function readSettings(payload: Buffer, fromServer: boolean): Settings {
  if (payload.length % 6 !== 0) throw new ConnectionError(errorCode.frameSize, 'SETTINGS of an odd size')
  if (payload.length > 6 * maxEntries)
    throw new ConnectionError(errorCode.enhanceYourCalm, 'SETTINGS without end')
  const settings: [number, number][] = []
  for (let at = 0; at < payload.length; at += 6) {
    const id = payload.readUInt16BE(at)
    const value = payload.readUInt32BE(at + 2)
    if (id === setting.initialWindowSize && value > maxWindow) {
      throw new ConnectionError(errorCode.flowControl, 'a window above 2^31-1')
    }
    if (id === setting.maxFrameSize && (value < defaultMaxFrame || value > 0xff_ffff)) {
      throw new ConnectionError(errorCode.protocol, 'a bad frame size')
    }
    if (id === setting.enablePush && (value > 1 || (value === 1 && fromServer))) {
      throw new ConnectionError(errorCode.protocol, 'a bad ENABLE_PUSH')
    }
    settings.push([id, value])
  }
  return settings
}

export function encodeSettings(settings: Settings): Buffer {
  const payload = Buffer.alloc(settings.length * 6)
  for (const [i, [id, value]] of settings.entries()) {
    payload.writeUInt16BE(id, i * 6)
    payload.writeUInt32BE(value, i * 6 + 2)
  }
  return payload
}
