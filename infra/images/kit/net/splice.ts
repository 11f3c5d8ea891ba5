/** Joins two streams as a tunnel does: bytes, ends, resets and back-pressure cross over. */
import { Socket } from 'node:net'
import type { ByteStream } from './byte-stream.js'
import { Gatherer } from './gatherer.js'
import { keepRead } from './reads.js'
import { endedByReset, reset } from './reset.js'

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

/** From this size on pieces are part of a large transfer: out of TLS it comes as one piece per record. */
const bulkBytes = 8192

/** The bytes of `from` are valid during its event alone, unless `keepRead` says that they are kept. */
function join(from: ByteStream, to: ByteStream, count: ByteCounter | undefined, closed: () => void): void {
  let ended = false
  /** `to` has said all and wants no more. */
  let isUnwanted = false
  // A stream of HBONE copies what it is given.
  const socket = to instanceof Socket ? to : undefined
  const gatherer = socket && new Gatherer(socket)
  const put = (chunk: Buffer): boolean => {
    if (socket === undefined || gatherer === undefined) return to.write(chunk)
    if (chunk.length >= bulkBytes || !gatherer.isEmpty) return gatherer.add(chunk)
    const goOn = socket.write(chunk)
    if (socket.writableLength > 0) keepRead()
    return goOn
  }
  from.on('data', (chunk) => {
    if (isUnwanted) return
    count?.(chunk.length)
    if (!put(chunk)) from.pause()
  })
  to.on('drain', () => {
    from.resume()
  })
  to.on('close', () => {
    isUnwanted = true
    // Its end is still to be seen.
    from.resume()
  })
  from.on('end', () => {
    if (endedByReset(from)) {
      from.destroy()
      return
    }
    ended = true
    gatherer?.flush()
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
