/** How fast does each path move bytes, and what does a GiB cost in CPU? Long transfers, one after the other on each connection. */
import { z } from 'zod'
import { loadLabel, type Experiment } from './experiment.js'

const count = z.int().positive()

const settings = z
  .strictObject({
    connections: count.max(10_000).default(4),
    /** Bytes of one transfer. */
    payloadBytes: z
      .int()
      .positive()
      .max(2 ** 40)
      .default(16 * 2 ** 20),
    protocol: z.enum(['http1', 'h2', 'grpc', 'tcp']).default('http1'),
    warmupMs: z.int().min(0).max(600_000).default(300),
    durationMs: z.int().min(100).max(3_600_000).default(1000),
    timeoutMs: count.max(600_000).default(30_000),
    rounds: count.max(1000).default(4),
  })
  .refine(({ protocol, payloadBytes }) => protocol !== 'tcp' || payloadBytes < 2 ** 24, {
    path: ['payloadBytes'],
    message: 'a frame of raw TCP holds less than 16 MiB',
  })
export type StreamSettings = z.infer<typeof settings>

export const stream = {
  name: 'stream',
  question:
    'How many Gb/s does each path carry in long transfers, and how much CPU does a GiB cost at each hop?',
  settings,
  loads: ({ rounds: _rounds, ...rest }) => {
    const load = { engine: 'stream', model: 'closed' as const, ...rest }
    return [{ label: `transfers ${loadLabel(load)}`, load }]
  },
  rounds: ({ rounds }) => rounds,
  metrics: ['stream.throughput', 'cpu.perGib'],
} satisfies Experiment<StreamSettings>
