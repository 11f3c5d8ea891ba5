/** Accepts plain TCP connections whose reads go to memory of our choice, which `net.Server` has no option for. */
import { type Server, Socket } from 'node:net'

/** Node's documented `onread`: where a read goes, and what to do with it. */
export interface Reads {
  readonly buffer: Buffer | (() => Buffer)
  readonly callback: (bytes: number, buffer: Uint8Array) => boolean
  /** Called when the socket is closed, so that its memory may be used again. */
  readonly release?: () => void
}

/** What Node's server keeps to itself: the handle that hands out accepted connections. */
interface ServerInternals {
  readonly _handle?: { onconnection?: (error: number, client?: { close(): void }) => void }
}

/**
 * Sockets come paused, with half-close and without Nagle. Call it when the server listens. `reads` gets a function, as
 * the socket is made with what it returns. Without Node's internals the server goes on to make its own sockets.
 */
export function acceptWithReads<R extends Reads>(
  server: Server,
  options: {
    readonly hasRoom: () => boolean
    readonly reads: (socket: () => Socket) => R
    /** Bytes that a socket takes before `write` says to wait. */
    readonly highWaterMark: number
  },
  accept: (socket: Socket, reads: R) => void,
): void {
  const handle = (server as unknown as ServerInternals)._handle
  if (typeof handle?.onconnection !== 'function') return
  handle.onconnection = (error, client) => {
    if (error !== 0 || !client) return
    if (!options.hasRoom()) {
      client.close()
      return
    }
    const reads = options.reads(() => socket)
    const settings = {
      handle: client,
      allowHalfOpen: true,
      pauseOnCreate: true,
      writableHighWaterMark: options.highWaterMark,
      onread: reads,
    }
    const socket: Socket = new Socket(settings)
    socket.pause()
    socket.setNoDelay(true)
    if (reads.release) socket.once('close', reads.release)
    accept(socket, reads)
  }
}
