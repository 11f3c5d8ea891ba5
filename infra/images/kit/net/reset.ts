/** A reset (RST) and an orderly end (FIN) of a connection, told apart when they come in and kept apart when they go out. */
import { readSync } from 'node:fs'
import { Socket } from 'node:net'
import { TLSSocket } from 'node:tls'
import type { ByteStream } from './byte-stream.js'

/** What Node keeps to itself: descriptor and, under TLS, the handle of the TCP connection. */
interface Handle {
  readonly fd?: number
  readonly _parent?: Handle
  close?(done: () => void): void
  reset?(done: () => void): void
  getpeername?(into: object): number
}
const handleOf = (socket: Socket): Handle | null =>
  (socket as unknown as { readonly _handle: Handle | null })._handle

const oneByte = Buffer.alloc(1)

/**
 * Whether the end of a socket that has just emitted `end` was a reset. libuv reports the end as soon as a connection has
 * hung up and a read did not fill its buffer, so that bytes with a reset behind them look as if they were whole; the
 * kernel still has the error for whoever reads once more. Nothing is taken: after an end there is nothing to read.
 */
export function endedByReset(stream: ByteStream): boolean {
  if (!(stream instanceof Socket)) return false
  const fd = handleOf(stream)?.fd
  if (fd === undefined || fd < 0) return false
  try {
    readSync(fd, oneByte, 0, 1, null)
    return false
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'EAGAIN'
  }
}

/**
 * Whether a connection that nobody reads from at the moment is gone: the kernel then knows no peer any more. True as
 * well for one that both sides have ended.
 */
export function isDisconnected(stream: ByteStream): boolean {
  if (!(stream instanceof Socket)) return stream.destroyed
  const handle = handleOf(stream)
  return handle === null || (handle.getpeername?.({}) ?? 0) !== 0
}

/** Ends a stream so that the peer cannot mistake it for finished: RST on TCP and on TLS, RST_STREAM on HBONE. */
export function reset(stream: ByteStream): void {
  if (stream instanceof TLSSocket) resetUnder(stream)
  else stream.resetAndDestroy()
}

/** `resetAndDestroy` knows TCP alone, and takes care of events that a reset of the handle would leave out. */
function resetUnder(socket: TLSSocket): void {
  const tcp = handleOf(socket)?._parent
  if (tcp?.reset !== undefined) tcp.close = (done) => tcp.reset?.(done)
  socket.destroy()
}
