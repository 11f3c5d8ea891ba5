/** Chooses among endpoints: in turn, or the one with the fewest requests in progress. */
import { z } from 'zod'
import type { Endpoint } from '../../upstream/cluster.js'
import { defineFilter } from '../../exchange/filter.js'

export const balance = defineFilter({
  schema: z
    .strictObject({ policy: z.enum(['round-robin', 'least-request']) })
    .describe('Load balancing; without it: round robin, not counted by endpoint'),
  create: ({ policy }, { registry }) => {
    const picks = registry.counter('meshbench_endpoint_picks_total', 'Requests by endpoint.', ['endpoint'])
    let start = 0
    const leastRequest = (endpoints: readonly Endpoint[]): Endpoint => {
      // Ties are broken in turn, so that idle endpoints share.
      start = (start + 1) % endpoints.length
      let best = endpoints[start] as Endpoint
      for (let i = 1; i < endpoints.length; i++) {
        const other = endpoints[(start + i) % endpoints.length] as Endpoint
        if (other.active / other.weight < best.active / best.weight) best = other
      }
      return best
    }
    return {
      choose({ cluster }, endpoints) {
        const endpoint = policy === 'least-request' ? leastRequest(endpoints) : cluster?.roundRobin(endpoints)
        if (endpoint !== undefined) picks.labels(endpoint.name).add()
        return endpoint
      },
    }
  },
})
