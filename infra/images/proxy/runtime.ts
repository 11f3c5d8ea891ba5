/** One config in force: its clusters, routes and filters. A reload makes a new one; exchanges keep the one they began with. */
import { requestCounter } from '../kit/process/hop-metrics.js'
import type { ImageContext } from '../kit/process/image.js'
import { Cluster } from './upstream/cluster.js'
import type { ProxyConfig } from './config.js'
import type { UpstreamContext } from './upstream/dialler.js'
import { createChain } from './exchange/filter.js'
import { createFilters } from './filters/index.js'
import { createRouter } from './exchange/router.js'

export function createRuntime(
  config: ProxyConfig,
  context: UpstreamContext,
  { configDir: baseDir, log }: ImageContext,
) {
  const { metrics } = context
  const clusters = new Map(config.clusters.map((cluster) => [cluster.name, new Cluster(cluster, context)]))
  const { registry } = metrics
  const chain = createChain(createFilters(config.filters, { registry, clusters, baseDir }))
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
    /** A request that broke the protocol. */
    countRefusal(status: number): void {
      refusals.labels(String(status)).add()
    },
    log,
    onTick(nowMs: number): void {
      for (const cluster of clusters.values()) cluster.onTick(nowMs)
    },
    /** Another config took over. */
    retire(): void {
      chain.close()
      for (const cluster of clusters.values()) cluster.retire()
    },
  }
}

export type Runtime = ReturnType<typeof createRuntime>
