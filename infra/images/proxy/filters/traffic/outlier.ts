/** Passive health: an endpoint that fails several times in a row gets no traffic for a while. */
import { z } from 'zod'
import { whole } from '../../../kit/process/config.js'
import type { Endpoint } from '../../upstream/cluster.js'
import { defineFilter } from '../../exchange/filter.js'

export const outlier = defineFilter({
  schema: z
    .strictObject({
      consecutiveFailures: whole(1, 1000).default(5).describe('5xx, resets, refused connections, timeouts'),
      ejectionMs: whole(1, 3_600_000).default(30_000).describe('times the number of ejections so far'),
      maxEjectedPercent: z.number().min(0).max(100).default(50).describe('of the endpoints of a cluster'),
    })
    .describe('Outlier ejection'),
  create: ({ consecutiveFailures, ejectionMs, maxEjectedPercent }, { registry }) => {
    const ejections = registry.counter('meshbench_outlier_ejections_total', 'Ejections.', ['endpoint'])
    const states = new WeakMap<Endpoint, { failures: number; ejections: number }>()
    return {
      candidates(_exchange, endpoints) {
        if (endpoints.every(({ ejectedUntilMs }) => ejectedUntilMs === 0)) return endpoints
        const now = performance.now()
        return endpoints.filter(({ ejectedUntilMs }) => ejectedUntilMs <= now)
      },
      attemptEnd({ cluster }, endpoint, { kind, status }) {
        // A server that goes away in good order refuses what it has not begun.
        if (kind === 'cancelled' || kind === 'refused') return
        const state = states.get(endpoint) ?? { failures: 0, ejections: 0 }
        states.set(endpoint, state)
        if (kind === 'response' && status < 500) {
          state.failures = 0
          return
        }
        if (++state.failures < consecutiveFailures) return
        const now = performance.now()
        const endpoints = cluster?.endpoints ?? []
        const ejected = endpoints.filter(({ ejectedUntilMs }) => ejectedUntilMs > now).length
        if (endpoint.ejectedUntilMs > now || ejected + 1 > (endpoints.length * maxEjectedPercent) / 100)
          return
        state.failures = 0
        state.ejections++
        endpoint.ejectedUntilMs = now + ejectionMs * state.ejections
        ejections.labels(endpoint.name).add()
      },
    }
  },
})
