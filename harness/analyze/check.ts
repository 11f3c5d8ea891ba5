/** Judges thresholds: pass, fail, or inconclusive where the interval lies on both sides of the limit. */
import type {
  Analysis,
  CellAnalysis,
  Comparison,
  Estimate,
  MetricId,
  Threshold,
  ThresholdVerdict,
} from '../model.js'
import { figure, upperBound, withInterval } from './words.js'

/** What a check needs of an analysis. */
export type Checked = Pick<Analysis, 'config' | 'cells' | 'comparisons' | 'arms'>

/** One verdict for each threshold and each load that it applies to. */
export function check(analysis: Checked): ThresholdVerdict[] {
  return analysis.config.thresholds.flatMap((threshold) => {
    const verdicts = analysis.cells
      .filter(
        ({ arm, experiment }) =>
          arm === threshold.arm &&
          (threshold.experiment === undefined || experiment === threshold.experiment),
      )
      .flatMap((cell): ThresholdVerdict[] => {
        const found = lookUp(analysis, threshold, cell)
        return found ? [judge(threshold, found, cell)] : []
      })
    if (verdicts.length > 0) return verdicts
    const expected = expectation(threshold, undefined)
    const sentence = `${subject(threshold)}: no data; expected ${expected}.`
    return [{ threshold, state: 'no data' as const, expected, sentence }]
  })
}

/** The estimate that a threshold speaks of; undefined when this cell has none. */
function lookUp(analysis: Checked, threshold: Threshold, cell: CellAnalysis): Estimate | undefined {
  const { metric, percentile, relativeTo } = threshold
  if (metric === 'errors.share') return relativeTo === undefined ? errorShare(cell) : undefined
  const baseline = analysis.arms.find(({ id }) => id === cell.arm)?.baseline
  const added = addedOf[metric]
  if (relativeTo !== undefined) return find(analysis.comparisons, cell, metric, percentile, relativeTo)?.ratio
  if (added) return find(analysis.comparisons, cell, added, percentile, baseline)?.difference
  return absolute(cell, metric, percentile)
}

/** Added costs are differences to the baseline of these. */
const addedOf: Partial<Record<MetricId, MetricId>> = {
  'latency.added': 'latency.response',
  'cpu.added': 'cpu.per1000Requests',
  'memory.added': 'memory.rss',
}

/** Metrics of times: a figure of them is that of a percentile. */
export function takesPercentile(metric: string): boolean {
  return metric.startsWith('latency.') || metric.startsWith('connect.')
}

function find(
  comparisons: readonly Comparison[],
  { arm, experiment, loadLabel }: CellAnalysis,
  metric: MetricId,
  percentile: number | undefined,
  versus: string | undefined,
): Comparison | undefined {
  return comparisons.find(
    (one) =>
      one.arm === arm &&
      one.versus === versus &&
      one.experiment === experiment &&
      one.loadLabel === loadLabel &&
      one.metric === metric &&
      (!takesPercentile(metric) || one.percentile === percentile),
  )
}

function absolute(cell: CellAnalysis, metric: MetricId, percentile = 50): Estimate | undefined {
  switch (metric) {
    case 'latency.response':
      return cell.response?.[String(percentile)]
    case 'latency.service':
      return cell.service?.[String(percentile)]
    case 'throughput':
      return cell.throughput.n > 0 ? cell.throughput : undefined
    case 'cpu.per1000Requests':
      return cell.cpu
    case 'memory.rss':
      return cell.hopMemory
    case 'connect.time':
      return cell.connect?.time[String(percentile)]
    case 'connect.firstByte':
      return cell.connect?.firstByte[String(percentile)]
    case 'stream.throughput':
      return cell.stream?.throughput
    case 'cpu.perGib':
      return cell.stream?.cpuPerGib
    default:
      return undefined
  }
}

/** Errors are counted, not estimated: the bounds are the count itself. */
function errorShare(cell: CellAnalysis): Estimate | undefined {
  const n = cell.trials.ok + cell.trials.invalid
  if (n === 0) return undefined
  const value = cell.errorShare
  return {
    value,
    low: value,
    high: value,
    unit: 'share',
    level: 0.95,
    n,
    method: 'counted',
    cells: [cell.cell],
  }
}

function judge(threshold: Threshold, actual: Estimate, cell: CellAnalysis): ThresholdVerdict {
  const { max, min } = threshold
  const expected = expectation(threshold, actual.unit)
  const decided = actual.n > 1 || actual.method === 'counted'
  const high = upperBound(actual)
  const above = (limit: number) => (actual.low > limit ? 'fail' : high <= limit ? 'pass' : 'inconclusive')
  const below = (limit: number) => (high < limit ? 'fail' : actual.low >= limit ? 'pass' : 'inconclusive')
  const states = [...(max === undefined ? [] : [above(max)]), ...(min === undefined ? [] : [below(min)])]
  const state = !decided
    ? 'inconclusive'
    : states.includes('fail')
      ? 'fail'
      : states.includes('inconclusive')
        ? 'inconclusive'
        : 'pass'
  const why = actual.beyond ? 'what lies beyond was not tried' : 'the interval lies on both sides'
  const words = { pass: 'pass', fail: 'fail', inconclusive: `inconclusive, ${why}` }[state]
  const measured =
    actual.method === 'counted' ? figure(actual.value) : withInterval(actual, unitWord(actual.unit))
  return {
    threshold,
    state,
    expected,
    actual,
    sentence: `${subject(threshold)} (${cell.experiment}, ${cell.loadLabel}) is ${measured}; expected ${expected}: ${decided ? words : 'inconclusive, one round has no interval'}.`,
  }
}

function subject({ metric, percentile, arm, relativeTo }: Threshold): string {
  const what = percentile === undefined ? metric : `${metric} p${percentile}`
  return relativeTo === undefined ? `${what} of ${arm}` : `${what} of ${arm} relative to ${relativeTo}`
}

function expectation({ max, min }: Threshold, unit: Estimate['unit'] | undefined): string {
  const word = unit === undefined || unitWord(unit) === '' ? '' : ` ${unitWord(unit)}`
  const parts = [
    ...(min === undefined ? [] : [`at least ${figure(min)}${word}`]),
    ...(max === undefined ? [] : [`at most ${figure(max)}${word}`]),
  ]
  return parts.join(' and ')
}

function unitWord(unit: Estimate['unit']): string {
  return unit === 'ratio' || unit === 'share' || unit === 'count' ? '' : unit
}
