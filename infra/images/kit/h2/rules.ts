/** What is wrong with an HTTP/2 frame by itself, whatever the state of its connection: RFC 9113 §6. */
import { ConnectionError, errorCode, flag, frameType } from './frames.js'

interface Rule {
  readonly name: string
  /** `stream`: not on stream 0. `connection`: only there. */
  readonly on?: 'stream' | 'connection'
  readonly bytes?: number
  readonly minBytes?: number
}

const rules: Readonly<Record<number, Rule>> = {
  [frameType.data]: { name: 'DATA', on: 'stream' },
  [frameType.headers]: { name: 'HEADERS', on: 'stream' },
  [frameType.priority]: { name: 'PRIORITY', on: 'stream', bytes: 5 },
  [frameType.rstStream]: { name: 'RST_STREAM', on: 'stream', bytes: 4 },
  [frameType.settings]: { name: 'SETTINGS', on: 'connection' },
  [frameType.ping]: { name: 'PING', on: 'connection', bytes: 8 },
  [frameType.goaway]: { name: 'GOAWAY', on: 'connection', minBytes: 8 },
  [frameType.windowUpdate]: { name: 'WINDOW_UPDATE', bytes: 4 },
}

/** Throws `ConnectionError` for a frame on the wrong kind of stream, of a wrong size, or that no client may send. */
export function checkFrame(type: number, flags: number, streamId: number, length: number): void {
  if (type === frameType.pushPromise)
    throw new ConnectionError(errorCode.protocol, 'PUSH_PROMISE is disabled')
  const rule = rules[type]
  // RFC 9113 §5.5: frames of unknown types are ignored.
  if (rule === undefined) return
  const { name, on, bytes, minBytes = 0 } = rule
  if (on === 'stream' && streamId === 0) throw new ConnectionError(errorCode.protocol, `${name} on stream 0`)
  if (on === 'connection' && streamId !== 0)
    throw new ConnectionError(errorCode.protocol, `${name} on a stream`)
  if ((bytes !== undefined && length !== bytes) || length < minBytes) {
    throw new ConnectionError(errorCode.frameSize, `${name} of ${length} bytes`)
  }
  if (type === frameType.settings && (flags & flag.ack) !== 0 && length > 0) {
    throw new ConnectionError(errorCode.frameSize, 'SETTINGS ACK with content')
  }
}
