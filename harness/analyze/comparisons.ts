/** Compares cells by round: every arm with its baseline, and the paths that the claims set against each other. */
import type { Arm, Comparison, MetricId, Threshold, Trial, Verdict } from '../model.js'
import { holm } from '../stats/families.js'
import type { Settings } from '../stats/paired.js'
import { alpha, comparePaired, type EstimateOptions, type PairedResult } from './estimates.js'
import { compareSearches } from './knees.js'
import {
  connectPercentiles,
  metricOf,
  pairedSeries,
  percentiles,
  seriesOf,
  type CellGroup,
  type Run,
} from './readings.js'

/** Paths that claims compare within a mesh: first against second. */
const comparedPaths: readonly (readonly [string, string])[] = [
  ['l4-l7-l4', 'l7-sidecar-to-sidecar'],
  ['l4-only', 'l7-sidecar-to-sidecar'],
  ['l4-only', 'l4-l7-l4'],
  ['l7-per-node', 'l7-sidecar-to-sidecar'],
]

/** What is compared, before it is measured. */
export interface ComparisonSpec {
  readonly group: CellGroup
  readonly metric: MetricId
  readonly percentile?: number
  readonly arm: string
  readonly versus: string
  /** Comparisons that are corrected together. */
  readonly family: string
}

/** A comparison with what is needed to correct it. */
export interface MeasuredComparison {
  readonly spec: ComparisonSpec
  readonly result: PairedResult
  readonly n: number
}

export function compareCells(
  run: Run,
  groups: readonly CellGroup[],
  settings: Settings,
): readonly Comparison[] {
  const specs = groups.flatMap((group) => specsOf(run, group))
  return adjust(measure(run, specs, settings))
}

/** Pairs of one group: each subject with its baseline, then pairs of subjects. */
function pairsOf(
  arms: readonly Arm[],
  thresholds: readonly Threshold[],
): { readonly arm: string; readonly versus: string; readonly kind: 'baseline' | 'paths' | 'asked' }[] {
  const subjects = arms.filter(({ role }) => role === 'subject')
  const ids = new Set(arms.map(({ id }) => id))
  const between = subjects.flatMap((arm) =>
    [
      // The same mesh, another path.
      ...comparedPaths
        .filter(([path]) => path === arm.path)
        .flatMap(([, other]) =>
          subjects.filter(
            ({ mesh, path, variant }) => mesh === arm.mesh && path === other && variant === arm.variant,
          ),
        ),
      // The same path, built otherwise: a variant with what it varies, a mesh with those before it.
      ...subjects.filter(
        (other) =>
          other.path === arm.path &&
          other.id !== arm.id &&
          (other.mesh === arm.mesh
            ? arm.control === other.id
            : other.variant === arm.variant && subjects.indexOf(other) < subjects.indexOf(arm)),
      ),
    ].map((other) => ({ arm: arm.id, versus: other.id, kind: 'paths' as const })),
  )
  const asked = thresholds.flatMap(({ arm, relativeTo }) =>
    relativeTo !== undefined && relativeTo !== arm && ids.has(arm) && ids.has(relativeTo)
      ? [{ arm, versus: relativeTo, kind: 'asked' as const }]
      : [],
  )
  const all = [
    ...subjects.map(({ id, baseline }) => ({ arm: id, versus: baseline, kind: 'baseline' as const })),
    ...between,
    ...asked,
  ]
  return all.filter(
    ({ arm, versus }, index) =>
      all.findIndex((other) => other.arm === arm && other.versus === versus) === index,
  )
}

function specsOf(run: Run, group: CellGroup): ComparisonSpec[] {
  const { thresholds } = run.plan.config
  const arms = group.cells.flatMap(({ arm }) => run.armOf.get(arm) ?? [])
  return pairsOf(arms, thresholds).flatMap(({ arm, versus, kind }) =>
    metricsOf(run, group, arm, versus).map(({ metric, percentile }) => ({
      group,
      metric,
      ...(percentile === undefined ? {} : { percentile }),
      arm,
      versus,
      family: [group.experiment, group.loadLabel, group.environment, metric, kind].join('|'),
    })),
  )
}

interface MetricChoice {
  readonly metric: MetricId
  readonly percentile?: number
}

/** What a load can tell, and what thresholds ask beyond it. */
function metricsOf(run: Run, group: CellGroup, arm: string, versus: string): readonly MetricChoice[] {
  if (group.cells[0]?.search) return [{ metric: 'throughput' }]
  const open = group.cells[0]?.load.model === 'open'
  const engine = group.cells[0]?.load.engine
  const at = (metric: MetricId, list: readonly number[]) =>
    list.map((percentile): MetricChoice => ({ metric, percentile }))
  // An engine that knows no due time has service times alone: they are compared as what they are.
  const cell = group.byArm.get(arm)
  const trials = [...((cell && run.valid.get(cell.id)) ?? new Map<number, Trial>()).values()]
  const time = trials.some(({ load }) => load?.unknown?.includes('response'))
    ? 'latency.service'
    : 'latency.response'
  const usual: MetricChoice[] =
    engine === 'stream'
      ? [{ metric: 'stream.throughput' }, { metric: 'cpu.perGib' }, { metric: 'memory.rss' }]
      : [
          ...(engine === 'connect'
            ? [...at('connect.time', connectPercentiles), ...at('connect.firstByte', connectPercentiles)]
            : []),
          ...(open ? at(time, percentiles) : []),
          { metric: 'cpu.per1000Requests' },
          { metric: 'memory.rss' },
          ...(open ? [] : [{ metric: 'throughput' as const }]),
        ]
  const baseline = run.armOf.get(arm)?.baseline
  const asked = run.plan.config.thresholds
    .filter(
      (threshold) =>
        threshold.arm === arm &&
        (threshold.relativeTo ?? baseline) === versus &&
        (threshold.experiment === undefined || threshold.experiment === group.experiment) &&
        // Against the baseline, what is added is the difference that is there anyway.
        (!threshold.metric.endsWith('.added') || versus !== baseline) &&
        threshold.metric !== 'errors.share',
    )
    .map(({ metric, percentile }) => ({ metric, ...(percentile === undefined ? {} : { percentile }) }))
  const all: MetricChoice[] = [...usual, ...asked]
  return all.filter(
    ({ metric, percentile }, index) =>
      all.findIndex((other) => other.metric === metric && other.percentile === percentile) === index,
  )
}

/** The metric that an added cost is a difference of. */
const addedOf = {
  'latency.added': 'latency.response',
  'cpu.added': 'cpu.per1000Requests',
  'memory.added': 'memory.rss',
} as const satisfies Partial<Record<MetricId, MetricId>>

export function unitOf(metric: MetricId): 'ms' | 'req/s' | 'MiB' | 'share' | 'Gb/s' | 's' {
  if (metric === 'stream.throughput') return 'Gb/s'
  if (metric === 'cpu.perGib') return 's'
  if (metric === 'throughput') return 'req/s'
  if (metric === 'errors.share') return 'share'
  return metric.startsWith('memory') ? 'MiB' : 'ms'
}

/** Measures what has data. A percentile beyond what a trial's requests can tell is left out. */
export function measure(
  run: Run,
  specs: readonly ComparisonSpec[],
  settings: Settings,
): readonly MeasuredComparison[] {
  return specs.flatMap((spec): MeasuredComparison[] => {
    const { group, metric, percentile, arm, versus } = spec
    const [first, second] = [arm, versus].map((id) => group.byArm.get(id))
    if (first?.search && second) {
      const compared = compareSearches(run, first, second)
      return compared ? [{ spec, ...compared }] : []
    }
    const baseline = run.armOf.get(arm)?.baseline ?? ''
    const added = metric in addedOf
    const raw = added ? addedOf[metric as keyof typeof addedOf] : metric
    const cells = [arm, versus, ...(added ? [baseline] : [])].map((id) => group.byArm.get(id)?.id ?? '')
    const series = cells.map((cell) => seriesOf(run, cell, (trial) => metricOf(run, trial, raw, percentile)))
    const { rounds, values } = pairedSeries(...series)
    const [treated = [], reference = [], base = []] = values
    if (rounds.length === 0 || !reaches(run, cells, percentile)) return []
    const less = (from: readonly number[]) => from.map((value, index) => value - (base[index] as number))
    const options: EstimateOptions = { unit: unitOf(metric), cells }
    const result = added
      ? comparePaired(less(treated), less(reference), settings, options)
      : comparePaired(treated, reference, settings, options)
    return [{ spec, result, n: rounds.length }]
  })
}

/** At least one request of a typical trial lies beyond the percentile. */
function reaches(run: Run, cells: readonly string[], percentile: number | undefined): boolean {
  if (percentile === undefined) return true
  return cells.every((cell) => {
    const sent = [...(run.valid.get(cell)?.values() ?? [])].map(({ load }) => load?.sent ?? 0)
    // 99.9 is no exact binary number: 1 000 requests do reach it.
    return sent.length > 0 && Math.max(...sent) * (1 - percentile / 100) > 0.999
  })
}

function comparisonId({ group, metric, percentile, arm, versus }: ComparisonSpec): string {
  const what = percentile === undefined ? metric : `${metric}.p${percentile}`
  return [group.experiment, group.loadLabel, what, arm, versus].join('|')
}

/** Corrects each family and gives the verdicts. One round decides nothing. */
export function adjust(measured: readonly MeasuredComparison[]): Comparison[] {
  const families = new Map<string, MeasuredComparison[]>()
  for (const comparison of measured)
    families.set(comparison.spec.family, [...(families.get(comparison.spec.family) ?? []), comparison])
  const adjusted = new Map<MeasuredComparison, { pValue: number; size: number }>()
  for (const family of families.values()) {
    const pValues = holm(family.map(({ result, n }) => (n < 2 ? 1 : result.pValue)))
    family.forEach((comparison, index) =>
      adjusted.set(comparison, { pValue: pValues[index] as number, size: family.length }),
    )
  }
  return measured.map((comparison) => {
    const { spec, result } = comparison
    const { pValue, size } = adjusted.get(comparison) ?? { pValue: 1, size: 1 }
    return {
      id: comparisonId(spec),
      metric: spec.metric,
      ...(spec.percentile === undefined ? {} : { percentile: spec.percentile }),
      experiment: spec.group.experiment,
      loadLabel: spec.group.loadLabel,
      arm: spec.arm,
      versus: spec.versus,
      difference: result.difference,
      ratio: result.ratio,
      verdict: verdictOf(spec.metric, result.difference.value, pValue),
      pValue,
      // Bonferroni's level: what is found even when all others of the family are nothing.
      detectable: result.detectable(alpha / size),
    }
  })
}

/** Of every other metric, less is better. */
export function higherIsBetter(metric: MetricId): boolean {
  return metric === 'throughput' || metric === 'stream.throughput'
}

export function verdictOf(metric: MetricId, difference: number, pValue: number): Verdict {
  if (pValue > alpha || difference === 0) return 'inconclusive'
  return higherIsBetter(metric) === difference > 0 ? 'better' : 'worse'
}
