/** HTTP/2 connections to one peer that many share: as few as their streams fit on, dialled when somebody waits for one. */
import type { ByteStream } from '../net/byte-stream.js'
import { type Dial, Waiter } from '../net/waiter.js'
import { H2Connection } from './connection.js'
import type { ConnectionLimits } from './settings.js'

export interface ClientPoolOptions {
  readonly dial: Dial
  readonly limits: ConnectionLimits
  /** In force now: a reload may change them. */
  settings(): ClientPoolSettings
  /** So many connections more, or less, stand. */
  readonly onCount?: (change: 1 | -1) => void
}

export interface ClientPoolSettings {
  /** What a connection may carry at most, whatever the peer allows: beyond it another one is opened. */
  readonly maxStreams: number
  /** A connection closes with its first stream. */
  readonly isForOneStream?: boolean
  readonly idleMs: number
  /** For what a peer has to say first, and for each head or frame that it begins. */
  readonly connectTimeoutMs: number
}

export abstract class ClientPool<Owner extends { readonly isOver: boolean }> {
  readonly #options: ClientPoolOptions
  /** Those that take new streams. */
  #open: H2Connection[] = []
  /** All that are not closed. */
  readonly #standing = new Set<H2Connection>()
  readonly #waiting: Owner[] = []
  /** Dials that are under way; the latest is last. */
  readonly #dials: Waiter[] = []
  /** Connections whose server takes no streams yet, and their dials, which go on until it does. */
  readonly #settling = new Map<H2Connection, Waiter>()
  #isRetired = false

  constructor(options: ClientPoolOptions) {
    this.#options = options
  }

  /** There is room for an owner that waited, for a stream that is opened before this returns. */
  protected abstract serve(owner: Owner, connection: H2Connection): void
  /** There will be none for it; the error is that of the dial, or tells why the connection was closed. */
  protected abstract fail(owner: Owner, error: unknown): void

  /** A connection that has room for a stream, which is opened at once; undefined: `wait` for one. */
  find(): H2Connection | undefined {
    const { maxStreams } = this.#options.settings()
    for (const connection of this.#open) {
      if (connection.usable && connection.streamCount < Math.min(maxStreams, connection.peerMaxStreams))
        return connection
    }
    return undefined
  }

  wait(owner: Owner): void {
    this.#waiting.push(owner)
    this.#serveWaiting()
  }

  /** The owner waits no longer. */
  forget(owner: Owner): void {
    const at = this.#waiting.indexOf(owner)
    if (at < 0) return
    this.#waiting.splice(at, 1)
    const { maxStreams } = this.#options.settings()
    // What was dialled for those who have left.
    while (this.#waiting.length <= (this.#dials.length - 1) * maxStreams) this.#dials.pop()?.leave()
  }

  /** Called now and then: closes what was idle for too long, and what keeps us waiting. */
  onTick(nowMs: number): void {
    const { idleMs, connectTimeoutMs } = this.#options.settings()
    for (const connection of this.#open) {
      const isSettling = this.#settling.has(connection) && nowMs - connection.idleSince > connectTimeoutMs
      if (isSettling || connection.isOverdue(nowMs, connectTimeoutMs)) connection.close()
      else if (connection.streamCount === 0 && nowMs - connection.idleSince > idleMs) this.#drop(connection)
    }
  }

  /** Connections close with their last streams; who comes from now on gets new ones. */
  renew(): void {
    for (const connection of this.#open) if (!this.#settling.has(connection)) this.#drop(connection)
  }

  /** The same, and nobody comes any more but those who wait. */
  retire(): void {
    this.#isRetired = true
    this.renew()
  }

  /** Cuts all streams. */
  close(): void {
    for (const connection of this.#standing) connection.close()
  }

  /** It takes no new streams and closes with its last. */
  #drop(connection: H2Connection): void {
    this.#open = this.#open.filter((other) => other !== connection)
    connection.drain()
  }

  #dial(): void {
    const dial = new Waiter()
    this.#dials.push(dial)
    let connection: H2Connection | undefined
    let early: Buffer | undefined
    const onBytes = (buffer: Buffer, length: number): void => {
      const bytes = length === buffer.length ? buffer : buffer.subarray(0, length)
      if (connection !== undefined) connection.read(bytes)
      // What a server says before the promise of its connection is kept.
      else early = Buffer.concat([early ?? Buffer.alloc(0), bytes])
    }
    this.#options.dial(onBytes, dial).then(
      (stream) => {
        if (!this.#dials.includes(dial)) {
          stream.destroy()
          return
        }
        const opened = (connection = this.#connect(stream))
        this.#settling.set(opened, dial)
        dial.onLeave = () => {
          opened.close()
        }
        if (early !== undefined) opened.read(early)
        this.#settle(opened)
      },
      (error: unknown) => {
        if (this.#isUnderWay(dial)) this.#failWaiting(error)
      },
    )
  }

  /** Those fail for whom no other dial is under way. */
  #failWaiting(error: unknown): void {
    const left = this.#dials.length * this.#options.settings().maxStreams
    for (const owner of this.#waiting.splice(0, Math.max(0, this.#waiting.length - left)))
      this.fail(owner, error)
  }

  /**
   * Ends the dial of a connection whose server takes streams. It may say before anything else that it takes none for now
   * (RFC 9113 §5.1.2); to dial again, or to open a stream all the same, would only make things worse.
   */
  #settle(connection: H2Connection): void {
    const dial = this.#settling.get(connection)
    if (dial === undefined || connection.isUseless) return
    this.#settling.delete(connection)
    dial.onLeave = undefined
    this.#isUnderWay(dial)
    this.#serveWaiting()
    // Who it was for may have left with the last step of its dial.
    if (this.#isRetired || (this.#isForOneStream && connection.streamCount === 0)) this.#drop(connection)
  }

  get #isForOneStream(): boolean {
    return this.#options.settings().isForOneStream === true
  }

  /** False for a dial that was given up. What is under way is over with this. */
  #isUnderWay(dial: Waiter): boolean {
    const at = this.#dials.indexOf(dial)
    if (at >= 0) this.#dials.splice(at, 1)
    return at >= 0
  }

  #connect(stream: ByteStream): H2Connection {
    const { limits, onCount } = this.#options
    const connection = new H2Connection(stream, 'client', limits, {
      onPeerChange: () => {
        if (connection.usable && this.#settling.has(connection)) {
          this.#settle(connection)
          return
        }
        if (!connection.usable || connection.isUseless) this.#drop(connection)
        this.#serveWaiting()
      },
      onStreamClose: () => {
        // Kept, such connections would become one more with each request.
        if (connection.isUseless || (this.#isForOneStream && connection.streamCount === 0))
          this.#drop(connection)
        if (this.#waiting.length > 0) this.#serveWaiting()
      },
      onClose: (error) => {
        this.#open = this.#open.filter((other) => other !== connection)
        this.#standing.delete(connection)
        onCount?.(-1)
        const dial = this.#settling.get(connection)
        this.#settling.delete(connection)
        if (dial === undefined) this.#serveWaiting()
        else if (this.#isUnderWay(dial)) this.#failWaiting(error)
      },
    })
    this.#open.push(connection)
    this.#standing.add(connection)
    onCount?.(1)
    return connection
  }

  #serveWaiting(): void {
    while (this.#waiting.length > 0) {
      const connection = this.find()
      if (connection === undefined) break
      const owner = this.#waiting.shift() as Owner
      if (!owner.isOver) this.serve(owner, connection)
    }
    const { maxStreams } = this.#options.settings()
    while (this.#waiting.length > this.#dials.length * maxStreams) this.#dial()
  }
}
