/** Refuses at once what an overloaded upstream would only answer late: bounds on connections, waiters and requests. */
import { z } from 'zod'
import { whole } from '../../../kit/process/config.js'
import { defineFilter } from '../../exchange/filter.js'

const limitSchema = whole(1, 10_000_000).optional()

export const circuitBreaker = defineFilter({
  schema: z
    .strictObject({
      maxConnections: limitSchema.describe('HTTP/1.1 connections to each endpoint'),
      maxPending: whole(0, 10_000_000).optional().describe('requests that wait for such a connection'),
      maxRequests: limitSchema.describe('requests in progress to each cluster'),
    })
    .describe('Circuit breaking; what exceeds a limit gets 503'),
  create: ({ maxConnections, maxPending, maxRequests }, { registry, clusters }) => {
    const opened = registry.counter('meshbench_circuit_breaker_total', 'Requests refused by a limit.', [
      'cluster',
      'limit',
    ])
    for (const { limits } of clusters.values()) {
      limits.maxConnections = maxConnections ?? Infinity
      limits.maxPending = maxPending ?? Infinity
    }
    const refusal = {
      status: 503,
      reason: 'circuit-open',
      headers: ['x-overloaded', 'true'],
      body: 'upstream overloaded\n',
    }
    return {
      ...(maxRequests !== undefined && {
        attempt({ cluster }) {
          let active = 0
          for (const endpoint of cluster?.endpoints ?? []) active += endpoint.active
          if (active < maxRequests) return undefined
          opened.labels(cluster?.name ?? '', 'requests').add()
          return refusal
        },
      }),
      end({ failure, cluster }) {
        if (failure === 'overflow') opened.labels(cluster?.name ?? '', 'pending').add()
      },
    }
  },
})
