/** How many workloads does the death of one component hurt, and for how long? */
import { z } from 'zod'
import type { Path, TrialReading } from '../../harness/model.js'
import { metric } from '../metrics.js'
import { actsOn, called, openLoop, sidecarsOrNone, type Experiment } from './experiment.js'
import { count, openLoopSettings, rate } from './load-settings.js'

const sliceMs = 50
/** A request that takes longer from when it was due has been hurt, even if it is answered in the end. */
const lateUs = 250_000

const settings = z
  .strictObject({
    /** Of one client each, with a sidecar each where there are sidecars. */
    workloads: count.min(2).max(16).default(4),
    /** Of all workloads together. */
    ratePerSecond: rate.default(400),
    /** When one hop is killed, from the start of the window. */
    killAtMs: count.default(400),
    /** When it is started again: a program may need a second or more to come up where cores are busy. */
    backAtMs: count.default(800),
    ...openLoopSettings({ warmupMs: 300, durationMs: 3000 }),
  })
  .refine(({ killAtMs, backAtMs, durationMs }) => killAtMs < backAtMs && backAtMs < durationMs, {
    path: ['backAtMs'],
    message: 'it must be between killAtMs and the end of the window',
  })
  .refine(({ workloads, connections }) => workloads <= connections, {
    path: ['connections'],
    message: 'each workload needs a connection',
  })
type Settings = z.infer<typeof settings>

export const killLoads = { killed: 'a hop is killed', nothing: 'a spare hop is killed' } as const

/** Of each workload the slices in which a request failed or was late. */
function hurtSlices({ trial: { load } }: Pick<TrialReading, 'trial'>): readonly number[] | undefined {
  return load?.slices?.workloads.map(
    ({ failed, maxUs }) =>
      failed.filter((failures, slice) => failures > 0 || (maxUs[slice] ?? 0) > lateUs).length,
  )
}

export const workloadsHit = metric({
  id: 'blast.workloadsHit',
  title: 'Share of workloads that are hurt',
  unit: 'share',
  read(reading) {
    const slices = hurtSlices(reading)
    return slices && slices.filter((hurt) => hurt > 0).length / slices.length
  },
  resolution: (reading) => 1 / Math.max(1, hurtSlices(reading)?.length ?? 1),
  counts: (reading) => hurtSlices(reading)?.length ?? 0,
})

const outage = metric({
  id: 'blast.outageMs',
  title: 'Time in which a workload is hurt, all workloads together',
  unit: 'ms',
  read: (reading) => hurtSlices(reading)?.reduce((sum, hurt) => sum + hurt * sliceMs, 0),
  resolution: () => sliceMs,
})

/** The server's end of the path, of the first workload where each has its own. */
const kill =
  ({ killAtMs, backAtMs }: Settings, of?: 'spare') =>
  ({ hops }: Path) =>
    actsOn(hops.at(-1), of, [
      [killAtMs, 'kill'],
      [backAtMs, 'start'],
    ])

export const blastRadius = {
  name: 'blast-radius',
  question: 'How many workloads of a node does the death of one component hurt, and for how long?',
  settings,
  loads: (own) => {
    const { killAtMs: _1, backAtMs: _2, ...rest } = own
    const named = (what: string) =>
      called(`${what}, ${own.workloads} workloads`, openLoop({ ...rest, sliceMs }))
    return [
      { ...named(killLoads.killed), script: kill(own), hopsAlone: true },
      { ...named(killLoads.nothing), script: kill(own, 'spare') },
    ]
  },
  carries: sidecarsOrNone,
  comparesLoads: true,
  metrics: [workloadsHit, outage],
  charts: [
    {
      name: 'blast-workloads',
      title: 'Workloads that are hurt when a component is killed',
      caption: `Hurt: a request failed, or took longer than ${lateUs / 1000} ms from when it was due.`,
      metric: workloadsHit,
    },
    {
      name: 'blast-outage',
      title: 'Time in which a workload is hurt',
      caption: `Slices of ${sliceMs} ms with a request that failed or was late, all workloads together.`,
      metric: outage,
    },
  ],
  claims: ['C6'],
} satisfies Experiment<Settings>
