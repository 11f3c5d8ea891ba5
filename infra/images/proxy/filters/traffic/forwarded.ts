/** Tells the upstream who asked and through whom: X-Forwarded-For, Forwarded (RFC 7239), Via (RFC 9110 §7.6.3). */
import { z } from 'zod'
import { defineFilter } from '../../exchange/filter.js'

export const forwarded = defineFilter({
  schema: z
    .strictObject({
      xForwardedFor: z.boolean().default(false),
      forwarded: z.boolean().default(false),
      via: z
        .string()
        .regex(/^[A-Za-z0-9._:-]{1,100}$/)
        .optional()
        .describe('name of this proxy'),
      trustClient: z
        .boolean()
        .default(false)
        .describe('keep what the client says of earlier hops, and append to it'),
    })
    .describe('Forwarding headers'),
  create: (config, { registry }) => {
    const marked = registry
      .counter('meshbench_forwarded_requests_total', 'Requests with forwarding headers.')
      .labels()
    return {
      request({ request, client }) {
        const { fields } = request
        const append = (name: string, value: string): void => {
          const before = config.trustClient || name === 'via' ? fields.join(name) : undefined
          fields.set(name, before === undefined ? value : `${before}, ${value}`)
        }
        const { address } = client
        if (config.xForwardedFor) {
          append('x-forwarded-for', address)
          if (!config.trustClient || fields.get('x-forwarded-proto') === undefined) {
            fields.set('x-forwarded-proto', request.scheme)
          }
        }
        if (config.forwarded) {
          const node = address.includes(':') ? `"[${address}]"` : address
          append('forwarded', `for=${node};proto=${request.scheme}`)
        }
        if (config.via !== undefined) append('via', `1.1 ${config.via}`)
        marked.add()
        return undefined
      },
      response(_exchange, { fields }) {
        if (config.via === undefined) return
        const before = fields.join('via')
        fields.set('via', before === undefined ? `1.1 ${config.via}` : `${before}, 1.1 ${config.via}`)
      },
    }
  },
})
