/** Joins two streams as a tunnel does: bytes, ends, resets and back-pressure cross over. */
import { Socket } from 'node:net'
import type { ByteStream } from './byte-stream.js'
import { endedByReset, reset } from './reset.js'

/** Called with the number of bytes that moved. */
export type ByteCounter = (bytes: number) => void

export interface SpliceOptions {
  /** Bytes that came from `a`, counted as they are handed to `b`. */
  readonly aToB?: ByteCounter
  readonly bToA?: ByteCounter
  /** Called once, when both sides are closed. */
  readonly onClose?: () => void
}

/**
 * Joins two streams: bytes, end of stream and back-pressure cross over, and a reset of one becomes a reset of the other.
 * A stream that closes before both its directions ended takes the other with it, so that neither side mistakes a cut
 * transfer for a whole one.
 */
export function splice(a: ByteStream, b: ByteStream, options: SpliceOptions = {}): void {
  let open = 2
  const closed = (): void => {
    open -= 1
    if (open === 0) options.onClose?.()
  }
  join(a, b, options.aToB, closed)
  join(b, a, options.bToA, closed)
}

/**
 * A large transfer comes out of TLS as one piece per record. From this size on the pieces of one turn of the event loop
 * are gathered into one system call, which is where most of the cost of a large transfer lies.
 */
const bulkBytes = 8192

function join(from: ByteStream, to: ByteStream, count: ByteCounter | undefined, closed: () => void): void {
  let ended = false
  const socket = to instanceof Socket ? to : undefined
  let isGathering = false
  const flush = (): void => {
    isGathering = false
    socket?.uncork()
  }
  from.on('data', (chunk) => {
    count?.(chunk.length)
    if (socket !== undefined && !isGathering && chunk.length >= bulkBytes) {
      isGathering = true
      socket.cork()
      setImmediate(flush)
    }
    if (!to.write(chunk)) from.pause()
  })
  to.on('drain', () => {
    from.resume()
  })
  from.on('end', () => {
    if (endedByReset(from)) {
      from.destroy()
      return
    }
    ended = true
    to.end()
  })
  from.on('error', () => {
    reset(to)
  })
  from.on('close', () => {
    if (!ended) reset(to)
    closed()
  })
}
