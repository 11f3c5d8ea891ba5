/** HTTP/2 connections to one endpoint, each with many streams. */
import { ClientPool } from '../../kit/h2/client-pool.js'
import type { H2Connection } from '../../kit/h2/connection.js'
import type { Dial } from '../../kit/net/waiter.js'
import { http2Limits } from '../exchange/http2-limits.js'
import type { UpstreamOwner, UpstreamSide } from '../exchange/sides.js'
import { Http2Upstream } from './http2-upstream.js'
import type { PoolContext, UpstreamPool } from './pool.js'

const maxStreams = 100

export class Http2Pool extends ClientPool<UpstreamOwner> implements UpstreamPool {
  readonly #context: PoolContext
  /** Those that have carried a stream before. */
  readonly #used = new WeakSet<H2Connection>()

  constructor(dial: Dial, context: PoolContext) {
    const { upstreamIdleMs: idleMs, connectTimeoutMs } = context.limits
    const settings = { maxStreams, idleMs, connectTimeoutMs }
    super({ dial, limits: http2Limits(context.limits), settings: () => settings })
    this.#context = context
  }

  acquire(owner: UpstreamOwner): UpstreamSide | undefined {
    const connection = this.find()
    if (connection !== undefined) return this.#take(connection, owner)
    this.wait(owner)
    return undefined
  }

  protected override serve(owner: UpstreamOwner, connection: H2Connection): void {
    owner.onUpstream(this.#take(connection, owner))
  }

  protected override fail(owner: UpstreamOwner): void {
    owner.onFailure('connect')
  }

  #take(connection: H2Connection, owner: UpstreamOwner): UpstreamSide {
    const isReused = this.#used.has(connection)
    if (!isReused) this.#used.add(connection)
    return new Http2Upstream(connection, owner, this.#context, isReused)
  }
}
