/** What does a busy neighbour do to a tenant: by sharing the tenant's hops, and by being on the same host at all? */
import { z } from 'zod'
import { responseTime } from '../metrics.js'
import { called, openLoop, type Experiment } from './experiment.js'
import { openLoopSettings, payloadBytes, rate } from './load-settings.js'
import { defined } from '../../harness/model/defined.js'

const settings = z.strictObject({
  /** The victim's. */
  ratePerSecond: rate.default(400),
  /** What the other tenant sends. */
  neighbour: z
    .strictObject({
      ratePerSecond: rate.default(150),
      /** Large replies keep a proxy busy for longer at a time than many small ones. */
      payloadBytes: payloadBytes.default(256 * 1024),
    })
    .prefault({}),
  ...openLoopSettings({ warmupMs: 300, durationMs: 1500 }),
})

export const neighbourLoads = {
  none: 'no neighbour',
  apart: 'neighbour on hops of its own',
  sharing: 'neighbour on the same hops',
  quiet: 'quiet neighbour on the same hops',
} as const

export const isolation = {
  name: 'isolation',
  question:
    'How much worse off is a tenant whose neighbour is busy, on the same hops and on hops of its own?',
  settings,
  loads: ({ neighbour, ...rest }) => {
    const load = openLoop({ ...rest, sliceMs: 50 })
    const { sliceMs: _, mix: __, ...second } = { ...load, ...neighbour }
    const quiet = { ...second, ratePerSecond: 10, payloadBytes: rest.payloadBytes }
    const noise = (loud: typeof second, along?: 'spare') => [{ atMs: 0, load: loud, ...defined({ along }) }]
    return [
      called(neighbourLoads.none, load),
      { ...called(neighbourLoads.apart, load), script: noise(second, 'spare'), hopsAlone: true },
      { ...called(neighbourLoads.sharing, load), script: noise(second), hopsAlone: true },
      { ...called(neighbourLoads.quiet, load), script: noise(quiet), hopsAlone: true },
    ]
  },
  // What has sidecars alone shares no hop.
  carries: ({ hops }) => hops.some(({ role }) => !role.startsWith('sidecar')),
  comparesLoads: true,
  metrics: [responseTime],
  charts: [
    {
      name: 'isolation-tail',
      title: 'The victim’s response time at p99',
      caption: 'The neighbour has a generator of its own, which is busy from the first to the last moment.',
      metric: responseTime,
      percentile: 99,
    },
  ],
  claims: ['C5'],
} satisfies Experiment<z.infer<typeof settings>>
