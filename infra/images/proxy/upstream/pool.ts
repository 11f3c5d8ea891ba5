/** What a cluster needs of the connections to one endpoint, whatever their protocol. */
import type { Cell } from '../../kit/process/metrics.js'
import type { Clock, UpstreamOwner, UpstreamSide } from '../exchange/sides.js'
import type { ProxyLimits } from '../shapes.js'

export interface UpstreamPool {
  /**
   * A side to send the request on, `undefined` when it comes later (`UpstreamOwner.onUpstream`), or `overflow` when the
   * limits leave no room. `fresh`: not a connection that was used before, where the protocol carries one request at a time.
   */
  acquire(owner: UpstreamOwner, fresh: boolean): UpstreamSide | undefined | 'overflow'
  /** The owner no longer waits for a connection. */
  forget(owner: UpstreamOwner): void
  /** Called a few times a second: closes what was idle for too long. */
  onTick(nowMs: number): void
  /** No new use: idle connections close now, busy ones when their response is out. */
  retire(): void
}

export interface PoolContext {
  readonly limits: ProxyLimits
  readonly clock: Clock
  readonly receivedBytes: Cell
  readonly sentBytes: Cell
}

/** What circuit breaking sets; without it nothing is limited. */
export interface ConnectionLimits {
  maxConnections: number
  /** Exchanges that may wait for a connection. */
  maxPending: number
}
