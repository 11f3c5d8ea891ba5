/** What do pauses of a proxy, as those of a garbage collector, do to its tail, and are they worse where all share it? */
import { z } from 'zod'
import type { Path } from '../../harness/model.js'
import { metric, responseTime } from '../metrics.js'
import { actsOn, called, openLoop, type Experiment } from './experiment.js'
import { count, openLoopSettings, rate } from './load-settings.js'
import { memoryIn } from './resources.js'

const settings = z
  .strictObject({
    ratePerSecond: rate.default(400),
    /** Length of each pause. */
    pauseMs: count.max(10_000).default(50),
    /** From the start of one to the start of the next. */
    everyMs: count.max(60_000).default(1000),
    ...openLoopSettings({ warmupMs: 200, durationMs: 2000 }),
  })
  .refine(({ pauseMs, everyMs }) => pauseMs < everyMs, {
    path: ['everyMs'],
    message: 'it must be longer than pauseMs',
  })
  .refine(({ pauseMs, everyMs, durationMs }) => everyMs / 2 + pauseMs <= durationMs, {
    path: ['everyMs'],
    message: 'half of it passes before the first pause, which must end within the window',
  })
type Settings = z.infer<typeof settings>

/** Shared pages divided among those who share them, where the kernel tells so. */
export const memoryOfHop = metric({
  id: 'pauses.memory',
  title: 'Memory of one L7 hop',
  ...memoryIn(({ l7MemoryBytes, l7Hops }) => l7MemoryBytes && l7MemoryBytes / l7Hops),
})

export const pauseLoads = { none: 'no pauses', paused: 'pauses', nothing: 'pauses of a spare hop' } as const

/** Pauses of the path's first hop, or of a spare one that carries nothing: the first a half period from the start. */
function pauses({ pauseMs, everyMs, durationMs }: Settings, of?: 'spare') {
  const length = Math.floor((durationMs + everyMs / 2 - pauseMs) / everyMs)
  const times = Array.from({ length }, (_, index) => (index + 0.5) * everyMs)
  const acts = times.flatMap((atMs) => [[atMs, 'pause'] as const, [atMs + pauseMs, 'resume'] as const])
  return ({ hops: [first] }: Path) => actsOn(first, of, acts)
}

export const pausesExperiment = {
  name: 'pauses',
  question: 'What do pauses of a proxy, as those of a garbage collector, add to the tail?',
  settings,
  loads: (own) => {
    const { pauseMs, everyMs, ...rest } = own
    const load = openLoop(rest)
    const paused = called(`${pauseLoads.paused} ${pauseMs} ms/${everyMs} ms`, load)
    return [
      called(pauseLoads.none, load),
      { ...paused, script: pauses(own), hopsAlone: true },
      { ...called(pauseLoads.nothing, load), script: pauses(own, 'spare'), hopsAlone: true },
    ]
  },
  carries: ({ hops }) => hops.length > 0,
  comparesLoads: true,
  metrics: [responseTime, memoryOfHop],
  charts: [
    {
      name: 'pauses-tail',
      title: 'Response time at p99',
      caption: 'The first hop of each path stands still (SIGSTOP) for so long, again and again.',
      metric: responseTime,
      percentile: 99,
    },
  ],
  claims: ['C11'],
} satisfies Experiment<Settings>
