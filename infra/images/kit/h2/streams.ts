/** The streams of one HTTP/2 connection: which are open, which wait for room, and which ids there have been. */
import { ConnectionError, errorCode, maxWindow } from './frames.js'
import type { HboneStream } from '../hbone/stream.js'

const rememberedResets = 1000

export class StreamTable {
  /** Highest id that the peer opened. */
  lastPeer = 0
  readonly #isServer: boolean
  readonly #streams = new Map<number, HboneStream>()
  readonly #waiting = new Set<HboneStream>()
  /** Streams that we reset: what the peer sent meanwhile is ignored. */
  readonly #reset = new Set<number>()
  #next = 1

  constructor(isServer: boolean) {
    this.#isServer = isServer
  }

  get size(): number {
    return this.#streams.size
  }

  /** Client: false when the ids run out. */
  get hasIds(): boolean {
    return this.#next < maxWindow - 2
  }

  /** Client: the id of a new stream. */
  takeId(): number {
    const id = this.#next
    this.#next += 2
    return id
  }

  get(id: number): HboneStream | undefined {
    return this.#streams.get(id)
  }

  /** All that are open, in a list of its own. */
  all(): HboneStream[] {
    return [...this.#streams.values()]
  }

  add(stream: HboneStream): void {
    this.#streams.set(stream.id, stream)
  }

  /** False when it was not there. */
  delete(stream: HboneStream): boolean {
    this.#waiting.delete(stream)
    return this.#streams.delete(stream.id)
  }

  wait(stream: HboneStream): void {
    this.#waiting.add(stream)
  }

  /** Lets a stream go on that waited. */
  pump(stream: HboneStream): void {
    if (this.#waiting.delete(stream)) stream.pump()
  }

  /** Lets all go on that waited. */
  pumpAll(): void {
    if (this.#waiting.size === 0) return
    const waiting = [...this.#waiting]
    this.#waiting.clear()
    for (const stream of waiting) if (!stream.destroyed) stream.pump()
  }

  /** No stream goes on any more. */
  stopWaiting(): void {
    this.#waiting.clear()
  }

  /** The peer changed its initial window (RFC 9113 §6.9.2), which moves every open one. Throws `ConnectionError`. */
  moveWindows(change: number): void {
    for (const stream of this.#streams.values()) {
      stream.sendWindow += change
      if (stream.sendWindow > maxWindow)
        throw new ConnectionError(errorCode.flowControl, 'a window above 2^31-1')
      this.#waiting.add(stream)
    }
  }

  rememberReset(id: number): void {
    if (this.#reset.size >= rememberedResets) this.#reset.delete(this.#reset.values().next().value as number)
    this.#reset.add(id)
  }

  wasReset(id: number): boolean {
    return this.#reset.has(id)
  }

  /** A frame on a stream that was never opened is a connection error (RFC 9113 §5.1). Throws `ConnectionError`. */
  checkNotIdle(id: number, what: string): void {
    const peers = id % 2 === 1 ? this.#isServer : !this.#isServer
    const opened = peers ? id <= this.lastPeer : !this.#isServer && id < this.#next
    if (id === 0 || !opened) throw new ConnectionError(errorCode.protocol, `${what} on an idle stream`)
  }
}
