/** How the two ends of an HTTP/2 connection say that no more streams follow, and end it: GOAWAY, RFC 9113 §6.8. */
import { errorCode, maxWindow } from '../frames.js'
import type { FrameSender } from '../sender.js'
import type { StreamTable } from './streams.js'

export class Goodbye {
  /** Either end has said it: no stream is opened any more. */
  isSaid = false
  /** Server: the peer knows which stream was its last, so later ones are refused. */
  isFinal = false
  #isSent = false
  readonly #sender: FrameSender
  readonly #streams: StreamTable
  readonly #close: () => void

  constructor(sender: FrameSender, streams: StreamTable, close: () => void) {
    this.#sender = sender
    this.#streams = streams
    this.#close = close
  }

  /** Asks for no more streams, once. */
  say(): void {
    if (this.#isSent) return
    this.#sent()
    // The first GOAWAY names the largest id, so that streams on their way are not lost.
    this.#sender.goaway(this.#streams.isServer ? maxWindow : 0, errorCode.noError)
    if (this.#streams.isServer) this.#sender.ping(Buffer.from('draining'))
  }

  /** The answer to our PING: whatever the peer sent before it saw the first GOAWAY has arrived. */
  onPingAck(): void {
    if (!this.#isSent || !this.#streams.isServer || this.isFinal) return
    this.#final()
  }

  #final(): void {
    this.isFinal = true
    this.#sender.goaway(this.#streams.lastPeer, errorCode.noError)
  }

  fail(code: number): void {
    this.#sent()
    this.#sender.goaway(this.#streams.lastPeer, code)
  }

  /** Closes when it has been said and no stream is left. */
  closeWhenDone(): void {
    if (!this.isSaid || this.#streams.size > 0) return
    // A request that is on its way is lost with the connection: the client has to hear that nothing was done with it, so
    // that it may send it again (RFC 9113 §6.8).
    if (this.#streams.isServer && !this.isFinal) this.#final()
    this.#close()
  }

  #sent(): void {
    this.#isSent = true
    this.isSaid = true
  }
}
