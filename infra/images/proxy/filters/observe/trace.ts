/** Takes part in W3C traces: continues the caller's or starts one (https://www.w3.org/TR/trace-context/). */
import { randomFillSync } from 'node:crypto'
import { z } from 'zod'
import { defineFilter } from '../../exchange/filter.js'

const pool = Buffer.alloc(4096)
let used = pool.length

/** Random hex digits. System calls are shared by many requests. */
function randomHex(bytes: number): string {
  if (used + bytes > pool.length) {
    randomFillSync(pool)
    used = 0
  }
  used += bytes
  return pool.toString('hex', used - bytes, used)
}

const pattern = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/

export const trace = defineFilter({
  schema: z
    .strictObject({ sampled: z.boolean().default(true).describe('flag of the traces that start here') })
    .describe('W3C trace context'),
  create: ({ sampled }, { registry }) => {
    const spans = registry.counters('meshbench_trace_spans_total', 'Spans by how their trace began.', {
      trace: ['continued', 'started'],
    })
    return {
      request({ request: { fields } }) {
        const match = pattern.exec(fields.join('traceparent') ?? '')
        const [, version = '', traceId = '', parentId = '', flags = '', rest] = match ?? []
        const isValid =
          match !== null &&
          version !== 'ff' &&
          (version !== '00' || rest === undefined) &&
          !/^0+$/.test(traceId) &&
          !/^0+$/.test(parentId)
        if (isValid) {
          fields.set('traceparent', `00-${traceId}-${randomHex(8)}-${flags}`)
          spans.continued.add()
        } else {
          // §3.3: the state of a trace means nothing without its parent.
          fields.remove('tracestate')
          fields.set('traceparent', `00-${randomHex(16)}-${randomHex(8)}-${sampled ? '01' : '00'}`)
          spans.started.add()
        }
        return undefined
      },
    }
  },
})
