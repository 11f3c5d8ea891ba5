/** The part of a socket that a data plane needs, so that TCP, TLS and HBONE streams can be joined to each other. */
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
