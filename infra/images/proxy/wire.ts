/** Writing to TCP, TLS and HBONE streams with as few copies as each allows, and reading into memory that is used again. */
import { Socket } from 'node:net'
import { TLSSocket } from 'node:tls'
import type { Reads } from '../shared/accept-with-reads.js'
import type { ByteStream } from '../shared/byte-stream.js'

/**
 * Who owns the memory of bytes that were read:
 * - `owned`: fresh memory, which may be kept;
 * - `reused`: the memory that its socket reads into, overwritten by that socket's next read unless a write keeps it;
 * - `borrowed`: memory of somebody else, valid until the callback returns.
 */
export type Lease = 'owned' | 'reused' | 'borrowed'

const readBytes = 64 * 1024
/** Memory of closed sockets, 8 MiB at most: fresh memory for each connection is what makes the garbage collector run. */
const maxSpare = 128
const spare: Buffer[] = []
/** A write has kept bytes of the read that is being handled. */
let isKept = false

/** Reads whose memory is used again. */
export interface ReusedReads extends Reads {
  /** Call it when the socket is closed. */
  readonly release: () => void
}

/**
 * Reads of one socket that all go to the same memory, which saves an allocation of 64 KiB a read, and the stream
 * machinery. A write that the kernel did not take at once keeps that memory, and the next read gets other. It has to be
 * the socket's own: a socket asks for memory after its own reads only, so what several shared could be kept by a write
 * for one and overwritten by a read of another. Pages that were never read into cost nothing.
 */
export function reuseReads(onBytes: (buffer: Buffer, length: number) => void): ReusedReads {
  let memory = spare.pop() ?? Buffer.allocUnsafeSlow(readBytes)
  return {
    buffer: () => memory,
    callback: (length) => {
      // TLS may hand out bytes of one socket while those of another are handled.
      const before = isKept
      isKept = false
      onBytes(memory, length)
      if (isKept) memory = Buffer.allocUnsafeSlow(readBytes)
      isKept = before
      return true
    },
    release: () => {
      if (spare.length < maxSpare) spare.push(memory)
    },
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
