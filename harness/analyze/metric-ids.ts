/** Names of what is measured, for whatever checks them at run time. */
import type { MetricId } from '../model.js'

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
] as const satisfies readonly MetricId[]
