/** Keeps traffic in its own zone as long as the zone can serve it. */
import { z } from 'zod'
import { defineFilter } from '../../exchange/filter.js'

export const locality = defineFilter({
  schema: z
    .strictObject({ local: z.string().min(1).max(63).describe('where this proxy is') })
    .describe('Locality-aware routing: other localities get traffic only when no local endpoint may be used'),
  create: ({ local }, { registry }) => {
    const picks = registry.counters('meshbench_locality_picks_total', 'Requests by where they were sent.', {
      locality: ['local', 'remote'],
    })
    return {
      candidates(_exchange, endpoints) {
        const near = endpoints.filter((endpoint) => endpoint.locality === local)
        picks[near.length > 0 ? 'local' : 'remote'].add()
        return near.length > 0 ? near : endpoints
      },
    }
  },
})
