/** One config in force: its clusters, routes and filters. A reload makes a new one; exchanges keep the one they began with. */
import type { HeadLimits } from '../kit/http1/http1-head.js'
import { type HopMetrics, requestCounter } from '../kit/process/hop-metrics.js'
import { Cluster } from './upstream/cluster.js'
import type { PoolContext } from './upstream/pool.js'
import type { ProxyConfig } from './config.js'
import type { ProxyLimits } from './shapes.js'
import type { DiallerContext } from './upstream/dialler.js'
import { type Chain, type FilterContext, createChain } from './exchange/filter.js'
import { createFilters } from './filters/index.js'
import { type Route, createRouter } from './exchange/router.js'

export interface Runtime {
  readonly chain: Chain
  readonly limits: ProxyLimits & HeadLimits
  readonly route: Route
  countRequest(status: number): void
  /** A request that broke the protocol. */
  countRefusal(status: number): void
  log(event: string, fields?: Readonly<Record<string, unknown>>): void
  onTick(nowMs: number): void
  /** Another config took over. */
  retire(): void
}

export function createRuntime(
  config: ProxyConfig,
  parts: {
    readonly metrics: HopMetrics
    readonly clusterContext: PoolContext
    readonly diallerContext: DiallerContext
    readonly baseDir: string
    log: FilterContext['log']
  },
): Runtime {
  const { metrics, clusterContext, diallerContext, baseDir, log } = parts
  const clusters = new Map(
    config.clusters.map((cluster) => [cluster.name, new Cluster(cluster, diallerContext, clusterContext)]),
  )
  const { registry } = metrics
  const chain = createChain(createFilters(config.filters, { registry, clusters, baseDir, log }))
  const refusals = registry.counter(
    'meshbench_refused_requests_total',
    'Requests that broke the protocol or a limit and were not forwarded.',
    ['code'],
  )
  return {
    chain,
    limits: config.limits,
    route: createRouter(config.routes, clusters),
    countRequest: requestCounter(metrics),
    countRefusal(status) {
      refusals.labels(String(status)).add()
    },
    log,
    onTick(nowMs) {
      for (const cluster of clusters.values()) cluster.onTick(nowMs)
    },
    retire() {
      chain.close()
      for (const cluster of clusters.values()) cluster.retire()
    },
  }
}
