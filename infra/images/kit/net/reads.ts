/** Reading into memory that is used again, of plain sockets and of TLS sockets, dialled or accepted. */
import type { Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'
import type { Reads } from './accept-with-reads.js'

/**
 * Who owns the memory of bytes that were read:
 * - `owned`: fresh memory, which may be kept;
 * - `reused`: the memory that its socket reads into, overwritten by that socket's next read unless a write keeps it;
 * - `borrowed`: memory of somebody else, valid until the callback returns.
 */
export type Lease = 'owned' | 'reused' | 'borrowed'

const readBytes = 64 * 1024
/** What all plain sockets read into at first. It stays in the CPU's cache, which 64 KiB for each socket do not. */
const common = Buffer.allocUnsafeSlow(readBytes)
/** A read of this size is of a long transfer, in which a copy of every write would cost more than memory of its own. */
export const longReadBytes = 16 * 1024
/** TLS gives at most a record at a time. */
const tlsReadBytes = 16 * 1024
/** Memory of closed sockets, 8 MiB at most: fresh memory for each connection is what makes the garbage collector run. */
const maxSpare = 128
const spare: Buffer[] = []
/** A write has kept bytes of the read that is being handled. */
let isKept = false

/** Whoever writes bytes of a read, and sees that they were not taken at once, says so: the next read gets other memory. */
export function keepRead(): void {
  isKept = true
}

/** Calls `use` with bytes whose memory is used again afterwards. True: a write keeps them, so that it may not be. */
export function lend(use: () => void): boolean {
  const before = isKept
  isKept = false
  use()
  const kept = isKept
  isKept = before
  return kept
}

/** Who owns the memory of the bytes that are being handled. */
export interface Leasing {
  readonly lease: Lease
}

/** What is done with the bytes of a read. */
export type OnBytes = (buffer: Buffer, length: number, lease: Lease) => void

/**
 * Reads of a plain socket, without an allocation of 64 KiB a read and without the stream machinery. A read and its
 * handling are one step, so that all sockets share `common`, and what is written of it is copied. The first long read
 * gives a socket memory of its own.
 */
export function plainReads(onBytes: OnBytes): ReusedReads {
  return new ReusedReads(onBytes, undefined)
}

/** Reads of a TLS socket: it may hand out bytes while those of another are handled, so that it never reads into `common`. */
export function tlsReads(onBytes: OnBytes): ReusedReads {
  return new ReusedReads(onBytes, Buffer.allocUnsafeSlow(tlsReadBytes))
}

/** Hands bytes on as the event `data` of their socket, which may not be there yet. */
export const emitData =
  (socket: () => Socket): OnBytes =>
  (buffer, length) => {
    socket().emit('data', buffer.subarray(0, length))
  }

const takeMemory = (): Buffer => spare.pop() ?? Buffer.allocUnsafeSlow(readBytes)

/** Reads whose memory is used again. */
export class ReusedReads implements Reads, Leasing {
  readonly #onBytes: OnBytes
  /**
   * Of this socket alone: a write that the kernel did not take at once keeps it, and the next read gets other. Shared
   * memory could be kept by a write for one socket and overwritten by a read of another, since a socket asks for memory
   * after its own reads only. Pages that were never read into cost nothing.
   */
  #own: Buffer | undefined
  lease: Lease = 'borrowed'

  constructor(onBytes: OnBytes, own: Buffer | undefined) {
    this.#onBytes = onBytes
    this.#own = own
  }

  readonly buffer = (): Buffer => this.#own ?? common

  readonly callback = (length: number): boolean => {
    const own = this.#own
    if (own === undefined) {
      this.#onBytes(common, length, 'borrowed')
      if (length >= longReadBytes) this.#own = takeMemory()
      return true
    }
    this.lease = 'reused'
    const kept = lend(() => {
      this.#onBytes(own, length, 'reused')
    })
    if (kept) this.#own = Buffer.allocUnsafeSlow(own.length)
    return true
  }

  /** Call it when the socket is closed. */
  readonly release = (): void => {
    if (this.#own?.length === readBytes && spare.length < maxSpare) spare.push(this.#own)
  }
}

/** What Node keeps to itself: how `onread` of its options is kept, and what the handle is told of it. */
interface UserBuffer {
  readonly _handle?: { useUserBuffer?: (buffer: Uint8Array) => void } | null
  [key: symbol]: unknown
}

/**
 * Gives an accepted TLS socket what the option `onread` would, which Node takes of those alone who dial. Its bytes come as
 * `data`, in memory that is valid during the event, unless `keepRead` is called. Without Node's internals nothing changes
 * but that every read has memory of its own.
 */
export function reuseReads(socket: TLSSocket): void {
  const internals = socket as unknown as UserBuffer
  const keys = new Map(Object.getOwnPropertySymbols(socket).map((key) => [key.description, key]))
  const [buffer, callback, generate] = ['kBuffer', 'kBufferCb', 'kBufferGen'].map((name) => keys.get(name))
  const handle = internals._handle
  if (buffer === undefined || callback === undefined || generate === undefined || !handle?.useUserBuffer)
    return
  const reads = tlsReads(emitData(() => socket))
  const first = reads.buffer()
  internals[buffer] = first
  internals[callback] = reads.callback
  internals[generate] = reads.buffer
  handle.useUserBuffer(first)
  socket.once('close', reads.release)
}
