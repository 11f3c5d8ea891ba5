/** One HTTP/2 stream: direct calls instead of Node's streams, with windows, back-pressure and half-close. */
import { errorCode } from './frames.js'
import { type HeaderList } from './hpack.js'
import { Pieces } from '../net/pieces.js'

/** What a stream asks of its connection. */
export interface StreamHost {
  readonly isServer: boolean
  /** True while the socket cannot take more. */
  readonly blocked: boolean
  /** Sends as much as both windows allow and returns how much that was. The bytes are copied. */
  sendData(stream: H2Stream, bytes: Uint8Array): number
  sendHeaders(stream: H2Stream, block: Buffer, length: number, ended: boolean): void
  sendEnd(stream: H2Stream): void
  sendReset(stream: H2Stream, code: number): void
  /** The stream waits for window or socket: call its `pump` when there is some. */
  wait(stream: H2Stream): void
  /** Bytes were delivered: the peer may send as many again. */
  credit(stream: H2Stream, bytes: number): void
  /** So many bytes more that were received wait for their reader; less, when negative. */
  hold(bytes: number): void
  /** Both directions are over. */
  forget(stream: H2Stream): void
}

/** Whoever uses a stream. Nothing comes after `onOver` or `onReset`. */
export interface StreamHandler {
  /** Client: the head of the answer, informational ones (1xx) too. */
  onHead(list: HeaderList, ended: boolean): void
  /** The memory is the connection's: copy what has to stay. */
  onData(bytes: Buffer): void
  /** The peer's last word, after all of its data. Not called when the head of an answer came with the end of its stream. */
  onEnd(trailers: HeaderList | undefined): void
  /** What was written before has gone. */
  onDrain(): void
  /** The peer or the network cut the stream. */
  onReset(error: StreamResetError): void
  /** Both directions have ended as they should. */
  onOver(): void
}

/** A stream that the peer or the network cut, with the HTTP/2 error code when there was one. */
export class StreamResetError extends Error {
  readonly h2Code: number | undefined
  constructor(message: string, h2Code?: number) {
    super(message)
    this.name = 'StreamResetError'
    this.h2Code = h2Code
  }
}

/** DATA that is not longer is handed on together with what follows of it in the same read. */
export const gatheredBytes = 256
/** So much of it at a time: below half of Node's pool, so that a block costs little. */
const gatherBlockBytes = 2048

export class H2Stream {
  readonly id: number
  handler: StreamHandler
  /** Bytes that the peer lets us send. */
  sendWindow: number
  /** Bytes that we still let the peer send. */
  receiveWindow: number
  /** Delivered but not yet granted again. */
  uncredited = 0
  /** END_STREAM was sent, or was received. */
  localEnded = false
  remoteEnded = false
  /** Client: no final head has come yet. */
  awaitsHead = false
  /** Content that the head promised and that has not come; -1 when it promised nothing. */
  contentLeft = -1
  /** It is over, or was cut. */
  isClosed = false
  /** Bytes that wait for window or socket. */
  pendingBytes = 0
  /** Bytes that were written, those that wait among them. */
  writtenBytes = 0

  readonly #host: StreamHost
  #isPaused = false
  /** Received pieces that wait for a reader. */
  #inbox: Pieces | undefined
  #heldBytes = 0
  /** Content of the read that is being handled: where it lies, and how much of it there is. */
  #gathered: Buffer | undefined
  #gatheredFrom = 0
  #gatheredTo = 0
  #trailers: HeaderList | undefined
  #endDelivered = false
  #outbox: Pieces | undefined
  #queuedEnd: { readonly trailers: Buffer | undefined } | undefined
  #needsDrain = false

  constructor(
    host: StreamHost,
    handler: StreamHandler,
    id: number,
    sendWindow: number,
    receiveWindow: number,
  ) {
    this.#host = host
    this.handler = handler
    this.id = id
    this.sendWindow = sendWindow
    this.receiveWindow = receiveWindow
  }

  /** Sends a head, `block[0, length)`: before any data. With `ended` it is all. */
  head(block: Buffer, length: number, ended: boolean): void {
    if (this.isClosed || this.localEnded) return
    this.#host.sendHeaders(this, block, length, ended)
    if (ended) this.#endedLocally()
  }

  /** The bytes are copied before this returns, so the caller may use the memory again. False: `onDrain` follows. */
  write(bytes: Uint8Array): boolean {
    if (this.isClosed || this.localEnded || this.#queuedEnd !== undefined) return false
    const host = this.#host
    this.writtenBytes += bytes.length
    let sent = 0
    if (this.pendingBytes === 0 && !host.blocked) {
      sent = host.sendData(this, bytes)
      if (sent === bytes.length && !host.blocked) return true
    }
    if (sent < bytes.length) {
      ;(this.#outbox ??= new Pieces()).keep(bytes.subarray(sent))
      this.pendingBytes += bytes.length - sent
    }
    this.#needsDrain = true
    host.wait(this)
    return false
  }

  /** Nothing more is sent, but `trailers`, a block of fields. */
  end(trailers?: Buffer): void {
    if (this.isClosed || this.localEnded || this.#queuedEnd !== undefined) return
    if (this.pendingBytes > 0) this.#queuedEnd = { trailers }
    else this.#sendEnd(trailers)
  }

  /** Gives the stream up; nothing more comes from it. A server that has answered does so without an error (RFC 9113 §8.1). */
  reset(code: number = this.localEnded && this.#host.isServer ? errorCode.noError : errorCode.cancel): void {
    if (this.isClosed) return
    const isOver = this.localEnded && this.remoteEnded
    this.#close()
    if (isOver) return
    this.#host.sendReset(this, code)
    this.#host.forget(this)
  }

  pause(): void {
    this.#isPaused = true
  }

  resume(): void {
    if (!this.#isPaused) return
    this.#isPaused = false
    const inbox = this.#inbox
    if (inbox !== undefined) {
      while (!this.#isPaused && !this.isClosed && !inbox.isEmpty) {
        inbox.consume((bytes) => {
          this.#hold(-bytes.length)
          this.#deliver(bytes)
          return bytes.length
        })
      }
      if (!inbox.isEmpty) return
      this.#inbox = undefined
    }
    this.#deliverEnd()
  }

  get isPaused(): boolean {
    return this.#isPaused
  }

  /** Client: takes the head of the answer. */
  receiveHead(list: HeaderList, ended: boolean): void {
    this.handler.onHead(list, ended)
    if (!ended || this.isClosed) return
    this.remoteEnded = true
    this.#endDelivered = true
    if (this.localEnded) this.#host.forget(this)
    this.#closeWhenDone()
  }

  /** Takes content, `bytes[from, to)`, from the connection. */
  receive(bytes: Buffer, from: number, to: number): void {
    this.handOn()
    this.#receive(bytes.subarray(from, to))
  }

  /**
   * Takes a few bytes of content. They are handed on with what follows of them in the same read: frames of a byte would
   * else cost us a call, and a write, each, and whoever sends them next to nothing. True when nothing was held yet:
   * `handOn` has to be called when the read is over, or another frame comes.
   */
  gather(bytes: Buffer, from: number, to: number): boolean {
    const held = this.#gathered
    if (held === undefined) {
      this.#gathered = bytes
      this.#gatheredFrom = from
      this.#gatheredTo = to
      return true
    }
    let block = held
    let at = this.#gatheredTo
    if (held === bytes || at + to - from > gatherBlockBytes) {
      // What came first lies where it was read, until more comes.
      block = Buffer.allocUnsafe(gatherBlockBytes)
      at = 0
      if (held === bytes)
        for (let i = this.#gatheredFrom; i < this.#gatheredTo; i += 1) block[at++] = held[i] as number
      else this.#receive(held.subarray(0, this.#gatheredTo))
      this.#gathered = block
      this.#gatheredFrom = 0
    }
    for (let i = from; i < to; i += 1) block[at++] = bytes[i] as number
    this.#gatheredTo = at
    return false
  }

  get isGathering(): boolean {
    return this.#gathered !== undefined
  }

  handOn(): void {
    const held = this.#gathered
    if (held === undefined) return
    this.#gathered = undefined
    this.#receive(held.subarray(this.#gatheredFrom, this.#gatheredTo))
  }

  #receive(piece: Buffer): void {
    if (this.isClosed || piece.length === 0) return
    if (!this.#isPaused && this.#inbox === undefined) this.#deliver(piece)
    else {
      ;(this.#inbox ??= new Pieces()).keep(piece)
      this.#hold(piece.length)
    }
  }

  #hold(bytes: number): void {
    this.#heldBytes += bytes
    this.#host.hold(bytes)
  }

  /** Takes END_STREAM from the connection. */
  receiveEnd(trailers: HeaderList | undefined): void {
    this.handOn()
    this.remoteEnded = true
    this.#trailers = trailers
    if (this.localEnded) this.#host.forget(this)
    this.#deliverEnd()
  }

  /** Called when there is window or room again. */
  pump(): void {
    const outbox = this.#outbox
    while (outbox !== undefined && !outbox.isEmpty && !this.#host.blocked) {
      const before = this.pendingBytes
      outbox.consume((bytes) => {
        const sent = this.#host.sendData(this, bytes)
        this.pendingBytes -= sent
        return sent
      })
      // Windows are used up.
      if (this.pendingBytes === before) break
    }
    if (this.isClosed) return
    if (this.pendingBytes > 0 || this.#host.blocked) {
      this.#host.wait(this)
    } else if (this.#queuedEnd !== undefined) {
      if (!this.localEnded) this.#sendEnd(this.#queuedEnd.trailers)
    } else if (this.#needsDrain) {
      this.#needsDrain = false
      this.handler.onDrain()
    }
  }

  /** Client: the server has answered and wants no more of us; its answer stays to be read (RFC 9113 §8.1). */
  stopSending(): void {
    if (this.isClosed) return
    this.#outbox = undefined
    this.#queuedEnd = undefined
    this.pendingBytes = 0
    this.localEnded = true
    this.#host.forget(this)
    this.#closeWhenDone()
  }

  fail(error: StreamResetError): void {
    if (this.isClosed) return
    this.#close()
    this.#host.forget(this)
    this.handler.onReset(error)
  }

  #sendEnd(trailers: Buffer | undefined): void {
    if (trailers === undefined || trailers.length === 0) this.#host.sendEnd(this)
    else this.#host.sendHeaders(this, trailers, trailers.length, true)
    this.#endedLocally()
  }

  #endedLocally(): void {
    this.localEnded = true
    if (this.remoteEnded) this.#host.forget(this)
    this.#closeWhenDone()
  }

  #deliver(piece: Buffer): void {
    this.#host.credit(this, piece.length)
    this.handler.onData(piece)
  }

  #deliverEnd(): void {
    if (!this.remoteEnded || this.#endDelivered || this.isClosed || this.#isPaused || this.#inbox) return
    this.#endDelivered = true
    this.handler.onEnd(this.#trailers)
    this.#closeWhenDone()
  }

  #closeWhenDone(): void {
    if (!this.localEnded || !this.#endDelivered || this.isClosed) return
    this.#close()
    this.handler.onOver()
  }

  #close(): void {
    this.isClosed = true
    this.#gathered = undefined
    this.#inbox = undefined
    if (this.#heldBytes > 0) this.#hold(-this.#heldBytes)
    this.#outbox = undefined
    this.pendingBytes = 0
  }
}
