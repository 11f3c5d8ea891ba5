/** Upstreams: a cluster's endpoints, how one is picked, and the connections that are kept to each. */
import type { ByteStream } from '../../kit/net/byte-stream.js'
import type { HeadLimits } from '../../kit/http1/http1-head.js'
import type { Cell } from '../../kit/process/metrics.js'
import type { ClusterConfig, ProxyLimits } from '../config.js'
import type { Clock } from '../downstream/downstream-context.js'
import type { Exchange } from '../exchange/exchange.js'
import type { UpstreamOwner, UpstreamSide } from '../exchange/sides.js'
import { Http2Pool } from './http2-pool.js'
import { Http1Upstream } from './http1-upstream.js'

/** Opens streams to one endpoint. Plain TCP answers at once; TLS and HBONE first have to check who answers. */
export interface Dialler {
  /** For HTTP/1.1: attaches the stream to the connection, now or later; calls `failed` when there will be none. */
  dialHttp1(connection: Http1Upstream, connected: () => void, failed: () => void): 'now' | 'later'
  /** For HTTP/2. The memory of what is read may be used again when `onBytes` returns. */
  dial(onBytes: (bytes: Buffer) => void): Promise<ByteStream>
}

export interface ClusterContext {
  readonly limits: ProxyLimits & HeadLimits
  readonly clock: Clock
  readonly receivedBytes: Cell
  readonly sentBytes: Cell
  readonly idleMs: number
  readonly connectTimeoutMs: number
}

/** What circuit breaking sets; without it nothing is limited. */
export interface ConnectionLimits {
  maxConnections: number
  /** Exchanges that may wait for a connection. */
  maxPending: number
}

export class Endpoint {
  readonly host: string
  readonly port: number
  readonly locality: string | undefined
  readonly weight: number
  /** Exchanges that are under way. */
  active = 0
  /** Set by health checks. */
  isHealthy = true
  /** Set by outlier ejection: `performance.now()` until which it gets no traffic. */
  ejectedUntilMs = 0
  /** State of weighted round robin. */
  turn = 0
  readonly limits: ConnectionLimits
  /** HTTP/1.1 connections, busy and idle. */
  readonly connections = new Set<Http1Upstream>()
  readonly #context: ClusterContext
  readonly #dialler: Dialler
  readonly #http2: Http2Pool | undefined
  readonly #idle: Http1Upstream[] = []
  readonly #waiting: UpstreamOwner[] = []
  #isRetired = false

  constructor(
    config: ClusterConfig['endpoints'][number],
    protocol: ClusterConfig['protocol'],
    dialler: Dialler,
    context: ClusterContext,
    limits: ConnectionLimits,
  ) {
    this.host = config.host
    this.port = config.port
    this.locality = config.locality
    this.weight = config.weight
    this.limits = limits
    this.#context = context
    this.#dialler = dialler
    this.#http2 = protocol === 'h2' ? new Http2Pool(dialler, context) : undefined
  }

  get name(): string {
    return `${this.host}:${this.port}`
  }

  /**
   * A connection for this exchange, `undefined` when it comes later (`Exchange.onUpstream`), or `overflow` when the
   * limits leave no room. `fresh`: not one that was used before.
   */
  acquire(exchange: UpstreamOwner, fresh: boolean): UpstreamSide | undefined | 'overflow' {
    if (this.#http2 !== undefined) return this.#http2.acquire(exchange)
    if (!fresh) {
      const idle = this.#idle.pop()
      if (idle !== undefined) {
        idle.begin(exchange)
        return idle
      }
    }
    if (this.connections.size >= this.limits.maxConnections) {
      const spare = this.#idle.pop()
      if (spare === undefined) {
        if (this.#waiting.length >= this.limits.maxPending) return 'overflow'
        this.#waiting.push(exchange)
        return undefined
      }
      spare.retire()
    }
    return this.#open(exchange)
  }

  /** The exchange no longer waits for a connection. */
  forget(exchange: UpstreamOwner): void {
    this.#http2?.forget(exchange)
    const at = this.#waiting.indexOf(exchange)
    if (at >= 0) this.#waiting.splice(at, 1)
    const opening = this.#opening.get(exchange)
    if (opening !== undefined) {
      this.#opening.delete(exchange)
      opening.cut()
    }
  }

  readonly #opening = new Map<UpstreamOwner, Http1Upstream>()

  #open(exchange: UpstreamOwner): UpstreamSide | undefined {
    const { receivedBytes, sentBytes, limits: headLimits, clock } = this.#context
    const connection: Http1Upstream = new Http1Upstream(
      {
        headLimits,
        receivedBytes,
        sentBytes,
        release: (released) => {
          const next = this.#isRetired ? undefined : this.#waiting.shift()
          if (this.#isRetired) {
            released.retire()
          } else if (next === undefined) {
            released.idleSinceMs = clock.nowMs
            this.#idle.push(released)
          } else {
            released.begin(next)
            // Not now: the connection is still handing out the response that was before.
            process.nextTick(() => {
              if (next.isOver) {
                released.retire()
              } else {
                next.onUpstream(released)
              }
            })
          }
        },
        remove: (removed) => {
          this.connections.delete(removed)
          const at = this.#idle.indexOf(removed)
          if (at >= 0) this.#idle.splice(at, 1)
          this.#openNext()
        },
      },
      true,
    )
    this.connections.add(connection)
    connection.begin(exchange)
    const mode = this.#dialler.dialHttp1(
      connection,
      () => {
        connection.onConnected()
        if (this.#opening.delete(exchange)) exchange.onUpstream(connection)
      },
      () => {
        if (this.#opening.delete(exchange)) {
          connection.cut()
          exchange.onFailure('connect')
        }
      },
    )
    if (mode === 'now') return connection
    this.#opening.set(exchange, connection)
    return undefined
  }

  #openNext(): void {
    if (this.#isRetired || this.#waiting.length === 0 || this.connections.size >= this.limits.maxConnections)
      return
    const next = this.#waiting.shift() as UpstreamOwner
    process.nextTick(() => {
      if (next.isOver) return
      const upstream = this.#open(next)
      if (upstream !== undefined) next.onUpstream(upstream)
    })
  }

  /** Called a few times a second: closes what was idle for too long. */
  onTick(nowMs: number): void {
    const { idleMs } = this.#context
    while (this.#idle.length > 0 && nowMs - (this.#idle[0] as Http1Upstream).idleSinceMs > idleMs) {
      ;(this.#idle.shift() as Http1Upstream).retire()
    }
    this.#http2?.onTick()
  }

  /** No new use: idle connections close now, busy ones when their response is out. */
  retire(): void {
    this.#isRetired = true
    for (const connection of [...this.#idle]) connection.retire()
    this.#http2?.retire()
  }
}

export class Cluster {
  readonly name: string
  readonly endpoints: readonly Endpoint[]
  readonly config: ClusterConfig
  readonly limits: ConnectionLimits
  #next = 0
  readonly #isWeighted: boolean

  constructor(config: ClusterConfig, diallers: readonly Dialler[], context: ClusterContext) {
    this.name = config.name
    this.config = config
    this.#isWeighted = config.endpoints.some(({ weight }) => weight !== config.endpoints[0]?.weight)
    this.limits = { maxConnections: Infinity, maxPending: Infinity }
    this.endpoints = config.endpoints.map(
      (endpoint, i) => new Endpoint(endpoint, config.protocol, diallers[i] as Dialler, context, this.limits),
    )
  }

  /** An endpoint for this exchange, or undefined when none may be used. Without filters: round robin. */
  pick(exchange: Exchange): Endpoint | undefined {
    const { endpoints } = this
    const { candidates, choose } = exchange.runtime.chain
    if (candidates.length === 0) {
      if (endpoints.length === 1) return endpoints[0]
      for (const filter of choose) return filter.choose(exchange, endpoints)
      return this.roundRobin(endpoints)
    }
    let list = endpoints
    for (const filter of candidates) list = filter.candidates(exchange, list)
    if (list.length < 2) return list[0]
    for (const filter of choose) return filter.choose(exchange, list)
    return this.roundRobin(list)
  }

  /** In turn; endpoints of more weight come more often (smooth weighted round robin: shares are exact and interleaved). */
  roundRobin(endpoints: readonly Endpoint[]): Endpoint {
    if (this.#isWeighted) return smoothRoundRobin(endpoints)
    const endpoint = endpoints[this.#next % endpoints.length] as Endpoint
    this.#next = (this.#next + 1) % 0x7fffffff
    return endpoint
  }

  onTick(nowMs: number): void {
    for (const endpoint of this.endpoints) endpoint.onTick(nowMs)
  }

  retire(): void {
    for (const endpoint of this.endpoints) endpoint.retire()
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
