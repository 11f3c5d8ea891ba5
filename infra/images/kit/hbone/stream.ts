/** One CONNECT stream as a byte stream: half-close, reset and back-pressure as a socket has them, without its cost. */
import { EventEmitter } from 'node:events'
import type { ByteStream } from '../net/byte-stream.js'
import { errorCode } from '../h2/frames.js'

/** What a stream asks of its connection. */
export interface StreamHost {
  /** True while the TLS socket cannot take more. */
  readonly blocked: boolean
  /** Sends as much as both windows allow and returns how much that was. The bytes are copied. */
  sendData(stream: HboneStream, bytes: Uint8Array): number
  sendEnd(stream: HboneStream): void
  sendReset(stream: HboneStream, code: number): void
  /** The stream waits for window or socket: call its `pump` when there is some. */
  wait(stream: HboneStream): void
  /** Bytes were delivered: the peer may send as many again. */
  credit(stream: HboneStream, bytes: number): void
  /** Both directions are over. */
  forget(stream: HboneStream): void
}

/** A stream that the peer or the network cut, with the HTTP/2 error code when there was one. */
export class StreamResetError extends Error {
  readonly code = 'ECONNRESET'
  readonly h2Code: number | undefined
  constructor(message: string, h2Code?: number) {
    super(message)
    this.name = 'StreamResetError'
    this.h2Code = h2Code
  }
}

/** Pieces that must wait share blocks of this size: a peer's one-byte frames would otherwise cost a buffer each. */
const inboxBlockBytes = 16 * 1024

export class HboneStream extends EventEmitter implements ByteStream {
  readonly id: number
  /** Bytes that the peer lets us send. */
  sendWindow: number
  /** Bytes that we still let the peer send. */
  receiveWindow: number
  /** Delivered but not yet granted again. */
  uncredited = 0
  destroyed = false
  /** Bytes that wait for window or socket. */
  writableLength = 0
  bytesWritten = 0
  /** END_STREAM was sent, or was received. */
  localEnded = false
  remoteEnded = false
  /** Client: what to do with the answer. */
  onResponse: ((status: number) => void) | undefined

  readonly #host: StreamHost
  #flowing = false
  #held = false
  #endDelivered = false
  #inbox: Buffer[] = []
  /** The block that the inbox's last piece lies in, and how much of it is used; undefined when that piece is its own. */
  #inboxBlock: { readonly bytes: Buffer; used: number } | undefined
  #outbox: Buffer[] = []
  #endQueued = false
  #needDrain = false
  /** It closed while nobody listened: told to the first who does. */
  #unheard: { readonly error: Error | undefined } | undefined

  constructor(host: StreamHost, id: number, sendWindow: number, receiveWindow: number) {
    super()
    this.#host = host
    this.id = id
    this.sendWindow = sendWindow
    this.receiveWindow = receiveWindow
  }

  override on(event: string, listener: (...values: never[]) => void): this {
    super.on(event, listener as (...values: unknown[]) => void)
    if (event === 'close' && this.#unheard) {
      // The stream was cut before whoever opened it could listen.
      const { error } = this.#unheard
      this.#unheard = undefined
      process.nextTick(() => {
        this.#announceClose(error)
      })
    }
    if (event === 'data' && !this.#held && !this.#flowing) {
      process.nextTick(() => {
        if (!this.#held) this.resume()
      })
    }
    return this
  }

  /** The bytes are copied before this returns, so the caller may use the memory again. */
  write(bytes: Uint8Array): boolean {
    if (this.destroyed || this.#endQueued) return false
    const host = this.#host
    this.bytesWritten += bytes.length
    let sent = 0
    if (this.#outbox.length === 0 && !host.blocked) {
      sent = host.sendData(this, bytes)
      if (sent === bytes.length && !host.blocked) return true
    }
    if (sent < bytes.length) {
      this.#outbox.push(Buffer.from(bytes.subarray(sent)))
      this.writableLength += bytes.length - sent
    }
    this.#needDrain = true
    host.wait(this)
    return false
  }

  end(): void {
    if (this.destroyed || this.#endQueued) return
    this.#endQueued = true
    if (this.#outbox.length === 0) this.#sendEnd()
  }

  destroy(error?: Error): void {
    if (this.destroyed) return
    this.#finish()
    if (!(this.localEnded && this.remoteEnded)) {
      this.#host.sendReset(this, errorCode.cancel)
      this.#host.forget(this)
    }
    process.nextTick(() => {
      this.#announceClose(error)
    })
  }

  pause(): this {
    this.#flowing = false
    this.#held = true
    return this
  }

  resume(): this {
    this.#held = false
    if (this.#flowing || this.destroyed) return this
    this.#flowing = true
    while (this.#flowing && this.#inbox.length > 0) this.#deliver(this.#inbox.shift() as Buffer)
    if (this.#flowing && this.#inbox.length === 0) this.#deliverEnd()
    return this
  }

  /** Takes content from the connection. */
  receive(piece: Buffer): void {
    if (this.#flowing && this.#inbox.length === 0) this.#deliver(piece)
    else if (!this.destroyed) this.#keep(piece)
  }

  /** Copies a piece into the inbox. */
  #keep(piece: Buffer): void {
    const last = this.#inbox.length - 1
    let block = last < 0 ? undefined : this.#inboxBlock
    if (block && piece.length <= block.bytes.length - block.used) {
      piece.copy(block.bytes, block.used)
      block.used += piece.length
      this.#inbox[last] = block.bytes.subarray(0, block.used)
      return
    }
    block = undefined
    if (piece.length > inboxBlockBytes / 2) this.#inbox.push(Buffer.from(piece))
    else {
      const bytes = Buffer.allocUnsafeSlow(inboxBlockBytes)
      block = { bytes, used: piece.copy(bytes) }
      this.#inbox.push(bytes.subarray(0, block.used))
    }
    this.#inboxBlock = block
  }

  /** Takes END_STREAM from the connection. */
  receiveEnd(): void {
    this.remoteEnded = true
    if (this.localEnded) this.#host.forget(this)
    if (this.#flowing && this.#inbox.length === 0) this.#deliverEnd()
  }

  /** Called when there is window or room again. */
  pump(): void {
    while (this.#outbox.length > 0 && !this.#host.blocked) {
      const bytes = this.#outbox[0] as Buffer
      const sent = this.#host.sendData(this, bytes)
      this.writableLength -= sent
      if (sent < bytes.length) {
        this.#outbox[0] = bytes.subarray(sent)
        break
      }
      this.#outbox.shift()
    }
    if (this.destroyed) return
    if (this.#outbox.length > 0 || this.#host.blocked) {
      this.#host.wait(this)
    } else if (this.#endQueued) {
      if (!this.localEnded) this.#sendEnd()
    } else if (this.#needDrain) {
      this.#needDrain = false
      this.emit('drain')
    }
  }

  /** The peer reset the stream, or the connection is gone. */
  fail(error: Error): void {
    if (this.destroyed) return
    this.#finish()
    this.#host.forget(this)
    this.#announceClose(error)
  }

  #sendEnd(): void {
    this.localEnded = true
    this.#host.sendEnd(this)
    if (this.remoteEnded) this.#host.forget(this)
    this.#closeWhenDone()
  }

  #deliver(piece: Buffer): void {
    this.#host.credit(this, piece.length)
    this.emit('data', piece)
  }

  #deliverEnd(): void {
    if (!this.remoteEnded || this.#endDelivered || this.destroyed) return
    this.#endDelivered = true
    this.emit('end')
    this.#closeWhenDone()
  }

  #closeWhenDone(): void {
    if (!this.localEnded || !this.#endDelivered || this.destroyed) return
    this.#finish()
    process.nextTick(() => {
      this.#announceClose()
    })
  }

  #finish(): void {
    this.destroyed = true
    this.#inbox = []
    this.#outbox = []
    this.writableLength = 0
  }

  #announceClose(error?: Error): void {
    if (this.listenerCount('close') === 0) this.#unheard = { error }
    // A stream that nobody listens to any more must not bring the process down.
    if (error && this.listenerCount('error') > 0) this.emit('error', error)
    this.emit('close')
  }
}
