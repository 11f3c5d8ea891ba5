/** Compares cells by round: every arm with its baseline, and the paths that the claims set against each other. */
import { cpu, memory, responseTime, throughput } from '../../scenarios/metrics.js'
import { experimentNamed, isAdded, metrics, readBy } from '../../scenarios/registry.js'
import { defined } from '../model/defined.js'
import type { Arm, Comparison, Metric, ReadMetric, Threshold, Verdict } from '../model.js'
import { holm } from '../stats/families.js'
import type { Settings } from '../stats/paired.js'
import { alpha, comparePaired, fewestFirm, type EstimateOptions, type PairedResult } from './estimates.js'
import { compareSearches } from './cells/knees.js'
import { pairedSeries, samplesOf } from './trust/pairing.js'
import { reaches, readMetric, seriesOf, stepOf, type CellGroup, type Run } from './readings.js'

/** Paths that claims compare within a mesh: first against second. */
const comparedPaths: readonly (readonly [string, string])[] = [
  ['l4-l7-l4', 'l7-sidecar-to-sidecar'],
  ['l4-only', 'l7-sidecar-to-sidecar'],
  ['l4-only', 'l4-l7-l4'],
  ['l7-per-node', 'l7-sidecar-to-sidecar'],
]

export interface ComparisonSpec {
  readonly group: CellGroup
  readonly metric: Metric
  readonly percentile?: number
  readonly arm: string
  readonly versus: string
  /** Comparisons that are corrected together. */
  readonly family: string
}

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
  const meshes = [...new Set(subjects.map(({ mesh }) => mesh))]
  const earlier = ({ mesh }: Arm) => meshes.slice(0, meshes.indexOf(mesh))
  const between = subjects.flatMap((arm) =>
    [
      // The same mesh, another path.
      ...comparedPaths
        .filter(([path]) => path === arm.path)
        .flatMap(([, path]) => counterparts(subjects, arm, { mesh: arm.mesh, path })),
      // The same path, built otherwise: a variant with what it varies, a mesh with those before it.
      ...subjects.filter(({ id }) => id === arm.control),
      ...earlier(arm).flatMap((mesh) => counterparts(subjects, arm, { mesh, path: arm.path })),
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

/** The arm elsewhere that has the same variant; where one of both is as it is, that and the other's control. */
function counterparts(
  subjects: readonly Arm[],
  { variant, control }: Arm,
  there: Pick<Arm, 'mesh' | 'path'>,
): readonly Arm[] {
  const others = subjects.filter(({ mesh, path }) => mesh === there.mesh && path === there.path)
  const same = others.find((other) => other.variant === variant)
  const plain = others.find((other) => other.control === undefined)
  const found = same ?? (control === undefined || others.length === 1 ? plain : undefined)
  return found ? [found] : []
}

function specsOf(run: Run, group: CellGroup): ComparisonSpec[] {
  const { thresholds } = run.plan.config
  const arms = group.cells.flatMap(({ arm }) => run.armOf.get(arm) ?? [])
  return pairsOf(arms, thresholds).flatMap(({ arm, versus, kind }) =>
    metricsOf(run, group, arm, versus).map(({ metric, percentile }) => ({
      group,
      metric,
      ...defined({ percentile }),
      arm,
      versus,
      family: [group.experiment, group.loadLabel, group.environment, metric.id, kind].join('|'),
    })),
  )
}

interface MetricChoice {
  readonly metric: Metric
  readonly percentile?: number
}

/** What the experiment asks for, and what thresholds ask beyond it. */
function metricsOf(run: Run, group: CellGroup, arm: string, versus: string): readonly MetricChoice[] {
  const usual = measuredBy(group).flatMap((metric): MetricChoice[] => {
    const known = knownOf(run, group.byArm.get(arm)?.id, metric)
    return known.percentiles?.map((percentile) => ({ metric: known, percentile })) ?? [{ metric: known }]
  })
  if (group.cells[0]?.search) return usual
  const baseline = run.armOf.get(arm)?.baseline
  const asked = run.plan.config.thresholds
    .filter(
      (threshold) =>
        threshold.arm === arm &&
        (threshold.relativeTo ?? baseline) === versus &&
        (threshold.experiment === undefined || threshold.experiment === group.experiment),
    )
    .flatMap((threshold): MetricChoice[] => {
      const metric = metrics.get(threshold.metric)
      if (!metric || readBy(metric).counted) return []
      // Against the baseline, what is added is the difference that is there anyway.
      if (isAdded(metric) && versus === baseline) return []
      return [{ metric, ...defined({ percentile: threshold.percentile }) }]
    })
  const all = [...usual, ...asked]
  return all.filter(
    ({ metric, percentile }, index) =>
      all.findIndex((other) => other.metric === metric && other.percentile === percentile) === index,
  )
}

/** An experiment that this version does not have is judged by what its load can tell. */
function measuredBy({ experiment, cells: [first] }: CellGroup): readonly ReadMetric[] {
  return (
    experimentNamed(experiment)?.metrics ??
    (first?.load.model === 'open' ? [responseTime, cpu, memory] : [cpu, memory, throughput])
  )
}

/** An engine that knows no due time has service times alone: they are compared as what they are. */
export function knownOf(run: Run, cell: string | undefined, metric: ReadMetric): ReadMetric {
  const [first] = run.valid.get(cell ?? '')?.values() ?? []
  const { substitute } = metric
  return first && substitute && readMetric(run, first, metric) === undefined ? substitute : metric
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
    const added = isAdded(metric)
    const read = readBy(metric)
    const cells = [arm, versus, ...(added ? [baseline] : [])].map((id) => group.byArm.get(id)?.id ?? '')
    const series = cells.map((cell) =>
      seriesOf(run, cell, (trial) => readMetric(run, trial, read, percentile)),
    )
    const paired = pairedSeries(...series)
    const { values, n } = samplesOf(read, paired, fewestFirm)
    const [treated = [], reference = [], base = []] = values
    const { rounds } = paired
    if (rounds.length === 0 || !cells.every((cell) => someReach(run, cell, percentile))) return []
    const less = (from: readonly number[]) => from.map((value, index) => value - (base[index] as number))
    const step = stepOf(run, cells, read, percentile) * (added ? 2 : 1)
    const options: EstimateOptions = { unit: metric.unit, cells, step }
    const result = added
      ? comparePaired(less(treated), less(reference), settings, options)
      : comparePaired(treated, reference, settings, options)
    return [{ spec, result, n }]
  })
}

function someReach(run: Run, cell: string, percentile: number | undefined): boolean {
  return [...(run.valid.get(cell)?.values() ?? [])].some((trial) => reaches(trial, percentile))
}

function comparisonId({ group, metric, percentile, arm, versus }: ComparisonSpec): string {
  const what = percentile === undefined ? metric.id : `${metric.id}.p${percentile}`
  return [group.experiment, group.loadLabel, what, arm, versus].join('|')
}

/** Corrects each family and gives the verdicts. Fewer than three rounds decide nothing. */
export function adjust(measured: readonly MeasuredComparison[]): Comparison[] {
  const families = new Map<string, MeasuredComparison[]>()
  for (const comparison of measured)
    families.set(comparison.spec.family, [...(families.get(comparison.spec.family) ?? []), comparison])
  const adjusted = new Map<MeasuredComparison, { pValue: number; size: number }>()
  for (const family of families.values()) {
    const pValues = holm(family.map(({ result, n }) => (n < fewestFirm ? 1 : result.pValue)))
    family.forEach((comparison, index) =>
      adjusted.set(comparison, { pValue: pValues[index] as number, size: family.length }),
    )
  }
  return measured.map((comparison) => {
    const { spec, result } = comparison
    const { pValue, size } = adjusted.get(comparison) ?? { pValue: 1, size: 1 }
    return {
      id: comparisonId(spec),
      metric: spec.metric.id,
      ...defined({ percentile: spec.percentile }),
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
      ...(readBy(spec.metric).sample === 'process' ? { lives: comparison.n } : {}),
    }
  })
}

function verdictOf(metric: Metric, difference: number, pValue: number): Verdict {
  if (pValue > alpha || difference === 0) return 'inconclusive'
  return (metric.better === 'more') === difference > 0 ? 'better' : 'worse'
}
