/** Upstreams: a cluster's endpoints, and which one comes next. */
import type { ClusterConfig } from '../shapes.js'
import type { Dialler } from './dialler.js'
import { Http1Pool } from './http1-pool.js'
import { Http2Pool } from './http2-pool.js'
import type { ConnectionLimits, PoolContext, UpstreamPool } from './pool.js'

export class Endpoint {
  readonly host: string
  readonly port: number
  readonly name: string
  readonly locality: string | undefined
  readonly weight: number
  readonly pool: UpstreamPool
  /** Exchanges that are under way. */
  active = 0
  /** Set by health checks. */
  isHealthy = true
  /** Set by outlier ejection: `performance.now()` until which it gets no traffic. */
  ejectedUntilMs = 0
  /** State of weighted round robin. */
  turn = 0

  constructor({ host, port, locality, weight }: ClusterConfig['endpoints'][number], pool: UpstreamPool) {
    this.host = host
    this.port = port
    this.name = `${host}:${port}`
    this.locality = locality
    this.weight = weight
    this.pool = pool
  }
}

export class Cluster {
  readonly name: string
  readonly endpoints: readonly Endpoint[]
  readonly config: ClusterConfig
  readonly limits: ConnectionLimits
  #next = 0
  readonly #isWeighted: boolean

  constructor(config: ClusterConfig, diallers: readonly Dialler[], context: PoolContext) {
    this.name = config.name
    this.config = config
    this.#isWeighted = config.endpoints.some(({ weight }) => weight !== config.endpoints[0]?.weight)
    this.limits = { maxConnections: Infinity, maxPending: Infinity }
    this.endpoints = config.endpoints.map(
      (endpoint, i) => new Endpoint(endpoint, this.#createPool(diallers[i] as Dialler, context)),
    )
  }

  /** In turn; endpoints of more weight come more often (smooth weighted round robin: shares are exact and interleaved). */
  roundRobin(endpoints: readonly Endpoint[]): Endpoint {
    if (this.#isWeighted) return smoothRoundRobin(endpoints)
    const endpoint = endpoints[this.#next % endpoints.length] as Endpoint
    this.#next = (this.#next + 1) % 0x7fffffff
    return endpoint
  }

  #createPool(dialler: Dialler, context: PoolContext): UpstreamPool {
    return this.config.protocol === 'h2'
      ? new Http2Pool(dialler, context)
      : new Http1Pool(dialler, context, this.limits)
  }

  onTick(nowMs: number): void {
    for (const { pool } of this.endpoints) pool.onTick(nowMs)
  }

  retire(): void {
    for (const { pool } of this.endpoints) pool.retire()
  }
}

function smoothRoundRobin(endpoints: readonly Endpoint[]): Endpoint {
  let best = endpoints[0] as Endpoint
  let total = 0
  for (const endpoint of endpoints) {
    endpoint.turn += endpoint.weight
    total += endpoint.weight
    if (endpoint.turn > best.turn) best = endpoint
  }
  best.turn -= total
  return best
}
