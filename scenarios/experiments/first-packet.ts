/**
 * What does the first connection between two workloads take, which finds no handshake done? A hop that has just started has
 * none, and no program that is warm either: a path without handshakes shows how much of it is that.
 */
import { z } from 'zod'
import type { TrialReading } from '../../harness/model.js'
import { metric } from '../metrics.js'
import { called, type Experiment } from './experiment.js'
import { count, openLoopSettings, rate } from './load-settings.js'
import { readRestart, restart, sliceMs } from './restart.js'

const settings = z
  .strictObject({
    ratePerSecond: rate.default(200),
    /** When the path's first hop starts anew. */
    startAtMs: count.default(200),
    // No warm-up: where nothing starts anew, the window's first connection is the first of all.
    ...openLoopSettings({ warmupMs: 0, durationMs: 2000 }),
  })
  .refine(({ startAtMs, durationMs }) => startAtMs < durationMs, {
    path: ['startAtMs'],
    message: 'it must be before the end of the window',
  })

export const firstLoads = {
  cold: 'the first hop knows nobody',
  nothing: 'a spare hop knows nobody',
} as const

export const firstAdded = metric({
  id: 'firstPacket.added',
  title: 'What the first connection takes beyond those behind it',
  unit: 'ms',
  read: ({ trial }) => readRestart(trial)?.firstAddedMs,
  resolution: () => 0.001,
})

/** Of a path whose hops nobody starts anew, as the kernel's: requests that failed before one was answered. */
export const firstLost = metric({
  id: 'firstPacket.lost',
  title: 'First requests that are lost',
  unit: 'count',
  read({ trial: { events = [], load } }: Pick<TrialReading, 'trial'>) {
    const slices = load?.slices?.workloads[0]
    if (!slices || events.length > 0) return undefined
    const answered = slices.ok.findIndex((ok) => ok > 0)
    const before = answered < 0 ? slices.failed : slices.failed.slice(0, answered + 1)
    return before.reduce((sum, failed) => sum + failed, 0)
  },
  resolution: () => 1,
  // One first contact in each trial.
  counts: () => 1,
})

export const firstPacket = {
  name: 'first-packet',
  question: 'What does the first connection between two workloads take, and is it lost?',
  settings,
  loads: ({ startAtMs, ...rest }) => {
    const load = { engine: 'connect' as const, model: 'open' as const, ...rest, sliceMs }
    return [
      { ...called(firstLoads.cold, load), script: (path) => restart(path, startAtMs) },
      { ...called(firstLoads.nothing, load), script: (path) => restart(path, startAtMs, 'spare') },
    ]
  },
  comparesLoads: true,
  metrics: [firstAdded, firstLost],
  charts: [
    {
      name: 'first-connection',
      title: 'What the first connection takes beyond those behind it',
      caption:
        'Response time of the first request through a hop that has just started, less the median of later ones. A path without handshakes shows what is the program’s own start.',
      metric: firstAdded,
      across: { [firstLoads.cold]: 'knows nobody', [firstLoads.nothing]: 'spare starts' },
    },
    {
      name: 'first-packet-lost',
      title: 'First requests that are lost',
      caption: 'Requests that failed before the first was answered, where no hop starts anew.',
      metric: firstLost,
    },
  ],
  claims: ['C9'],
} satisfies Experiment<z.infer<typeof settings>>
