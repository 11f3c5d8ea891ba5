/** One HTTP/2 stream: direct calls instead of Node's streams, with windows, back-pressure and half-close. */
import { errorCode } from './frames.js'
import { type HeaderList } from './hpack.js'

/** What a stream asks of its connection. */
export interface StreamHost {
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

/** Received pieces that wait for a reader. */
class Inbox {
  readonly pieces: Buffer[] = []
  /** The block that the last piece lies in, and how much of it is used; undefined when that piece is its own. */
  #block: { readonly bytes: Buffer; used: number } | undefined

  /** Copies a piece. */
  keep(piece: Buffer): void {
    const last = this.pieces.length - 1
    const block = last < 0 ? undefined : this.#block
    if (block && piece.length <= block.bytes.length - block.used) {
      piece.copy(block.bytes, block.used)
      block.used += piece.length
      this.pieces[last] = block.bytes.subarray(0, block.used)
    } else if (piece.length > inboxBlockBytes / 2) {
      this.pieces.push(Buffer.from(piece))
      this.#block = undefined
    } else {
      const bytes = Buffer.allocUnsafeSlow(inboxBlockBytes)
      this.#block = { bytes, used: piece.copy(bytes) }
      this.pieces.push(bytes.subarray(0, piece.length))
    }
  }
}

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
  #inbox: Inbox | undefined
  #trailers: HeaderList | undefined
  #endDelivered = false
  #outbox: Buffer[] | undefined
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
      ;(this.#outbox ??= []).push(Buffer.from(bytes.subarray(sent)))
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

  /** Gives the stream up; nothing more comes from it. */
  reset(code: number = errorCode.cancel): void {
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
      const { pieces } = inbox
      while (!this.#isPaused && !this.isClosed && pieces.length > 0) this.#deliver(pieces.shift() as Buffer)
      if (pieces.length > 0) return
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

  /** Takes content from the connection. */
  receive(piece: Buffer): void {
    if (this.isClosed) return
    if (!this.#isPaused && this.#inbox === undefined) this.#deliver(piece)
    else (this.#inbox ??= new Inbox()).keep(piece)
  }

  /** Takes END_STREAM from the connection. */
  receiveEnd(trailers: HeaderList | undefined): void {
    this.remoteEnded = true
    this.#trailers = trailers
    if (this.localEnded) this.#host.forget(this)
    this.#deliverEnd()
  }

  /** Called when there is window or room again. */
  pump(): void {
    const outbox = this.#outbox
    while (outbox !== undefined && outbox.length > 0 && !this.#host.blocked) {
      const bytes = outbox[0] as Buffer
      const sent = this.#host.sendData(this, bytes)
      this.pendingBytes -= sent
      if (sent < bytes.length) {
        outbox[0] = bytes.subarray(sent)
        break
      }
      outbox.shift()
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

  /** The peer reset the stream, or the connection is gone. */
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
    this.#inbox = undefined
    this.#outbox = undefined
    this.pendingBytes = 0
  }
}
