/** How fast does each path move bytes, and what does a GiB cost in CPU? Long transfers, one after the other on each connection. */
import { z } from 'zod'
import { transferRate, cpuPerGib, memory } from '../metrics.js'
import { loadLabel, type Experiment } from './experiment.js'
import { connections, count, protocol, rounds, windowSettings } from './load-settings.js'

const settings = z
  .strictObject({
    /** Transfers at a time. */
    connections: connections.default(4),
    /** Bytes of one transfer. */
    payloadBytes: count.max(2 ** 40).default(16 * 2 ** 20),
    protocol: protocol.default('http1'),
    ...windowSettings({ warmupMs: 300, durationMs: 1000, timeoutMs: 30_000 }),
    /** How often every arm is measured. */
    rounds: rounds.default(4),
  })
  .refine(({ protocol, payloadBytes }) => protocol !== 'tcp' || payloadBytes < 2 ** 24, {
    path: ['payloadBytes'],
    message: 'a frame of raw TCP holds less than 16 MiB',
  })

export const stream = {
  name: 'stream',
  question:
    'How many Gb/s does each path carry in long transfers, and how much CPU does a GiB cost at each hop?',
  settings,
  loads: ({ rounds: _rounds, ...rest }) => {
    const load = { engine: 'stream' as const, model: 'closed' as const, ...rest }
    return [{ label: `transfers ${loadLabel(load)}`, load }]
  },
  rounds: (own) => own.rounds,
  metrics: [transferRate, cpuPerGib, memory],
} satisfies Experiment<z.infer<typeof settings>>
