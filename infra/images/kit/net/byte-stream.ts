/** The part of a socket that a data plane needs, so that TCP, TLS and HBONE streams can be joined to each other. */
import { Socket } from 'node:net'
import { Duplex } from 'node:stream'

/**
 * A two-way stream of bytes with half-close. `net.Socket` opened with `allowHalfOpen` is one; an HBONE stream is one too.
 * `error`, if there is one, comes before `close`; `close` comes exactly once.
 */
export interface ByteStream {
  /** Returns false when the other side is slow: wait for `drain` before writing more. */
  write(chunk: Uint8Array): boolean
  /** Half-close: what was written still goes out, and the other side's bytes still come in. */
  end(): unknown
  /** Ends both directions at once; the peer sees a reset when the stream was not finished. */
  destroy(error?: Error): unknown
  pause(): unknown
  resume(): unknown
  readonly destroyed: boolean
  /** Bytes that were written and wait in this process. */
  readonly writableLength: number
  /** Bytes that were written, those that wait among them. */
  readonly bytesWritten: number
  on(event: 'data', listener: (chunk: Buffer) => void): unknown
  on(event: 'end' | 'drain' | 'close', listener: () => void): unknown
  on(event: 'error', listener: (error: Error) => void): unknown
}

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

/** Ends a stream so that the peer cannot mistake it for finished: RST instead of FIN on a TCP socket. */
export function reset(stream: ByteStream): void {
  if (stream instanceof Socket) stream.resetAndDestroy()
  else stream.destroy()
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

/** Makes a `stream.Duplex` of a byte stream, for code that insists on one (such as `node:http2` inside HBONE). */
export function toDuplex(stream: ByteStream): Duplex {
  if (stream instanceof Duplex) return stream
  let pendingWrite: (() => void) | undefined
  let closed = false
  const duplex = new Duplex({
    allowHalfOpen: true,
    read() {
      stream.resume()
    },
    write(chunk: Buffer, _encoding, done) {
      if (stream.write(chunk)) done()
      else pendingWrite = done
    },
    final(done) {
      stream.end()
      done()
    },
    destroy(error, done) {
      if (!closed) stream.destroy(error ?? undefined)
      done(error)
    },
  })
  stream.on('drain', () => {
    const done = pendingWrite
    pendingWrite = undefined
    done?.()
  })
  stream.on('data', (chunk) => {
    if (!duplex.push(chunk)) stream.pause()
  })
  stream.on('end', () => {
    duplex.push(null)
  })
  stream.on('error', (error) => {
    duplex.destroy(error)
  })
  stream.on('close', () => {
    closed = true
    if (!duplex.readableEnded || !duplex.writableFinished) {
      // Bytes that are already buffered may still be read: destroy only a stream that was cut.
      if (!duplex.readable || !duplex.writableEnded) duplex.destroy()
    }
  })
  return duplex
}
