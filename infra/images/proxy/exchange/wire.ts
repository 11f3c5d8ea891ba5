/** Writing to TCP, TLS and HBONE streams with as few copies as each allows. */
import { Socket } from 'node:net'
import { TLSSocket } from 'node:tls'
import { chunkOf } from '../../kit/http1/chunked.js'
import type { ByteStream } from '../../kit/net/byte-stream.js'
import { type Lease, keepRead, longReadBytes } from '../../kit/net/reads.js'
import type { Fields } from './message.js'

/** Sockets that have something to send when every connection that is ready has been read. */
let waiting: Socket[] = []

/**
 * Small messages of one turn of the event loop leave together at its end: who is written to is then woken once for many
 * and not, at the cost of whoever writes, for each.
 */
function gather(socket: Socket): void {
  if (!isBusy() || socket.writableCorked > 0) return
  socket.cork()
  if (waiting.push(socket) === 1) setImmediate(flush)
}

/** So many messages within so many ms, 6 400 a second, are worth it; one by one, gathering costs more than it saves. */
const busyMessages = 64
const busyMs = 10
let messages = 0
let sinceMs = 0
let wasBusy = false

function isBusy(): boolean {
  messages += 1
  if (messages < busyMessages) return wasBusy
  const nowMs = Date.now()
  wasBusy = nowMs - sinceMs < busyMs
  sinceMs = nowMs
  messages = 0
  return wasBusy
}

function flush(): void {
  const sockets = waiting
  waiting = []
  for (const socket of sockets) socket.uncork()
}

/** Content that is not longer is copied rather than written between two lines. */
const copiedBytes = 4096

/** What ends a chunked body (RFC 9112 §7.1.2). */
export function chunkedEnd(trailers: Fields | undefined): string {
  let text = '0\r\n'
  const list = trailers?.list ?? []
  for (let i = 0; i < list.length; i += 2) text += `${list[i]}: ${list[i + 1]}\r\n`
  return text + '\r\n'
}

/** What is written now goes straight to the socket's handle. */
function isIdle(socket: Socket): boolean {
  return socket.writableLength === 0 && socket.writableCorked === 0 && !socket.connecting
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
    if (bytes.length < longReadBytes) gather(socket)
    // TLS has encrypted, or else copied, all of one piece when `write` returns, if the piece did not have to wait.
    if (lease === 'owned' || (!this.#plain && isIdle(socket))) return socket.write(bytes)
    if (lease === 'borrowed') return socket.write(Buffer.from(bytes))
    const ok = socket.write(bytes)
    if (socket.writableLength > 0) keepRead()
    return ok
  }

  putText(text: string): boolean {
    const socket = this.#socket
    if (socket === undefined) return this.stream.write(Buffer.from(text, 'latin1'))
    gather(socket)
    return socket.write(text, 'latin1')
  }

  /** Content as a chunk (RFC 9112 §7.1). What has to be copied anyway, or is no more than its framing, goes on in one write. */
  putChunk(bytes: Buffer, lease: Lease): boolean {
    if (lease !== 'owned' || bytes.length <= copiedBytes) return this.put(chunkOf(bytes), 'owned')
    this.cork()
    this.putText(`${bytes.length.toString(16)}\r\n`)
    this.put(bytes, lease)
    const ok = this.putText('\r\n')
    this.uncork()
    return ok
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

  /** Sends what was gathered: the connection is about to be cut. */
  sendNow(): void {
    const socket = this.#socket
    while (socket !== undefined && socket.writableCorked > 0) socket.uncork()
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
