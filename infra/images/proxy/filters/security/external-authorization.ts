/** Asks another service over HTTP whether a request may pass. */
import { z } from 'zod'
import { nameSchema, whole } from '../../../kit/process/config.js'
import type { Cluster } from '../../upstream/cluster.js'
import { defineFilter } from '../../exchange/filter.js'
import { ownRequest, subrequest } from '../../upstream/subrequest.js'

export const externalAuthorization = defineFilter({
  schema: z
    .strictObject({
      cluster: nameSchema,
      pathPrefix: z.string().startsWith('/').default('/').describe("put before the request's path"),
      timeoutMs: whole(1, 60_000).default(200),
      requestHeaders: z
        .array(z.string().min(1).toLowerCase())
        .default(['authorization', 'cookie', 'x-request-id', 'traceparent'])
        .describe('shown to the authorizer'),
      upstreamHeaders: z
        .array(z.string().min(1).toLowerCase())
        .default([])
        .describe("taken from the authorizer's answer to the request"),
      failOpen: z.boolean().default(false).describe('let pass what the authorizer does not answer'),
    })
    .describe('External authorization over HTTP: 2xx lets pass, anything else is the answer'),
  create: (config, { registry, clusters }) => {
    const results = registry.counter('meshbench_external_authorization_total', 'Answers of the authorizer.', [
      'result',
    ])
    const cluster = clusters.get(config.cluster) as Cluster
    const prefix = config.pathPrefix.replace(/\/$/, '')
    return {
      request(exchange) {
        const { request } = exchange
        const headers: string[] = []
        for (const name of config.requestHeaders) {
          const value = request.fields.join(name)
          if (value !== undefined) headers.push(name, value)
        }
        if (request.clientCert !== undefined) headers.push('x-forwarded-client-cert', request.clientCert)
        const question = ownRequest(request.method, prefix + request.path, request.authority, headers)
        return subrequest(cluster, question, { timeoutMs: config.timeoutMs }).then(
          ({ status, fields }) => {
            if (status < 200 || status > 299) {
              results.labels('denied').add()
              // A server's own failure is not a decision.
              if (status >= 500) return { status: 503, reason: 'external-authorization-error' }
              const challenge = fields.get('www-authenticate')
              return {
                status,
                reason: 'external-authorization',
                ...(challenge === undefined ? {} : { headers: ['www-authenticate', challenge] }),
              }
            }
            results.labels('allowed').add()
            for (const name of config.upstreamHeaders) {
              const value = fields.get(name)
              if (value === undefined) request.fields.remove(name)
              else request.fields.set(name, value)
            }
            return undefined
          },
          () => {
            results.labels('error').add()
            return config.failOpen ? undefined : { status: 503, reason: 'external-authorization-error' }
          },
        )
      },
    }
  },
})
