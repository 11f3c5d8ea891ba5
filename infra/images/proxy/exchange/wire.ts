/** Writing to TCP, TLS and HBONE streams with as few copies as each allows, and reading into memory that is used again. */
import { Socket } from 'node:net'
import { TLSSocket } from 'node:tls'
import type { Reads } from '../../kit/net/accept-with-reads.js'
import type { ByteStream } from '../../kit/net/byte-stream.js'

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
const longReadBytes = 16 * 1024
/** Memory of closed sockets, 8 MiB at most: fresh memory for each connection is what makes the garbage collector run. */
const maxSpare = 128
const spare: Buffer[] = []
/** A write has kept bytes of the read that is being handled. */
let isKept = false

/** Who owns the memory of the bytes that are being handled. */
export interface Leasing {
  readonly lease: Lease
}

/** Reads whose memory is used again. */
export interface ReusedReads extends Reads, Leasing {
  /** Call it when the socket is closed. */
  readonly release: () => void
}

/** What is done with the bytes of a read. */
type OnBytes = (buffer: Buffer, length: number, lease: Lease) => void

/**
 * Reads of a plain socket, without an allocation of 64 KiB a read and without the stream machinery. A read and its
 * handling are one step, so that all sockets share `common`, and what is written of it is copied. The first long read
 * gives a socket memory of its own.
 */
export function plainReads(onBytes: OnBytes): ReusedReads {
  return new Reading(onBytes, undefined)
}

/** Reads of a TLS socket: it may hand out bytes while those of another are handled, so that it never reads into `common`. */
export function tlsReads(onBytes: OnBytes): ReusedReads {
  return new Reading(onBytes, takeMemory())
}

const takeMemory = (): Buffer => spare.pop() ?? Buffer.allocUnsafeSlow(readBytes)

class Reading implements ReusedReads {
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
    const before = isKept
    isKept = false
    this.#onBytes(own, length, 'reused')
    if (isKept) this.#own = Buffer.allocUnsafeSlow(readBytes)
    isKept = before
    return true
  }

  readonly release = (): void => {
    if (this.#own !== undefined && spare.length < maxSpare) spare.push(this.#own)
  }
}

/** A stream with a cheap way to write. */
export class Wire {
  readonly stream: ByteStream
  readonly #socket: Socket | undefined
  readonly #plain: boolean

  constructor(stream: ByteStream) {
    this.stream = stream
    this.#socket = stream instanceof Socket ? stream : undefined
    this.#plain = this.#socket !== undefined && !(stream instanceof TLSSocket)
  }

  /** False: wait for `drain`. */
  put(bytes: Buffer, lease: Lease): boolean {
    const socket = this.#socket
    // An HBONE stream copies what it is given.
    if (socket === undefined) return this.stream.write(bytes)
    if (lease === 'owned') return socket.write(bytes)
    if (lease === 'reused' && this.#plain) {
      const ok = socket.write(bytes)
      if (socket.writableLength > 0) isKept = true
      return ok
    }
    return socket.write(Buffer.from(bytes))
  }

  putText(text: string): boolean {
    const socket = this.#socket
    return socket === undefined
      ? this.stream.write(Buffer.from(text, 'latin1'))
      : socket.write(text, 'latin1')
  }

  /** A head and the bytes after it in one write. */
  putBoth(text: string, bytes: Buffer): boolean {
    if (bytes.length > 64 * 1024) {
      this.putText(text)
      return this.put(bytes, 'borrowed')
    }
    const both = Buffer.allocUnsafe(text.length + bytes.length)
    both.write(text, 0, 'latin1')
    both.set(bytes, text.length)
    return this.put(both, 'owned')
  }

  /** Holds writes back until `uncork`, so that several go out as one. */
  cork(): void {
    this.#socket?.cork()
  }
  uncork(): void {
    this.#socket?.uncork()
  }

  /** Bytes that wait in this process. */
  get backlog(): number {
    return this.stream.writableLength
  }

  /** Bytes that have left this process. For now and then: a socket adds up whatever waits. */
  get taken(): number {
    return this.stream.bytesWritten - this.stream.writableLength
  }
}
