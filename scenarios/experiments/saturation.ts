/** How many requests does each path carry when every connection sends again as soon as it is answered? */
import { z } from 'zod'
import { cpu, memory, throughput } from '../metrics.js'
import { loadLabel, type Experiment } from './experiment.js'
import { connections, payloadBytes, rounds, windowSettings } from './load-settings.js'

const settings = z.strictObject({
  /** Each sends its next request when the last is answered. */
  connections: connections.default(16),
  /** Length of each reply's body. */
  payloadBytes: payloadBytes.default(1024),
  ...windowSettings({ warmupMs: 300, durationMs: 1000 }),
  /** Saturation is coarse: a few rounds tell it. */
  rounds: rounds.default(3),
})

export const saturation = {
  name: 'saturation',
  question: 'How many requests a second does each path answer when every connection is always busy?',
  settings,
  loads: ({ rounds: _rounds, ...rest }) => {
    const closed = { engine: 'closed-loop', model: 'closed', protocol: 'http1' } as const
    const load = { ...closed, ...rest }
    return [{ label: loadLabel(load), load }]
  },
  rounds: (own) => own.rounds,
  metrics: [cpu, memory, throughput],
} satisfies Experiment<z.infer<typeof settings>>
