/** Active health: asks each endpoint now and then, and sends no traffic to one that does not answer well. */
import { z } from 'zod'
import { whole } from '../../../kit/process/config.js'
import type { Endpoint } from '../../upstream/cluster.js'
import { defineFilter } from '../../exchange/filter.js'
import { ownRequest, subrequest } from '../../upstream/subrequest.js'

export const health = defineFilter({
  schema: z
    .strictObject({
      path: z.string().startsWith('/').default('/healthz'),
      authority: z.string().min(1).default('health.check'),
      intervalMs: whole(10, 3_600_000).default(5000),
      timeoutMs: whole(1, 60_000).default(1000),
      unhealthyAfter: whole(1, 100).default(3),
      healthyAfter: whole(1, 100).default(2),
      clusters: z.array(z.string()).optional().describe('absent: all'),
    })
    .describe('Active health checks; 2xx and 3xx are good answers'),
  create: (config, { registry, clusters }) => {
    const checks = registry.counter('meshbench_health_checks_total', 'Health checks.', ['endpoint', 'result'])
    const healthy = registry.gauge('meshbench_endpoint_healthy', '1 for an endpoint that gets traffic.', [
      'endpoint',
    ])
    const endpoints = [...clusters.values()]
      .filter(({ name }) => config.clusters?.includes(name) ?? true)
      .flatMap((cluster) => cluster.endpoints)
    const streaks = new Map<Endpoint, { isGood: boolean; length: number }>()
    const note = (endpoint: Endpoint, isGood: boolean): void => {
      checks.labels(endpoint.name, isGood ? 'good' : 'bad').add()
      let streak = streaks.get(endpoint)
      if (streak?.isGood !== isGood) streaks.set(endpoint, (streak = { isGood, length: 0 }))
      streak.length++
      if (streak.length >= (isGood ? config.healthyAfter : config.unhealthyAfter)) endpoint.isHealthy = isGood
      healthy.labels(endpoint.name).set(endpoint.isHealthy ? 1 : 0)
    }
    const check = (endpoint: Endpoint): void => {
      const request = ownRequest('GET', config.path, config.authority, [
        'user-agent',
        'meshbench-proxy-health',
      ])
      subrequest(endpoint, request, { timeoutMs: config.timeoutMs }).then(
        ({ status }) => {
          note(endpoint, status >= 200 && status < 400)
        },
        () => {
          note(endpoint, false)
        },
      )
    }
    for (const endpoint of endpoints) healthy.labels(endpoint.name).set(1)
    const timer = setInterval(() => {
      for (const endpoint of endpoints) check(endpoint)
    }, config.intervalMs)
    return {
      candidates(_exchange, list) {
        return list.every(({ isHealthy }) => isHealthy) ? list : list.filter(({ isHealthy }) => isHealthy)
      },
      close() {
        clearInterval(timer)
      },
    }
  },
})
