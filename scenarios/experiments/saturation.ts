/** How many requests does each path carry when every connection sends again as soon as it is answered? */
import { z } from 'zod'
import { loadLabel, type Experiment } from './experiment.js'

const count = z.int().positive()

const settings = z.strictObject({
  connections: count.max(10_000).default(16),
  payloadBytes: z
    .int()
    .min(0)
    .max(64 * 2 ** 20)
    .default(1024),
  warmupMs: z.int().min(0).max(600_000).default(300),
  durationMs: z.int().min(100).max(3_600_000).default(1000),
  timeoutMs: count.max(600_000).default(5000),
  /** Saturation is coarse: a few rounds tell it. */
  rounds: count.max(1000).default(3),
})
export type SaturationSettings = z.infer<typeof settings>

export const saturation = {
  name: 'saturation',
  question: 'How many requests a second does each path answer when every connection is always busy?',
  settings,
  loads: ({ rounds: _rounds, ...rest }) => {
    const load = { engine: 'closed-loop', model: 'closed' as const, protocol: 'http1' as const, ...rest }
    return [{ label: loadLabel(load), load }]
  },
  rounds: ({ rounds }) => rounds,
  metrics: ['throughput', 'cpu.per1000Requests'],
} satisfies Experiment<SaturationSettings>
