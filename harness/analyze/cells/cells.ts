/** Estimates of each cell: percentiles, throughput, memory, and the whole bill of its CPU. */
import type {
  ByPercentile,
  Cell,
  CellAnalysis,
  ConnectAnalysis,
  Estimate,
  ReadMetric,
  StreamAnalysis,
  Trial,
  TrialErrorKind,
} from '../../model.js'
import { estimateOf } from '../estimates.js'
import { defined } from '../../model/defined.js'
import * as metrics from '../../../scenarios/metrics.js'
import { experimentNamed } from '../../../scenarios/registry.js'
import { billRows, type MakeEstimate } from './bill.js'
import { curveOf } from './curve.js'
import { analyzeKnee } from './knees.js'
import { timelineOf } from './timeline.js'
import type { Settings } from '../../stats/paired.js'
import {
  billOf,
  coarsestOf,
  handshakesPerConnection,
  hostStepNs,
  reaches,
  readMetric,
  resumptionsPerConnection,
  seriesOf,
  stepPerConnection,
  surenessOf,
  type Run,
} from '../readings.js'

/** What ends a trial and is the arm's own doing: its hops died, or nothing could be sent through them. */
const armFaults: readonly TrialErrorKind[] = ['hop-died', 'connect', 'protocol', 'not-ready']

/** Requests without their answer to requests asked for. A trial that the arm ended had all of its requests fail. */
function errorShareOf({ load: asked }: Cell, trials: readonly Trial[]): number {
  const seen = trials.flatMap(({ load }) => load ?? [])
  const sent = seen.reduce((sum, load) => sum + load.sent, 0)
  const failed = seen.reduce((sum, load) => sum + load.sent - load.ok, 0)
  const cut = trials.filter(({ load, error }) => !load && error && armFaults.includes(error.kind)).length
  const due = asked.ratePerSecond
    ? (asked.ratePerSecond * asked.durationMs) / 1000
    : sent / Math.max(1, seen.length) || 1
  return sent + cut > 0 ? (failed + cut * due) / (sent + cut * due) : 0
}

/** How figures of one cell are made of its valid trials, each paired with what the cell is. */
function estimatorsOf(run: Run, cell: Cell, settings: Settings) {
  const estimate: MakeEstimate = (unit, value, stepIn, positive = true) =>
    estimateOf([...seriesOf(run, cell.id, value).values()], settings, {
      unit,
      positive,
      step: coarsestOf(run, [cell.id], stepIn),
      cells: [cell.id],
    })
  const maybe = (...args: Parameters<typeof estimate>) => {
    const made = estimate(...args)
    return made.n > 0 ? made : undefined
  }
  const of = (metric: ReadMetric, percentile?: number) => {
    const series = seriesOf(run, cell.id, (trial) =>
      reaches(trial, percentile) ? readMetric(run, trial, metric, percentile) : undefined,
    )
    if (series.size === 0) return undefined
    return estimateOf([...series.values()], settings, {
      ...{ unit: metric.unit, positive: true, cells: [cell.id] },
      ...surenessOf(run, [cell.id], metric, percentile),
    })
  }
  const byPercentile = (metric: ReadMetric): ByPercentile | undefined => {
    const entries = (metric.percentiles ?? []).flatMap((percentile) => {
      const made = of(metric, percentile)
      return made ? [[String(percentile), made] as const] : []
    })
    return entries.length > 0 ? Object.fromEntries(entries) : undefined
  }
  return { estimate, maybe, of, byPercentile }
}

export function analyzeCell(run: Run, cell: Cell, settings: Settings): CellAnalysis {
  const trials = run.trials.filter((trial) => trial.cell === cell.id)
  const valid = [...(run.valid.get(cell.id)?.values() ?? [])]
  const count = (state: Trial['state']) => trials.filter((trial) => trial.state === state).length
  const limits = [...new Set(trials.flatMap(({ load }) => load?.limits ?? []))]
  const base = {
    cell: cell.id,
    experiment: cell.experiment,
    arm: cell.arm,
    load: cell.load,
    loadLabel: cell.loadLabel,
    trials: { ok: count('ok'), invalid: count('invalid'), failed: count('failed') },
    errorShare: errorShareOf(cell, trials),
    // As the trials themselves say it: a journal may be older than what is known of its engines now.
    ...defined({ engineLimits: limits.length > 0 ? limits : undefined }),
  }
  if (cell.search) {
    // A search asks for more than the arm can do: requests that failed there are its findings, not faults.
    return { ...base, errorShare: 0, ...analyzeKnee(run, cell, cell.search), bill: [] }
  }
  const { estimate, maybe, of, byPercentile } = estimatorsOf(run, cell, settings)
  const billed = (part: 'hopsNs' | 'hopsStepNs') => (trial: Trial) =>
    metrics.per1000({ trial }, billOf(run, trial)?.[part])
  const hopCpu = maybe('ms', billed('hopsNs'), billed('hopsStepNs'))
  const hopMemory = maybe(
    'MiB',
    (trial) => {
      const { hopsRssBytes } = billOf(run, trial) ?? {}
      return hopsRssBytes === undefined ? undefined : hopsRssBytes / metrics.mib
    },
    () => metrics.pageMib,
  )
  const bill = billRows(run, cell, valid, estimate)
  const host = maybe('ms', (trial) => metrics.per1000({ trial }, trial.usage?.hostBusyNs), hostStep)
  const curve = curveOf(valid, cell, settings)
  return {
    ...base,
    throughput: of(metrics.throughput) ?? estimate('req/s', () => undefined, noStep),
    ...defined({
      response: byPercentile(metrics.responseTime),
      service: byPercentile(metrics.serviceTime),
      curve: curve.length > 0 ? curve : undefined,
      connect: cell.load.engine === 'connect' ? connectOf(maybe, byPercentile) : undefined,
      stream: cell.load.engine === 'stream' ? streamOf(of) : undefined,
      cpu: of(metrics.cpu),
      hopCpu,
      hopMemory,
      figures: ownFigures(cell, of, byPercentile),
      kernel: kernelOf(maybe),
      timeline: timelineOf(valid),
    }),
    bill,
    ...(host && host.value > 0 && bill.length > 0
      ? {
          billGapShare: (bill.reduce((sum, row) => sum + row.cpu.value, 0) - host.value) / host.value,
          unaccountedShare:
            (bill.find(({ category }) => category === 'unaccounted')?.cpu.value ?? 0) / host.value,
        }
      : {}),
  }
}

type ValueOf = (trial: Trial) => number | undefined
type MaybeEstimate = (unit: Estimate['unit'], value: ValueOf, stepIn: ValueOf) => Estimate | undefined
const noStep: ValueOf = () => undefined
const hostStep: ValueOf = (trial) => metrics.per1000({ trial }, hostStepNs)
function kernelOf(maybe: MaybeEstimate): CellAnalysis['kernel'] {
  const rows = (
    [
      ['softirq', 'hostSoftirqNs'],
      ['ksoftirqd', 'hostKsoftirqdNs'],
    ] as const
  ).flatMap(([part, key]) => {
    const ns = (trial: Trial) => trial.usage?.[key]
    // Ticks, read at both edges, as all of the host's.
    const cpu = maybe('ms', (trial) => metrics.per1000({ trial }, ns(trial)), hostStep)
    return cpu ? [{ part, cpu }] : []
  })
  return rows.length === 0 ? undefined : rows
}

type EstimateMetric = (metric: ReadMetric) => Estimate | undefined
type EstimatePercentiles = (metric: ReadMetric) => ByPercentile | undefined

/** Metrics of the cell's experiment that an analysis has no field for. */
function ownFigures(
  { experiment }: Cell,
  of: EstimateMetric,
  byPercentile: EstimatePercentiles,
): CellAnalysis['figures'] {
  const entries = (experimentNamed(experiment)?.metrics ?? []).flatMap((metric) => {
    if (metric.ofCell) return []
    const figure = metric.percentiles ? byPercentile(metric) : of(metric)
    return figure ? [[metric.id, figure] as const] : []
  })
  return entries.length === 0 ? undefined : Object.fromEntries(entries)
}

function connectOf(maybe: MaybeEstimate, byPercentile: EstimatePercentiles): ConnectAnalysis | undefined {
  const time = byPercentile(metrics.connectTime)
  return (
    time && {
      time,
      firstByte: byPercentile(metrics.firstByte) ?? {},
      ...defined({
        handshakesPerConnection: maybe('count', handshakesPerConnection, stepPerConnection),
        resumptionsPerConnection: maybe('count', resumptionsPerConnection, stepPerConnection),
      }),
    }
  )
}

function streamOf(of: EstimateMetric): StreamAnalysis | undefined {
  const rate = of(metrics.transferRate)
  return rate && { throughput: rate, ...defined({ cpuPerGib: of(metrics.cpuPerGib) }) }
}
