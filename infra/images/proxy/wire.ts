/** Writing to TCP, TLS and HBONE streams with as few copies as each allows, and reading into memory that is used again. */
import { Socket } from 'node:net'
import { TLSSocket } from 'node:tls'
import type { Reads } from '../shared/accept-with-reads.js'
import type { ByteStream } from '../shared/byte-stream.js'

/**
 * Who owns the memory of bytes that were read:
 * - `owned`: fresh memory, which may be kept;
 * - `shared`: the read buffer of this process, overwritten by the next read unless it is kept;
 * - `borrowed`: memory of somebody else, valid until the callback returns.
 */
export type Lease = 'owned' | 'shared' | 'borrowed'

const readBufferBytes = 64 * 1024
let readBuffer = Buffer.allocUnsafeSlow(readBufferBytes)

/**
 * Reads go to one buffer that all sockets of the process share. A read and the handling of what
 * it brought are one synchronous step, so nobody else reads meanwhile; a write that the kernel did not take at once
 * keeps the buffer, and the next read gets a new one. It saves an allocation of 64 KiB a read, and the stream machinery.
 */
export function sharedReads(onBytes: (buffer: Buffer, length: number) => void): Reads {
  return {
    buffer: () => readBuffer,
    callback: (length, buffer) => {
      onBytes(buffer as Buffer, length)
      return true
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
    if (lease === 'shared' && this.#plain) {
      const ok = socket.write(bytes)
      if (socket.writableLength > 0) readBuffer = Buffer.allocUnsafeSlow(readBufferBytes)
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
    return this.#socket?.writableLength ?? 0
  }

  /** Bytes that have left this process. For now and then: the socket adds up whatever waits. */
  get taken(): number {
    return this.#socket === undefined ? 0 : this.#socket.bytesWritten - this.#socket.writableLength
  }
}
