/** How many requests a second does each path carry before it breaks its promise? Searched with an open loop. */
import { z } from 'zod'
import { throughput } from '../metrics.js'
import { openLoop, requestLabel, type Experiment } from './experiment.js'
import { count, openLoopSettings, rate } from './load-settings.js'

const settings = z
  .strictObject({
    /** The promise: this percentile of response times stays at or under so many ms. */
    slo: z
      .strictObject({
        /** Of response times, from due. */
        percentile: z.union([z.literal(50), z.literal(90), z.literal(99), z.literal(99.9)]).default(99),
        /** What it may be at most. */
        latencyMs: z.number().positive().max(60_000).default(10),
      })
      .prefault({}),
    /** Rate of the first probe. */
    startPerSecond: rate.default(2000),
    /** The search goes no lower. */
    minPerSecond: rate.default(50),
    /** The search goes no higher. */
    maxPerSecond: rate.default(100_000),
    /** The search ends when the knee is known to ± this share. */
    precision: z.number().min(0.005).max(1).default(0.05),
    /** Trials of one arm, at most. */
    maxProbes: count.max(200).default(8),
    ...openLoopSettings({ warmupMs: 200, durationMs: 800 }),
  })
  .refine(({ minPerSecond, startPerSecond }) => minPerSecond <= startPerSecond, {
    path: ['startPerSecond'],
    message: 'it must be at least minPerSecond',
  })
  .refine(({ startPerSecond, maxPerSecond }) => startPerSecond <= maxPerSecond, {
    path: ['startPerSecond'],
    message: 'it must be at most maxPerSecond',
  })
  .refine(({ minPerSecond, maxPerSecond }) => minPerSecond < maxPerSecond, {
    path: ['maxPerSecond'],
    message: 'it must be above minPerSecond',
  })

export const capacity = {
  name: 'capacity',
  question: 'How many requests a second does each path carry before its response time breaks the promise?',
  settings,
  loads: ({ slo, startPerSecond, minPerSecond, maxPerSecond, precision, maxProbes, ...rest }) => [
    {
      label: `p${slo.percentile} ≤ ${slo.latencyMs} ms c${rest.connections} ${requestLabel(rest)}`,
      load: openLoop(rest),
      search: { ...slo, startPerSecond, minPerSecond, maxPerSecond, precision, maxProbes },
    },
  ],
  metrics: [throughput],
} satisfies Experiment<z.infer<typeof settings>>
