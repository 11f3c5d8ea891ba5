/** One CONNECT stream as a byte stream: half-close, reset and back-pressure as a socket has them, without its cost. */
import { EventEmitter } from 'node:events'
import { errorCode } from '../h2/frames.js'
import type { HeaderList } from '../h2/hpack.js'
import { readResponse } from '../h2/message.js'
import { type H2Stream, type StreamHandler, StreamResetError } from '../h2/stream.js'
import type { ByteStream } from '../net/byte-stream.js'

export class HboneStream extends EventEmitter implements ByteStream, StreamHandler {
  destroyed = false
  /** Client: what to do with the answer. */
  onResponse: ((status: number) => void) | undefined

  /** Set before anything else happens: a stream and whoever takes its calls need each other. */
  #stream: H2Stream | undefined
  #isHeld = false
  #isEnding = false
  /** Client: the answer came with the end of its stream, which is told when somebody listens. */
  #endsUnheard = false
  /** It closed while nobody listened: told to the first who does. */
  #unheard: { readonly error: Error | undefined } | undefined

  attach(stream: H2Stream): this {
    this.#stream = stream
    stream.handler = this
    // Like a socket, it gives nothing before somebody listens.
    stream.pause()
    return this
  }

  get h2(): H2Stream {
    return this.#stream as H2Stream
  }

  get writableLength(): number {
    return this.h2.pendingBytes
  }

  get bytesWritten(): number {
    return this.h2.writtenBytes
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
    if (event === 'data' && !this.#isHeld) {
      process.nextTick(() => {
        if (!this.#isHeld) this.resume()
      })
    }
    return this
  }

  /** The bytes are copied before this returns, so the caller may use the memory again. */
  write(bytes: Uint8Array): boolean {
    return !this.destroyed && !this.#isEnding && this.h2.write(bytes)
  }

  end(): void {
    if (this.destroyed || this.#isEnding) return
    this.#isEnding = true
    this.h2.end()
  }

  destroy(error?: Error): void {
    if (this.destroyed) return
    this.h2.reset()
    this.#close(error)
  }

  /** The peer sees a reset, even if all was said. */
  resetAndDestroy(): void {
    if (this.destroyed) return
    this.h2.reset(errorCode.cancel)
    this.#close(undefined)
  }

  #close(error: Error | undefined): void {
    this.destroyed = true
    process.nextTick(() => {
      this.#announceClose(error)
    })
  }

  pause(): this {
    this.#isHeld = true
    this.h2.pause()
    return this
  }

  resume(): this {
    this.#isHeld = false
    if (this.destroyed) return this
    this.h2.resume()
    if (this.#endsUnheard) {
      this.#endsUnheard = false
      this.emit('end')
    }
    return this
  }

  // ------------------------------------------------------------ StreamHandler

  onHead(list: HeaderList, ended: boolean): void {
    const response = readResponse(list)
    if (response === undefined) {
      this.#cut('a malformed answer')
      return
    }
    // Informational answers come before the answer.
    if (response.status < 200) return
    const answer = this.onResponse
    this.onResponse = undefined
    this.#endsUnheard = ended
    answer?.(response.status)
  }

  onData(bytes: Buffer): void {
    this.emit('data', bytes)
  }

  onEnd(trailers: HeaderList | undefined): void {
    // RFC 9113 §8.5: a connected stream carries DATA only.
    if (trailers === undefined) this.emit('end')
    else this.#cut('HEADERS on a connected stream')
  }

  onDrain(): void {
    this.emit('drain')
  }

  onReset(error: Error): void {
    if (this.destroyed) return
    this.destroyed = true
    this.#announceClose(error)
  }

  onOver(): void {
    if (this.destroyed) return
    this.destroyed = true
    process.nextTick(() => {
      this.#announceClose()
    })
  }

  #cut(message: string): void {
    this.h2.reset(errorCode.protocol)
    this.onReset(new StreamResetError(message, errorCode.protocol))
  }

  #announceClose(error?: Error): void {
    if (this.listenerCount('close') === 0) this.#unheard = { error }
    // A stream that nobody listens to any more must not bring the process down.
    if (error && this.listenerCount('error') > 0) this.emit('error', error)
    this.emit('close')
  }
}
