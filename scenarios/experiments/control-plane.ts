/** What does a control plane cost while nothing changes, and while proxies come and go? */
import { z } from 'zod'
import type { Path, Script, TrialReading } from '../../harness/model.js'
import { metric } from '../metrics.js'
import { loadLabel, type Experiment } from './experiment.js'
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
export type ControlPlaneSettings = z.infer<typeof settings>

/** Each load's label begins with one of these: claims compare them. */
export const controlLoads = { rest: 'nothing changes', churn: 'proxies come and go' } as const

/** A spare hop, which carries nothing: what it asks of a control plane is all that it does. */
function churn({ proxies, everyMs }: ControlPlaneSettings) {
  return ({ hops: [first] }: Path): Script => {
    if (!first) return []
    const target = { hop: first.name, of: 'spare' as const }
    return Array.from({ length: proxies }, (_, index) => (index + 0.5) * everyMs).flatMap((atMs) => [
      { atMs, target, change: { do: 'stop' as const } },
      { atMs, target, change: { do: 'start' as const } },
    ])
  }
}

/** Undefined where there is none, rather than nothing: a mesh without one has no figure here. */
const controlRows = ({ trial: { usage } }: Pick<TrialReading, 'trial'>) => {
  const rows = usage?.components.filter(({ category }) => category === 'control-plane') ?? []
  return rows.length === 0 ? undefined : rows
}

export const controlCpu = metric({
  id: 'controlPlane.cpu',
  title: 'CPU of the control plane',
  unit: 'vCPU',
  better: 'less',
  sample: 'round',
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
  better: 'less',
  sample: 'process',
  read: (reading) =>
    controlRows(reading)?.reduce<number | undefined>(
      (sum, { rssBytes }) =>
        sum === undefined || rssBytes === undefined ? undefined : sum + rssBytes / 2 ** 20,
      0,
    ),
  resolution: () => 4096 / 2 ** 20,
})

export const controlPlane = {
  name: 'control-plane',
  question: 'What does a control plane cost while nothing changes, and while proxies come and go?',
  settings,
  loads: (own) => {
    const { proxies, everyMs, ...rest } = own
    const load = { engine: 'open-loop' as const, model: 'open' as const, ...rest }
    const label = (what: string) => `${what}, ${loadLabel(load)}`
    return [
      { label: label(controlLoads.rest), load },
      { label: label(`${controlLoads.churn} (${proxies}, every ${everyMs} ms)`), load, script: churn(own) },
    ]
  },
  carries: ({ hops }) => hops.length > 0,
  comparesLoads: true,
  metrics: [controlCpu, controlMemory],
  claims: ['C12'],
} satisfies Experiment<ControlPlaneSettings>
