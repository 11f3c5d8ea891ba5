/** What does each path add to the response time, at rates below every arm's knee? */
import { z } from 'zod'
import { responseTime, cpu, memory } from '../metrics.js'
import { loadLabel, openLoop, type Experiment } from './experiment.js'
import { openLoopSettings, rate } from './load-settings.js'

const settings = z.strictObject({
  /** Each is a load of its own. */
  ratesPerSecond: z.array(rate).min(1).default([1000]),
  ...openLoopSettings({ warmupMs: 400, durationMs: 1500 }),
})

export const latency = {
  name: 'latency',
  question: 'What does each path add to the response time, and what does it cost in CPU and memory?',
  settings,
  loads: ({ ratesPerSecond, ...rest }) =>
    [...new Set(ratesPerSecond)].map((ratePerSecond) => {
      const load = openLoop({ ratePerSecond, ...rest })
      return { label: loadLabel(load), load }
    }),
  metrics: [responseTime, cpu, memory],
  claims: ['C1', 'C2', 'C3', 'C10'],
} satisfies Experiment<z.infer<typeof settings>>
