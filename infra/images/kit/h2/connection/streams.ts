/** The streams of one HTTP/2 connection: which are open, which wait for room, and which ids there have been. */
import { ConnectionError, defaultWindow, errorCode, maxWindow } from '../frames.js'
import type { H2Stream } from '../stream.js'

const rememberedResets = 1000

export type Side = 'us' | 'peer'

export class StreamTable {
  readonly isServer: boolean
  /** Highest id that the peer opened. */
  lastPeer = 0
  /** Streams that the peer lets us have open (client). */
  peerMaxStreams = 100
  /** Bytes that the peer lets a new stream send. */
  initialWindow = defaultWindow
  /** Since when there has been no stream: `performance.now()`. */
  idleSince = performance.now()
  readonly #streams = new Map<number, H2Stream>()
  readonly #waiting = new Set<H2Stream>()
  /** Streams that were reset, and by whom: what the peer sent before it knew of a reset of ours is ignored. */
  #reset: Map<number, Side> | undefined
  /** How many streams the peer opened. */
  #peerCount = 0
  #next = 1

  constructor(isServer: boolean) {
    this.isServer = isServer
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

  get(id: number): H2Stream | undefined {
    return this.#streams.get(id)
  }

  all(): H2Stream[] {
    return [...this.#streams.values()]
  }

  add(stream: H2Stream): void {
    this.#streams.set(stream.id, stream)
  }

  /** False when it was not there. */
  delete(stream: H2Stream): boolean {
    this.#waiting.delete(stream)
    if (!this.#streams.delete(stream.id)) return false
    if (this.#streams.size === 0) this.idleSince = performance.now()
    return true
  }

  wait(stream: H2Stream): void {
    this.#waiting.add(stream)
  }

  pump(stream: H2Stream): void {
    if (this.#waiting.delete(stream)) stream.pump()
  }

  pumpAll(): void {
    if (this.#waiting.size === 0) return
    const waiting = [...this.#waiting]
    this.#waiting.clear()
    for (const stream of waiting) if (!stream.isClosed) stream.pump()
  }

  stopWaiting(): void {
    this.#waiting.clear()
  }

  /** The peer changed its initial window (RFC 9113 §6.9.2), which moves every open one. Throws `ConnectionError`. */
  moveWindows(initial: number): void {
    const change = initial - this.initialWindow
    this.initialWindow = initial
    for (const stream of this.#streams.values()) {
      stream.sendWindow += change
      if (stream.sendWindow > maxWindow)
        throw new ConnectionError(errorCode.flowControl, 'a window above 2^31-1')
      this.#waiting.add(stream)
    }
  }

  rememberReset(id: number, by: Side): void {
    const reset = (this.#reset ??= new Map<number, Side>())
    if (reset.size >= rememberedResets) reset.delete(reset.keys().next().value as number)
    reset.set(id, by)
  }

  /** Who reset a stream, as far back as we remember. */
  resetBy(id: number): Side | undefined {
    return this.#reset?.get(id)
  }

  /** The peer opens its next stream. */
  openPeers(id: number): void {
    this.lastPeer = id
    this.#peerCount += 1
  }

  /** The peer opened all ids up to its last: an earlier one is of a stream that was, and none that it left out. */
  get hasNoGaps(): boolean {
    return this.#peerCount === (this.lastPeer + 1) / 2
  }

  /** A frame on a stream that was never opened is a connection error (RFC 9113 §5.1). Throws `ConnectionError`. */
  checkNotIdle(id: number, what: string): void {
    const peers = id % 2 === 1 ? this.isServer : !this.isServer
    const opened = peers ? id <= this.lastPeer : !this.isServer && id < this.#next
    if (id === 0 || !opened) throw new ConnectionError(errorCode.protocol, `${what} on an idle stream`)
  }
}
