/** How do response time and CPU change with rate, connections and payload? Curves, since one point may be the odd one. */
import { z } from 'zod'
import { responseTime, cpu, memory } from '../metrics.js'
import { loadLabel, openLoop, type Experiment } from './experiment.js'
import { connections, openLoopSettings, payloadBytes, rate, rounds } from './load-settings.js'

const kib = 1024

const settings = z.strictObject({
  /** What connections are varied at. */
  ratePerSecond: rate.default(500),
  /** The curves. An empty list leaves one out. */
  rates: z.array(rate).max(20).default([250, 500, 1000, 2000]),
  /** 128: past the 100 streams of one tunnel's connection. */
  connectionCounts: z.array(connections).max(20).default([1, 10, 64, 128]),
  /** Lengths of replies, each with a curve's point of its own. */
  payloads: z
    .array(payloadBytes)
    .max(20)
    .default([0, kib, 64 * kib, kib ** 2]),
  /** Rate of the curve over payloads: a thousand replies of 1 MiB a second are more than a loopback carries. */
  payloadRatePerSecond: rate.default(100),
  ...openLoopSettings({ warmupMs: 300, durationMs: 1000 }),
  /** Curves need many loads: a few rounds of each. */
  rounds: rounds.default(4),
})

export const sweep = {
  name: 'sweep',
  question: 'How do response time and CPU of each path change with rate, connections and payload?',
  settings,
  loads({ rates, connectionCounts, payloads, payloadRatePerSecond, rounds: _rounds, ...rest }) {
    const { mix: _mix, ...single } = rest
    const base = openLoop(rest)
    const loads = [
      ...rates.map((ratePerSecond) => ({ ...base, ratePerSecond })),
      ...connectionCounts.map((connections) => ({ ...base, connections })),
      ...payloads.map((payloadBytes) =>
        openLoop({ ...single, payloadBytes, ratePerSecond: payloadRatePerSecond }),
      ),
    ]
    // Where curves cross they share a load.
    return [...new Map(loads.map((load) => [loadLabel(load), load]))].map(([label, load]) => ({
      label,
      load,
    }))
  },
  rounds: (own) => own.rounds,
  metrics: [responseTime, cpu, memory],
  claims: ['C1', 'C2', 'C3'],
} satisfies Experiment<z.infer<typeof settings>>
