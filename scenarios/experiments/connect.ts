/**
 * What does a new connection cost on each path? A connection for each request, to the first hop in plain TCP; whether the
 * hops behind it shake hands anew or pool what they encrypt is counted, and a variant of the tunnel's pool shows the other way.
 */
import { z } from 'zod'
import { connectTime, firstByte, responseTime, cpu, memory } from '../metrics.js'
import { loadLabel, openLoop, type Experiment } from './experiment.js'
import { openLoopSettings, rounds } from './load-settings.js'

const settings = z.strictObject({
  /** New connections a second. Every one takes a local port for a minute after it was closed (TIME_WAIT). */
  ratePerSecond: z.number().positive().max(10_000).default(200),
  /** Its connections are how many there are at once, at most. */
  ...openLoopSettings({ warmupMs: 300, durationMs: 1000 }),
  /** How often every arm is measured. */
  rounds: rounds.default(6),
})

export const connect = {
  name: 'connect',
  question:
    'How long does a new connection take on each path, to connect and to the first byte, and what does it cost in CPU?',
  settings,
  loads: ({ rounds: _rounds, ...rest }) => {
    const load = { ...openLoop(rest), engine: 'connect' as const }
    return [{ label: `new connections ${loadLabel(load)}`, load }]
  },
  rounds: (own) => own.rounds,
  metrics: [connectTime, firstByte, responseTime, cpu, memory],
  claims: ['C8'],
} satisfies Experiment<z.infer<typeof settings>>
