/** Counts requests by cluster and status, and measures their latency and sizes, as every mesh reports them. */
import { z } from 'zod'
import { defineFilter } from '../../exchange/filter.js'

const secondsBounds = [
  0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60,
]
const bytesBounds = [0, 128, 512, 1024, 4096, 16_384, 65_536, 262_144, 1_048_576, 16_777_216]

export const requestMetrics = defineFilter({
  schema: z.strictObject({}).describe('Requests by cluster and code, latency and sizes'),
  create: (_config, { registry }) => {
    const responses = registry.counter('meshbench_responses_total', 'Responses by cluster and status.', [
      'cluster',
      'method',
      'code',
    ])
    const histogram = (name: string, help: string, bounds: readonly number[]) =>
      registry.histogram(`meshbench_${name}`, help, ['cluster'], bounds)
    const help = 'From the request head to the end of the response.'
    const seconds = histogram('request_duration_seconds', help, secondsBounds)
    const requestSize = histogram('request_bytes', 'Request bodies.', bytesBounds)
    const responseSize = histogram('response_bytes', 'Response bodies.', bytesBounds)
    const cells = new Map<string, ReturnType<typeof cellsOf>>()
    const cellsOf = (cluster: string) => ({
      seconds: seconds.labels(cluster),
      requestSize: requestSize.labels(cluster),
      responseSize: responseSize.labels(cluster),
      codes: new Map<string, ReturnType<typeof responses.labels>>(),
    })
    const known = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'])
    return {
      needsTime: true,
      end(exchange) {
        const cluster = exchange.cluster?.name ?? 'none'
        let own = cells.get(cluster)
        if (own === undefined) cells.set(cluster, (own = cellsOf(cluster)))
        own.seconds.observe((performance.now() - exchange.startedAtMs) / 1000)
        own.requestSize.observe(exchange.requestBytes)
        own.responseSize.observe(exchange.responseBytes)
        const { method } = exchange.request
        const status = exchange.response?.status ?? 0
        const key = `${method} ${status}`
        let code = own.codes.get(key)
        if (code === undefined) {
          code = responses.labels(cluster, known.has(method) ? method : 'other', String(status))
          if (own.codes.size < 1000) own.codes.set(key, code)
        }
        code.add()
      },
    }
  },
})
