/** What does a control plane cost while nothing changes, and while proxies come and go? */
import { z } from 'zod'
import type { Path, TrialReading } from '../../harness/model.js'
import { metric, mib, pageMib } from '../metrics.js'
import { actsOn, called, openLoop, type Experiment } from './experiment.js'
import { count, openLoopSettings, rate } from './load-settings.js'

const settings = z
  .strictObject({
    /** At rest: enough to know that the path is whole. */
    ratePerSecond: rate.default(10),
    /** How many proxies end and come back in a window. */
    proxies: count.max(100).default(3),
    /** From one of them to the next. */
    everyMs: count.max(60_000).default(1000),
    ...openLoopSettings({ warmupMs: 200, durationMs: 4000 }),
  })
  .refine(({ proxies, everyMs, durationMs }) => proxies * everyMs < durationMs, {
    path: ['proxies'],
    message: 'all of them must come back within the window',
  })
type Settings = z.infer<typeof settings>

const controlLoads = { rest: 'nothing changes', churn: 'proxies come and go' } as const

/** A spare hop, which carries nothing: what it asks of a control plane is all that it does. */
function churn({ proxies, everyMs }: Settings) {
  const times = Array.from({ length: proxies }, (_, index) => (index + 0.5) * everyMs)
  const acts = times.flatMap((atMs) => [[atMs, 'stop'] as const, [atMs, 'start'] as const])
  return ({ hops: [first] }: Path) => actsOn(first, 'spare', acts)
}

/** Undefined where there is none, rather than nothing: a mesh without one has no figure here. */
const controlRows = ({ trial: { usage } }: Pick<TrialReading, 'trial'>) => {
  const rows = usage?.components.filter(({ category }) => category === 'control-plane') ?? []
  return rows.length === 0 ? undefined : rows
}

const controlCpu = metric({
  id: 'controlPlane.cpu',
  title: 'CPU of the control plane',
  unit: 'vCPU',
  read: (reading) => {
    const rows = controlRows(reading)
    const windowMs = reading.trial.usage?.windowMs ?? 0
    return rows && windowMs > 0 ? rows.reduce((sum, { cpuNs }) => sum + cpuNs, 0) / 1e6 / windowMs : undefined
  },
  resolution: (reading) =>
    (controlRows(reading) ?? []).reduce((sum, { resolutionNs }) => sum + resolutionNs, 0) /
    1e6 /
    Math.max(1, reading.trial.usage?.windowMs ?? 0),
})

const controlMemory = metric({
  id: 'controlPlane.memory',
  title: 'Memory of the control plane',
  unit: 'MiB',
  sample: 'process',
  read: (reading) =>
    controlRows(reading)?.reduce<number | undefined>(
      (sum, { rssBytes }) => (sum === undefined || rssBytes === undefined ? undefined : sum + rssBytes / mib),
      0,
    ),
  resolution: () => pageMib,
})

export const controlPlane = {
  name: 'control-plane',
  question: 'What does a control plane cost while nothing changes, and while proxies come and go?',
  settings,
  loads: (own) => {
    const { proxies, everyMs, ...rest } = own
    const load = openLoop(rest)
    return [
      called(controlLoads.rest, load),
      { ...called(`${controlLoads.churn} (${proxies}, every ${everyMs} ms)`, load), script: churn(own) },
    ]
  },
  carries: ({ hops }) => hops.length > 0,
  comparesLoads: true,
  metrics: [controlCpu, controlMemory],
  charts: [
    {
      name: 'control-plane',
      title: 'CPU of the control plane, at rest and while proxies come and go',
      caption: 'Cores in use over the window. A mesh without a control plane has no row.',
      metric: controlCpu,
      across: { [controlLoads.rest]: 'nothing changes', [controlLoads.churn]: 'proxies come and go' },
    },
  ],
  claims: ['C12'],
} satisfies Experiment<Settings>
