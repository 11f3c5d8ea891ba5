/** Upstreams: a cluster's endpoints, and which one comes next. */
import type { ClusterConfig } from '../shapes.js'
import { createDial, type UpstreamContext } from './dialler.js'
import { Http1Pool } from './http1-pool.js'
import { Http2Pool } from './http2-pool.js'
import type { ConnectionLimits, UpstreamPool } from './pool.js'

export type HttpProtocol = 'http1' | 'h2'

export class Endpoint {
  readonly name: string
  readonly locality: string | undefined
  readonly weight: number
  /** By the protocol that the client speaks; one pool for both where the cluster has a protocol of its own. */
  readonly pools: Readonly<Record<HttpProtocol, UpstreamPool>>
  /** Exchanges that are under way. */
  active = 0
  /** Set by health checks. */
  isHealthy = true
  /** Set by outlier ejection: `performance.now()` until which it gets no traffic. */
  ejectedUntilMs = 0
  /** State of weighted round robin. */
  turn = 0

  constructor(
    { host, port, locality, weight }: ClusterConfig['endpoints'][number],
    pools: Readonly<Record<HttpProtocol, UpstreamPool>>,
  ) {
    this.name = `${host}:${port}`
    this.locality = locality
    this.weight = weight
    this.pools = pools
  }
}

export class Cluster {
  readonly name: string
  readonly endpoints: readonly Endpoint[]
  readonly config: ClusterConfig
  readonly limits: ConnectionLimits
  #next = 0
  readonly #isWeighted: boolean

  constructor(config: ClusterConfig, context: UpstreamContext) {
    this.name = config.name
    this.config = config
    this.#isWeighted = config.endpoints.some(({ weight }) => weight !== config.endpoints[0]?.weight)
    this.limits = { maxConnections: Infinity, maxPending: Infinity }
    const poolOf = (protocol: HttpProtocol, endpoint: ClusterConfig['endpoints'][number]): UpstreamPool => {
      const dial = createDial({ ...config, protocol }, endpoint, context)
      return protocol === 'h2' ? new Http2Pool(dial, context) : new Http1Pool(dial, context, this.limits)
    }
    this.endpoints = config.endpoints.map((endpoint) => {
      const h2 = poolOf(this.protocolFor('h2'), endpoint)
      const http1 = this.protocolFor('http1') === this.protocolFor('h2') ? h2 : poolOf('http1', endpoint)
      return new Endpoint(endpoint, { http1, h2 })
    })
  }

  /** In turn; endpoints of more weight come more often (smooth weighted round robin: shares are exact and interleaved). */
  roundRobin(endpoints: readonly Endpoint[]): Endpoint {
    if (this.#isWeighted) return smoothRoundRobin(endpoints)
    const endpoint = endpoints[this.#next % endpoints.length] as Endpoint
    this.#next = (this.#next + 1) % 0x7fffffff
    return endpoint
  }

  /** What a request is sent on in whose client speaks this. */
  protocolFor(client: HttpProtocol): HttpProtocol {
    return this.config.protocol === 'client' ? client : this.config.protocol
  }

  onTick(nowMs: number): void {
    for (const pool of this.#pools()) pool.onTick(nowMs)
  }

  retire(): void {
    for (const pool of this.#pools()) pool.retire()
  }

  *#pools(): Generator<UpstreamPool> {
    for (const { pools } of this.endpoints) {
      yield pools.http1
      if (pools.h2 !== pools.http1) yield pools.h2
    }
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
