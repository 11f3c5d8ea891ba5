/** Estimates of each cell: percentiles, throughput, memory, and the whole bill of its CPU. */
import type {
  BillRow,
  ByPercentile,
  Cell,
  CellAnalysis,
  Component,
  ComponentUsage,
  ConnectAnalysis,
  CurvePoint,
  Estimate,
  ReadMetric,
  StreamAnalysis,
  Trial,
  TrialErrorKind,
} from '../model.js'
import { studentQuantile } from '../stats/student.js'
import { alignBuckets, mergeRows, percentileOf } from '../stats/histogram.js'
import { randomStream } from '../stats/random.js'
import { estimateOf, level } from './estimates.js'
import { defined } from '../model/defined.js'
import {
  connectTime,
  cpu,
  cpuPerGib,
  firstByte,
  per1000,
  perGib,
  responseTime,
  serviceTime,
  transferRate,
} from '../../scenarios/metrics.js'
import { experimentNamed } from '../../scenarios/registry.js'
import { analyzeKnee } from './knees.js'
import type { Settings } from '../stats/paired.js'
import {
  billOf,
  bucketsOf,
  groupOf,
  handshakesPerConnection,
  mib,
  reaches,
  readMetric,
  resumptionsPerConnection,
  seriesOf,
  stepOf,
  type Run,
} from './readings.js'

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

type MakeEstimate = (unit: Estimate['unit'], value: ValueOf, positive?: boolean) => Estimate

/**
 * One row for each component on the arm's path, in the order of its hops; then the generator, the harness, and what
 * nobody accounts for. Every row is a robust estimate of its own, so that their sum need not be the host's total to
 * the digit: `billGapShare` says by how much it is not.
 */
function billRows(run: Run, cell: Cell, valid: readonly Trial[], estimate: MakeEstimate): BillRow[] {
  if (!valid.some(({ usage }) => usage)) return []
  const arm = run.armOf.get(cell.arm)
  const path = run.plan.paths.find(({ name }) => name === arm?.path)
  const componentOf = new Map(run.components.map((component) => [component.name, component]))
  const order = (component: Component | undefined) =>
    path?.hops.findIndex(({ name }) => name === component?.hop) ?? -1
  const rows = new Map<string, ComponentUsage>()
  for (const { usage } of valid)
    for (const row of usage?.components ?? [])
      if (groupOf(componentOf.get(row.component), row.category, cell) !== 'bystanders')
        rows.set(row.component, row)
  const own = [...rows.values()].sort(
    (a, b) =>
      categories.indexOf(a.category) - categories.indexOf(b.category) ||
      order(componentOf.get(a.component)) - order(componentOf.get(b.component)),
  )
  const usageOf = (trial: Trial, name: string) =>
    trial.usage?.components.find(({ component }) => component === name)
  const componentRows = own.map((row): BillRow => {
    const component = componentOf.get(row.component)
    const hop = path?.hops.find(({ name }) => name === component?.hop)
    const user = valid.reduce((sum, trial) => sum + (usageOf(trial, row.component)?.cpuUserNs ?? 0), 0)
    const system = valid.reduce((sum, trial) => sum + (usageOf(trial, row.component)?.cpuSystemNs ?? 0), 0)
    const of = (
      unit: Estimate['unit'],
      value: (usage: ComponentUsage, trial: Trial) => number | undefined,
    ): Estimate | undefined => {
      const made = estimate(unit, (trial) => {
        const usage = usageOf(trial, row.component)
        return usage && value(usage, trial)
      })
      return made.n > 0 ? made : undefined
    }
    const per1000Of = (key: 'readSyscalls' | 'writeSyscalls') =>
      of('count', ({ [key]: calls }, { load }) =>
        calls === undefined ? undefined : (calls * 1000) / Math.max(1, load?.sent ?? 0),
      )
    const memoryOf = (key: 'rssBytes' | 'pssBytes' | 'peakRssBytes') =>
      of('MiB', ({ [key]: bytes }) => (bytes === undefined ? undefined : bytes / mib))
    const rest = defined({
      memory: memoryOf('rssBytes'),
      memoryPss: memoryOf('pssBytes'),
      memoryPeak: memoryOf('peakRssBytes'),
      contextSwitches: of('count', ({ voluntarySwitches, involuntarySwitches }, { load }) =>
        voluntarySwitches === undefined
          ? undefined
          : ((voluntarySwitches + (involuntarySwitches ?? 0)) * 1000) / Math.max(1, load?.sent ?? 0),
      ),
      readSyscalls: per1000Of('readSyscalls'),
      writeSyscalls: per1000Of('writeSyscalls'),
      ...(cell.load.engine === 'stream'
        ? { cpuPerGib: of('s', ({ cpuNs }, trial) => perGib({ trial }, cpuNs)) }
        : {}),
    })
    return {
      component: row.component,
      category: row.category,
      ...(hop ? { layer: hop.layer, hop: hop.name } : {}),
      cpu: estimate('ms', (trial) => {
        const usage = usageOf(trial, row.component)
        return usage && per1000({ trial }, usage.cpuNs)
      }),
      ...(user + system > 0 ? { cpuUserShare: user / (user + system) } : {}),
      ...rest,
      source: row.source,
      resolutionNs: row.resolutionNs,
    }
  })
  const part = (
    component: string,
    category: BillRow['category'],
    ns: 'orchestratorNs' | 'bystandersNs' | 'unaccountedNs',
  ): BillRow => ({
    component,
    category,
    cpu: estimate(
      'ms',
      (trial) => {
        const bill = billOf(run, trial)
        return bill && per1000({ trial }, bill[ns])
      },
      ns !== 'unaccountedNs',
    ),
  })
  return [
    ...componentRows,
    part('meshbench', 'orchestrator', 'orchestratorNs'),
    part('idle hops of other arms', 'orchestrator', 'bystandersNs'),
    part('unaccounted', 'unaccounted', 'unaccountedNs'),
  ]
}

const categories: readonly BillRow['category'][] = [
  'application',
  'l4',
  'l7',
  'control-plane',
  'generator',
  'platform',
]

const curvePercentiles = [
  1, 5, 10, 25, 50, 75, 90, 95, 97.5, 99, 99.5, 99.75, 99.9, 99.95, 99.99, 99.995, 99.999,
]
const curveResamples = 200
/** Fewer requests than these beyond a percentile cannot tell where it lies. */
const fewestBeyond = 5

/**
 * Percentile curve of all valid trials' requests, merged by adding counts. Its band comes from drawing whole trials
 * again (a cluster bootstrap), since requests of one trial share that trial's luck.
 */
function curveOf(valid: readonly Trial[], cell: Cell, settings: Settings): CurvePoint[] {
  const kind = valid.some((trial) => bucketsOf(trial, 'response')) ? 'response' : 'service'
  const histograms = valid.flatMap((trial) => bucketsOf(trial, kind) ?? [])
  const n = histograms.length
  if (n === 0) return []
  const table = alignBuckets(histograms)
  const merged = mergeRows(table, new Array<number>(n).fill(1))
  const points = curvePercentiles.filter((at) => merged.total * (1 - at / 100) >= fewestBeyond)
  const values = points.map((at) => percentileOf(merged, at) / 1000)
  if (n < 2) return points.map((percentile, index) => ({ percentile, ms: values[index] as number }))
  const stream = randomStream(settings.seed, `${cell.id}|curve`)
  const squares = new Float64Array(points.length)
  const times = new Int32Array(n)
  for (let resample = 0; resample < curveResamples; resample++) {
    times.fill(0)
    for (let draw = 0; draw < n; draw++) {
      const index = stream.below(n)
      times[index] = (times[index] as number) + 1
    }
    const mixture = mergeRows(table, times)
    points.forEach((at, index) => {
      const off = Math.log(percentileOf(mixture, at) / 1000 / (values[index] as number))
      squares[index] = (squares[index] as number) + off * off
    })
  }
  const t = studentQuantile(1 - (1 - level) / 2, n - 1)
  return points.map((percentile, index) => {
    const ms = values[index] as number
    const spread = Math.min(27, t * Math.sqrt((squares[index] as number) / curveResamples))
    return { percentile, ms, lowMs: ms * Math.exp(-spread), highMs: ms * Math.exp(spread) }
  })
}
