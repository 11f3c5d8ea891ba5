/** What is wrong with an HTTP/2 frame: by itself (RFC 9113 §6), and where it comes on its stream (§5.1, §8.1). */
import { ConnectionError, errorCode, flag, frameType } from '../frames.js'
import type { HeaderList } from '../hpack.js'
import type { H2Stream } from '../stream.js'

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

/** Ends a stream and not its connection. */
export interface StreamFault {
  readonly code: number
  readonly message: string
}

/** Of DATA that was counted against the stream's window already. */
export function faultOfData(stream: H2Stream): StreamFault | undefined {
  if (stream.remoteEnded) return { code: errorCode.streamClosed, message: 'DATA after END_STREAM' }
  if (stream.awaitsHead) return { code: errorCode.protocol, message: 'DATA before a head' }
  if (stream.receiveWindow < 0) return { code: errorCode.flowControl, message: 'more DATA than its window' }
  return undefined
}

/** Of fields on a stream that is open: the head of an answer, or trailers, which end the stream. */
export function faultOfList(stream: H2Stream, list: HeaderList, ended: boolean): StreamFault | undefined {
  if (stream.remoteEnded) return { code: errorCode.streamClosed, message: 'HEADERS after END_STREAM' }
  if (stream.awaitsHead)
    return ended && isInformational(list)
      ? protocolFault('an informational answer that ends its stream')
      : undefined
  const hasPseudo = list.fields.some((name, i) => i % 2 === 0 && name.startsWith(':'))
  if (!ended || list.isTooLarge || hasPseudo) return protocolFault('HEADERS that are no trailers')
  return stream.contentLeft > 0 ? protocolFault('less content than announced') : undefined
}

const protocolFault = (message: string): StreamFault => ({ code: errorCode.protocol, message })

/** The head of a 1xx answer, after which another follows. */
export const isInformational = (list: HeaderList): boolean =>
  list.fields[0] === ':status' && list.fields[1]?.charCodeAt(0) === 49
