/** HTTP/1.1 connections to one endpoint: each serves one request at a time, and is kept for the next. */
import { type Dial, Waiter } from '../../kit/net/waiter.js'
import type { UpstreamOwner, UpstreamSide } from '../exchange/sides.js'
import { type Http1Keeper, Http1Upstream } from './http1-upstream.js'
import type { ConnectionLimits, PoolContext, UpstreamPool } from './pool.js'

export class Http1Pool implements UpstreamPool, Http1Keeper {
  readonly #context: PoolContext
  readonly #dialEndpoint: Dial
  readonly #limits: ConnectionLimits
  /** Busy and idle. */
  readonly #connections = new Set<Http1Upstream>()
  readonly #idle: Http1Upstream[] = []
  readonly #waiting: UpstreamOwner[] = []
  /** Dials that are under way, by whom they are for. */
  readonly #opening = new Map<UpstreamOwner, Waiter>()
  #isRetired = false

  constructor(dialEndpoint: Dial, context: PoolContext, limits: ConnectionLimits) {
    this.#dialEndpoint = dialEndpoint
    this.#context = context
    this.#limits = limits
  }

  acquire(owner: UpstreamOwner, fresh: boolean): UpstreamSide | undefined | 'overflow' {
    if (!fresh) {
      const idle = this.#idle.pop()
      if (idle !== undefined) {
        idle.begin(owner)
        return idle
      }
    }
    if (this.#isFull) {
      const spare = this.#idle.pop()
      if (spare === undefined) {
        if (this.#waiting.length >= this.#limits.maxPending) return 'overflow'
        this.#waiting.push(owner)
        return undefined
      }
      spare.retire()
    }
    this.#open(owner)
    return undefined
  }

  forget(owner: UpstreamOwner): void {
    const at = this.#waiting.indexOf(owner)
    if (at >= 0) this.#waiting.splice(at, 1)
    const dial = this.#opening.get(owner)
    if (dial === undefined) return
    this.#opening.delete(owner)
    dial.leave()
    this.#openNext()
  }

  release(connection: Http1Upstream): void {
    if (this.#waiting.length === 0) {
      this.#keep(connection)
      return
    }
    // Not now: the connection is still handing out the response that was before, and may end with it.
    process.nextTick(() => {
      this.#lend(connection)
    })
  }

  remove(connection: Http1Upstream): void {
    this.#connections.delete(connection)
    const at = this.#idle.indexOf(connection)
    if (at >= 0) this.#idle.splice(at, 1)
    this.#openNext()
  }

  get #isFull(): boolean {
    return this.#connections.size + this.#opening.size >= this.#limits.maxConnections
  }

  #open(owner: UpstreamOwner): void {
    const dial = new Waiter()
    this.#opening.set(owner, dial)
    let connection: Http1Upstream | undefined
    const failed = (): void => {
      if (!this.#opening.delete(owner)) return
      this.#openNext()
      owner.onFailure('connect')
    }
    this.#dialEndpoint((buffer, length, lease) => {
      // Who speaks before it is asked is no server of HTTP/1.1.
      if (connection === undefined) dial.leave()
      else connection.onBytes(buffer, length, lease)
    }, dial).then((stream) => {
      if (dial.isGone) {
        stream.destroy()
        failed()
        return
      }
      this.#opening.delete(owner)
      connection = new Http1Upstream(stream, this, this.#context)
      this.#connections.add(connection)
      connection.begin(owner)
      owner.onUpstream(connection)
    }, failed)
  }

  /**
   * Gives a connection that was released to who waits first, though the pool may be retired: no other knows of who waits.
   * One that has ended since makes room for another.
   */
  #lend(released: Http1Upstream): void {
    if (!this.#connections.has(released)) return
    const next = this.#takeWaiting()
    if (next !== undefined) {
      released.begin(next)
      next.onUpstream(released)
    } else {
      this.#keep(released)
    }
  }

  #keep(connection: Http1Upstream): void {
    if (this.#isRetired) {
      connection.retire()
      return
    }
    connection.idleSinceMs = this.#context.clock.nowMs
    this.#idle.push(connection)
  }

  /** A connection is gone. Whoever lost it may have opened another by the time that this is done. */
  #openNext(): void {
    if (this.#waiting.length === 0) return
    process.nextTick(() => {
      const next = this.#isFull ? undefined : this.#takeWaiting()
      if (next !== undefined) this.#open(next)
    })
  }

  /** Who waits first, of those that still do. */
  #takeWaiting(): UpstreamOwner | undefined {
    let next = this.#waiting.shift()
    while (next?.isOver === true) next = this.#waiting.shift()
    return next
  }

  onTick(nowMs: number): void {
    const { upstreamIdleMs } = this.#context.limits
    while (this.#idle.length > 0 && nowMs - (this.#idle[0] as Http1Upstream).idleSinceMs > upstreamIdleMs) {
      ;(this.#idle.shift() as Http1Upstream).retire()
    }
  }

  retire(): void {
    this.#isRetired = true
    for (const connection of [...this.#idle]) connection.retire()
  }
}
