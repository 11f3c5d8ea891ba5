/** The part of a socket that a data plane needs, so that TCP, TLS and HBONE streams can be joined to each other. */
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
  /** The same, and the peer sees a reset in any case. */
  resetAndDestroy(): unknown
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
