/** What arms are compared by. */
import { z } from 'zod'

export const metricIds = [
  'latency.response',
  'latency.service',
  'latency.added',
  'throughput',
  'cpu.per1000Requests',
  'cpu.added',
  'memory.rss',
  'memory.added',
  'errors.share',
  'connect.time',
  'connect.firstByte',
  'stream.throughput',
  'cpu.perGib',
] as const

export const metricIdSchema = z.enum(metricIds)
export type MetricId = z.infer<typeof metricIdSchema>
