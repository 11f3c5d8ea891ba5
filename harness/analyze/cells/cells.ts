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
import {
  connectTime,
  cpu,
  cpuPerGib,
  firstByte,
  per1000,
  responseTime,
  serviceTime,
  transferRate,
} from '../../../scenarios/metrics.js'
import { experimentNamed } from '../../../scenarios/registry.js'
import { billRows } from './bill.js'
import { curveOf } from './curve.js'
import { analyzeKnee } from './knees.js'
import { timelineOf } from './timeline.js'
import type { Settings } from '../../stats/paired.js'
import {
  billOf,
  handshakesPerConnection,
  mib,
  reaches,
  readMetric,
  resumptionsPerConnection,
  seriesOf,
  stepOf,
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
  const estimate = (
    unit: Estimate['unit'],
    value: (trial: Trial) => number | undefined,
    positive = true,
    step = 0,
  ): Estimate =>
    estimateOf([...seriesOf(run, cell.id, value).values()], settings, {
      unit,
      positive,
      step,
      cells: [cell.id],
    })
  const maybe = (...args: Parameters<typeof estimate>) => {
    const made = estimate(...args)
    return made.n > 0 ? made : undefined
  }
  const of = (metric: ReadMetric, percentile?: number) =>
    maybe(
      metric.unit,
      (trial) => (reaches(trial, percentile) ? readMetric(run, trial, metric, percentile) : undefined),
      true,
      stepOf(run, [cell.id], metric, percentile),
    )
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
  const base = {
    cell: cell.id,
    experiment: cell.experiment,
    arm: cell.arm,
    load: cell.load,
    loadLabel: cell.loadLabel,
    trials: { ok: count('ok'), invalid: count('invalid'), failed: count('failed') },
    errorShare: errorShareOf(cell, trials),
    ...engineLimits(trials),
  }
  if (cell.search) {
    // A search asks for more than the arm can do: requests that failed there are its findings, not faults.
    return { ...base, errorShare: 0, ...analyzeKnee(run, cell, cell.search), bill: [] }
  }
  const { estimate, maybe, of, byPercentile } = estimatorsOf(run, cell, settings)
  const hopCpu = maybe('ms', (trial) => {
    const bill = billOf(run, trial)
    return bill && per1000({ trial }, bill.hopsNs)
  })
  const hopMemory = maybe('MiB', (trial) => {
    const bill = billOf(run, trial)
    return bill?.hopsRssBytes === undefined ? undefined : bill.hopsRssBytes / mib
  })
  const bill = billRows(run, cell, valid, estimate)
  const host = maybe('ms', (trial) => {
    const { hostBusyNs } = trial.usage ?? {}
    return hostBusyNs === undefined ? undefined : per1000({ trial }, hostBusyNs)
  })
  const curve = curveOf(valid, cell, settings)
  return {
    ...base,
    throughput: estimate('req/s', (trial) => trial.load?.achievedRatePerSecond),
    ...defined({
      response: byPercentile(responseTime),
      service: byPercentile(serviceTime),
      curve: curve.length > 0 ? curve : undefined,
      connect: cell.load.engine === 'connect' ? connectOf(maybe, byPercentile) : undefined,
      stream: cell.load.engine === 'stream' ? streamOf(of) : undefined,
      cpu: of(cpu),
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

/** As the trials themselves say it: a journal may be older than what is known of its engines now. */
function engineLimits(trials: readonly Trial[]): Pick<CellAnalysis, 'engineLimits'> {
  const limits = [...new Set(trials.flatMap(({ load }) => load?.limits ?? []))]
  return limits.length === 0 ? {} : { engineLimits: limits }
}

type ValueOf = (trial: Trial) => number | undefined
type MaybeEstimate = (unit: Estimate['unit'], value: ValueOf) => Estimate | undefined
function kernelOf(maybe: MaybeEstimate): CellAnalysis['kernel'] {
  const keys = { softirq: 'hostSoftirqNs', ksoftirqd: 'hostKsoftirqdNs' } as const
  const rows = (['softirq', 'ksoftirqd'] as const).flatMap((part) => {
    const cpu = maybe('ms', (trial) => {
      const ns = trial.usage?.[keys[part]]
      return ns === undefined ? undefined : per1000({ trial }, ns)
    })
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
  const time = byPercentile(connectTime)
  return (
    time && {
      time,
      firstByte: byPercentile(firstByte) ?? {},
      ...defined({
        handshakesPerConnection: maybe('count', handshakesPerConnection),
        resumptionsPerConnection: maybe('count', resumptionsPerConnection),
      }),
    }
  )
}

function streamOf(of: EstimateMetric): StreamAnalysis | undefined {
  const rate = of(transferRate)
  return rate && { throughput: rate, ...defined({ cpuPerGib: of(cpuPerGib) }) }
}
