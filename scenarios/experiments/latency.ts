/** What does each path add to the response time, at rates below every arm's knee? */
import { z } from 'zod'
import { loadLabel, type Experiment } from './experiment.js'

const positive = z.number().positive()
const count = z.int().positive()

const settings = z.strictObject({
  ratesPerSecond: z.array(positive.max(1_000_000)).min(1).default([1000]),
  connections: count.max(10_000).default(16),
  payloadBytes: z
    .int()
    .min(0)
    .max(64 * 2 ** 20)
    .default(1024),
  protocol: z.enum(['http1', 'h2', 'grpc', 'tcp']).default('http1'),
  arrival: z.enum(['uniform', 'poisson']).default('uniform'),
  warmupMs: z.int().min(0).max(600_000).default(400),
  durationMs: z.int().min(100).max(3_600_000).default(1500),
  timeoutMs: count.max(600_000).default(5000),
  workers: count.max(64).default(1),
})
export type LatencySettings = z.infer<typeof settings>

export const latency = {
  name: 'latency',
  question: 'What does each path add to the response time, and what does it cost in CPU and memory?',
  settings,
  loads: ({ ratesPerSecond, ...rest }) =>
    ratesPerSecond.map((ratePerSecond) => {
      const load = { engine: 'open-loop', model: 'open' as const, ratePerSecond, ...rest }
      return { label: loadLabel(load), load }
    }),
  metrics: ['latency.response', 'cpu.per1000Requests', 'memory.rss'],
} satisfies Experiment<LatencySettings>
