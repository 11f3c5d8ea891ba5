/** Sets, adds and removes headers of requests and responses. */
import { z } from 'zod'
import { defineFilter } from '../../exchange/filter.js'
import type { Fields } from '../../exchange/message.js'

const nameSchema = z
  .string()
  .regex(/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/, 'a header name')
  .toLowerCase()
  .refine(
    (name) =>
      ![
        'host',
        'content-length',
        'transfer-encoding',
        'connection',
        'upgrade',
        'te',
        'trailer',
        'keep-alive',
        'proxy-connection',
        'x-forwarded-client-cert',
      ].includes(name),
    'a header that decides framing, routing or identity',
  )
const valueSchema = z.string().regex(/^[\t\x20-\x7e\x80-\xff]*$/, 'a header value, without line breaks')
const operationsSchema = z
  .strictObject({
    set: z.record(nameSchema, valueSchema).default({}),
    add: z.record(nameSchema, valueSchema).default({}),
    remove: z.array(nameSchema).default([]),
  })
  .describe('remove first, then set, then add')

type Operations = z.output<typeof operationsSchema>

export const headers = defineFilter({
  schema: z
    .strictObject({ request: operationsSchema.optional(), response: operationsSchema.optional() })
    .describe('Header manipulation'),
  create: ({ request, response }, { registry }) => {
    const changed = registry.counters(
      'meshbench_header_changes_total',
      'Messages whose headers were changed.',
      { direction: ['request', 'response'] },
    )
    return {
      ...(request && {
        request(exchange) {
          apply(request, exchange.request.fields)
          changed.request.add()
          return undefined
        },
      }),
      ...(response && {
        response(_exchange, head) {
          apply(response, head.fields)
          changed.response.add()
        },
      }),
    }
  },
})

function apply({ set, add, remove }: Operations, fields: Fields): void {
  for (const name of remove) fields.remove(name)
  for (const name in set) fields.set(name, set[name] as string)
  for (const name in add) fields.add(name, add[name] as string)
}
