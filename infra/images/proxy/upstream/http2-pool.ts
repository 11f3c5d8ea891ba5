/** HTTP/2 connections to one endpoint, each with many streams. */
import { H2Connection } from '../../kit/h2/connection.js'
import type { ByteStream } from '../../kit/net/byte-stream.js'
import { Waiter } from '../../kit/net/waiter.js'
import { http2Limits } from '../exchange/http2-limits.js'
import type { UpstreamOwner, UpstreamSide } from '../exchange/sides.js'
import type { Dial } from './dialler.js'
import { Http2Upstream } from './http2-upstream.js'
import type { PoolContext, UpstreamPool } from './pool.js'

/** What a connection may carry at most, whatever the peer allows: beyond it another one is opened. */
const maxStreams = 100

export class Http2Pool implements UpstreamPool {
  readonly #dialEndpoint: Dial
  readonly #context: PoolContext
  #open: H2Connection[] = []
  /** Those that have carried a stream before. */
  readonly #used = new WeakSet<H2Connection>()
  readonly #waiting: UpstreamOwner[] = []
  /** Dials that are under way; the latest is last. */
  readonly #dials: Waiter[] = []
  /** Connections whose server takes no streams yet, and their dials, which go on until it does. */
  readonly #settling = new Map<H2Connection, Waiter>()
  #isRetired = false

  constructor(dialEndpoint: Dial, context: PoolContext) {
    this.#dialEndpoint = dialEndpoint
    this.#context = context
  }

  /** A stream, or undefined when it comes later. */
  acquire(owner: UpstreamOwner): UpstreamSide | undefined {
    const connection = this.#find()
    if (connection !== undefined) return this.#take(connection, owner)
    this.#waiting.push(owner)
    this.#serveWaiting()
    return undefined
  }

  forget(owner: UpstreamOwner): void {
    const at = this.#waiting.indexOf(owner)
    if (at < 0) return
    this.#waiting.splice(at, 1)
    // What was dialled for those who have left.
    while (this.#waiting.length <= (this.#dials.length - 1) * maxStreams) this.#dials.pop()?.leave()
  }

  onTick(nowMs: number): void {
    const { upstreamIdleMs, connectTimeoutMs } = this.#context.limits
    for (const connection of [...this.#open]) {
      const isSettling = this.#settling.has(connection) && nowMs - connection.idleSince > connectTimeoutMs
      if (isSettling || connection.isOverdue(nowMs, connectTimeoutMs)) connection.close()
      else if (connection.streamCount === 0 && nowMs - connection.idleSince > upstreamIdleMs)
        this.#drop(connection)
    }
  }

  retire(): void {
    this.#isRetired = true
    for (const connection of [...this.#open]) if (!this.#settling.has(connection)) this.#drop(connection)
  }

  #find(): H2Connection | undefined {
    for (const connection of this.#open) {
      if (connection.usable && connection.streamCount < Math.min(maxStreams, connection.peerMaxStreams))
        return connection
    }
    return undefined
  }

  #take(connection: H2Connection, owner: UpstreamOwner): UpstreamSide {
    const isReused = this.#used.has(connection)
    if (!isReused) this.#used.add(connection)
    return new Http2Upstream(connection, owner, this.#context, isReused)
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
    this.#dialEndpoint(onBytes, dial).then(
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
      () => {
        if (this.#isUnderWay(dial)) this.#failWaiting()
      },
    )
  }

  #failWaiting(): void {
    for (const owner of this.#waiting.splice(0)) owner.onFailure('connect')
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
    if (this.#isRetired) this.#drop(connection)
  }

  /** False for a dial that was given up. What is under way is over with this. */
  #isUnderWay(dial: Waiter): boolean {
    const at = this.#dials.indexOf(dial)
    if (at >= 0) this.#dials.splice(at, 1)
    return at >= 0
  }

  #connect(stream: ByteStream): H2Connection {
    const connection = new H2Connection(stream, 'client', http2Limits(this.#context.limits), {
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
        if (connection.isUseless) this.#drop(connection)
        if (this.#waiting.length > 0) this.#serveWaiting()
      },
      onClose: () => {
        this.#open = this.#open.filter((other) => other !== connection)
        const dial = this.#settling.get(connection)
        this.#settling.delete(connection)
        if (dial === undefined) this.#serveWaiting()
        else if (this.#isUnderWay(dial)) this.#failWaiting()
      },
    })
    this.#open.push(connection)
    return connection
  }

  #serveWaiting(): void {
    while (this.#waiting.length > 0) {
      const connection = this.#find()
      if (connection === undefined) break
      const owner = this.#waiting.shift() as UpstreamOwner
      if (!owner.isOver) owner.onUpstream(this.#take(connection, owner))
    }
    if (this.#waiting.length > this.#dials.length * maxStreams) this.#dial()
  }
}
