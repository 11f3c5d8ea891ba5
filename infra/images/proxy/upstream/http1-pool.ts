/** HTTP/1.1 connections to one endpoint: each serves one request at a time, and is kept for the next. */
import type { UpstreamOwner, UpstreamSide } from '../exchange/sides.js'
import type { Dialler } from './dialler.js'
import { type Http1Keeper, Http1Upstream } from './http1-upstream.js'
import type { ConnectionLimits, PoolContext, UpstreamPool } from './pool.js'

export class Http1Pool implements UpstreamPool, Http1Keeper {
  readonly #context: PoolContext
  readonly #dialler: Dialler
  readonly #limits: ConnectionLimits
  /** Busy and idle. */
  readonly #connections = new Set<Http1Upstream>()
  readonly #idle: Http1Upstream[] = []
  readonly #waiting: UpstreamOwner[] = []
  readonly #opening = new Map<UpstreamOwner, Http1Upstream>()
  #isRetired = false

  constructor(dialler: Dialler, context: PoolContext, limits: ConnectionLimits) {
    this.#dialler = dialler
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
    if (this.#connections.size >= this.#limits.maxConnections) {
      const spare = this.#idle.pop()
      if (spare === undefined) {
        if (this.#waiting.length >= this.#limits.maxPending) return 'overflow'
        this.#waiting.push(owner)
        return undefined
      }
      spare.retire()
    }
    return this.#open(owner)
  }

  forget(owner: UpstreamOwner): void {
    const at = this.#waiting.indexOf(owner)
    if (at >= 0) this.#waiting.splice(at, 1)
    const opening = this.#opening.get(owner)
    if (opening !== undefined) {
      this.#opening.delete(owner)
      opening.cut()
    }
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

  #open(owner: UpstreamOwner): UpstreamSide | undefined {
    const connection = new Http1Upstream(this, this.#context)
    this.#connections.add(connection)
    connection.begin(owner)
    const mode = this.#dialler.dialHttp1(
      connection,
      () => {
        connection.onConnected()
        if (this.#opening.delete(owner)) owner.onUpstream(connection)
      },
      () => {
        if (this.#opening.delete(owner)) {
          connection.cut()
          owner.onFailure('connect')
        }
      },
    )
    if (mode === 'now') return connection
    this.#opening.set(owner, connection)
    return undefined
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
      if (this.#connections.size >= this.#limits.maxConnections) return
      const next = this.#takeWaiting()
      const upstream = next && this.#open(next)
      if (upstream !== undefined) next?.onUpstream(upstream)
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
