/**
 * What does an application lose that sends from its first instant? Its sidecar may start with it or be ready before it; what
 * stands on the node is there already. The client's side alone: a server is asked once it says that it is ready.
 */
import { z } from 'zod'
import type { Path, Script } from '../../harness/model.js'
import { metric } from '../metrics.js'
import { called, type Experiment } from './experiment.js'
import { count, openLoopSettings, rate } from './load-settings.js'
import { readRestart, restart, sliceMs } from './restart.js'

const settings = z
  .strictObject({
    ratePerSecond: rate.default(200),
    /** When the workload starts; until then its previous life is seen. */
    startAtMs: count.default(200),
    ...openLoopSettings({ warmupMs: 100, durationMs: 2000 }),
  })
  .refine(({ startAtMs, durationMs }) => startAtMs < durationMs, {
    path: ['startAtMs'],
    message: 'it must be before the end of the window',
  })

export const startLoads = {
  together: 'all that a workload brings starts with it',
  before: 'a workload waits for its hop',
  nothing: 'a spare hop starts',
} as const

const isSidecar = ({ hops: [first] }: Path) => first?.role.startsWith('sidecar') === true

/** What stands on the node does not start with a workload: a spare one starts, for the work that a start makes on any host. */
const together = (atMs: number) => (path: Path) => restart(path, atMs, isSidecar(path) ? undefined : 'spare')

/** A native sidecar: the application begins once it is ready. */
const before =
  (atMs: number, withinMs: number) =>
  (path: Path): Script => {
    const [first] = path.hops
    if (!first || !isSidecar(path)) return restart(path, atMs, 'spare')
    return [...restart(path, atMs), { atMs, target: { hop: first.name }, awaitWithinMs: withinMs }]
  }

export const unserved = metric({
  id: 'startup.unserved',
  title: 'Time from an application’s first instant until its requests are answered',
  unit: 'ms',
  read: ({ trial }) => readRestart(trial)?.unservedMs,
  resolution: () => sliceMs,
})

/** One at most where a hop comes up and stays: more tell of one that was well, and failed again. */
export const outages = metric({
  id: 'startup.outages',
  title: 'Stretches of failed requests around a start',
  unit: 'count',
  read: ({ trial }) => readRestart(trial)?.outages,
  resolution: () => 1,
  counts: () => 1,
})

export const readiness = metric({
  id: 'startup.readiness',
  title: 'Time until what a workload brings is ready',
  unit: 'ms',
  read: ({ trial }) => readRestart(trial)?.readyMs,
  resolution: () => 1,
})

export const startup = {
  name: 'startup',
  question: 'What does an application lose that sends from its first instant, while its mesh comes up?',
  settings,
  loads: ({ startAtMs, ...rest }) => {
    const load = { engine: 'connect' as const, model: 'open' as const, ...rest, sliceMs }
    const nothing = (path: Path) => restart(path, startAtMs, 'spare')
    return [
      { ...called(startLoads.together, load), script: together(startAtMs) },
      // Of a baseline nothing starts: it is measured once.
      { ...called(startLoads.before, load), script: before(startAtMs, rest.durationMs), hopsAlone: true },
      { ...called(startLoads.nothing, load), script: nothing, hopsAlone: true },
    ]
  },
  carries: ({ hops }) => hops.length > 0,
  comparesLoads: true,
  metrics: [unserved, outages, readiness],
  charts: [
    {
      name: 'start-timeline',
      title: 'From an application’s first instant until its requests are answered',
      caption:
        'Bars: until what the workload brings was ready. Ticks: until requests were answered, counted from the application’s first instant; a new connection for each.',
      metric: unserved,
      behind: readiness,
      across: {
        [startLoads.together]: 'started together',
        [startLoads.before]: 'waits for its hop',
        [startLoads.nothing]: 'spare starts',
      },
    },
  ],
  claims: ['C7'],
} satisfies Experiment<z.infer<typeof settings>>
