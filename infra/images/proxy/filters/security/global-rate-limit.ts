/** Asks a rate limit service for each request, over Envoy's gRPC API, so that all proxies share one limit. */
import { z } from 'zod'
import { encodeRateLimitRequest, isWithinLimit, rateLimitPath } from '../../../kit/grpc/rate-limit-service.js'
import { nameSchema, whole } from '../../../kit/process/config.js'
import { defineFilter } from '../../exchange/filter.js'
import type { Cluster } from '../../upstream/cluster.js'
import { ownRequest, subrequest, type SubrequestAnswer } from '../../upstream/subrequest.js'

const maxReplyBytes = 65_536

export const globalRateLimit = defineFilter({
  schema: z
    .strictObject({
      cluster: nameSchema.describe('of protocol h2'),
      domain: z.string().min(1).default('meshbench').describe('whose limits they are, for the service'),
      descriptor: z
        .strictObject({ key: z.string().min(1).default('generic_key'), value: z.string().min(1) })
        .describe('what is counted: all requests of this key and value together'),
      timeoutMs: whole(1, 60_000).default(20),
      failOpen: z.boolean().default(true).describe('let pass what the service does not answer'),
    })
    .describe('Global rate limit: a service over gRPC (envoy.service.ratelimit.v3) decides'),
  create: ({ cluster: name, domain, descriptor, timeoutMs, failOpen }, { registry, clusters }) => {
    const decisions = registry.counters(
      'meshbench_global_rate_limit_total',
      'Decisions of the rate limit service.',
      { decision: ['admitted', 'limited', 'error'] },
    )
    const cluster = clusters.get(name) as Cluster
    const message = encodeRateLimitRequest(domain, descriptor)
    const refusal = { status: 429, reason: 'global-rate-limited', body: 'rate limited\n' }
    const unanswered = { status: 500, reason: 'global-rate-limit-error' }
    const options = { body: message, timeoutMs, keepBytes: maxReplyBytes }
    return {
      request: () => {
        const question = ownRequest('POST', rateLimitPath, name, fields, message.length)
        question.acceptsTrailers = true
        return subrequest(cluster, question, options)
          .then(isAdmitted)
          .then(
            (admitted) => {
              decisions[admitted ? 'admitted' : 'limited'].add()
              return admitted ? undefined : refusal
            },
            () => {
              decisions.error.add()
              return failOpen ? undefined : unanswered
            },
          )
      },
    }
  },
})

const fields = ['content-type', 'application/grpc']

/** Throws for what is no answer of the service. */
function isAdmitted({ status, fields: head, trailers, body }: SubrequestAnswer): boolean {
  const code = trailers?.get('grpc-status') ?? head.get('grpc-status')
  if (status !== 200 || code !== '0') throw new Error(`status ${status}, grpc-status ${code ?? 'missing'}`)
  return isWithinLimit(body)
}
