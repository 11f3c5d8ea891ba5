/** Sends a copy of a share of the requests to another cluster and drops the answers. */
import { z } from 'zod'
import { nameSchema, whole } from '../../../kit/process/config.js'
import type { Cluster } from '../../upstream/cluster.js'
import { defineFilter } from '../../exchange/filter.js'
import { ownRequest, subrequest } from '../../upstream/subrequest.js'
import { everyShare } from './share.js'

/** Copies must not pile up behind a slow mirror. */
const maxInProgress = 1000

export const mirror = defineFilter({
  schema: z
    .strictObject({
      cluster: nameSchema,
      percent: z.number().gt(0).max(100).default(100).describe('an exact share'),
      timeoutMs: whole(1, 600_000).default(10_000),
    })
    .describe('Mirroring; bodies beyond limits.bufferBytes are not mirrored'),
  create: ({ cluster: name, percent, timeoutMs }, { registry, clusters }) => {
    const copies = registry.counter('meshbench_mirrored_total', 'Copies by what became of them.', ['result'])
    const cluster = clusters.get(name) as Cluster
    const isMirrored = everyShare(percent)
    let inProgress = 0
    return {
      keepsBody: true,
      end(exchange) {
        const { request } = exchange
        if (exchange.attempts === 0 || request.upgrade !== '' || !isMirrored()) return
        const body = exchange.wholeBody
        if (body === undefined || inProgress >= maxInProgress) {
          copies.labels('skipped').add()
          return
        }
        const length = request.contentLength < 0 ? body.length : request.contentLength
        // The -shadow suffix is how Envoy marks copies.
        const copy = ownRequest(
          request.method,
          request.path,
          shadow(request.authority),
          request.fields.list,
          length,
        )
        inProgress++
        subrequest(cluster, copy, { ...(body.length > 0 ? { body } : {}), timeoutMs })
          .then(
            () => {
              copies.labels('answered').add()
            },
            () => {
              copies.labels('failed').add()
            },
          )
          .finally(() => inProgress--)
      },
    }
  },
})

function shadow(authority: string): string {
  const port = /:\d+$/.exec(authority)?.[0] ?? ''
  return `${authority.slice(0, authority.length - port.length)}-shadow${port}`
}
