/** Judges thresholds: pass, fail, or inconclusive where the interval lies on both sides of the limit. */
import { figureOf, isAdded, metrics } from '../../scenarios/registry.js'
import type { Analysis, CellAnalysis, Estimate, Threshold, ThresholdVerdict } from '../model.js'
import { defined } from '../model/defined.js'
import { fewestFirm } from './estimates.js'
import { visibleSentence, visibleShare } from './visible.js'
import { asGiven, printedScale, unitText, upperBound, withInterval } from './words.js'

export type Checked = Pick<Analysis, 'config' | 'cells' | 'comparisons' | 'arms'>

/**
 * One verdict for each threshold and each load that it applies to. `hasScript` tells of a cell whether its experiment kills,
 * pauses or floods while it is measured: what that does is a finding, and is judged where the experiment is named alone.
 */
export function check(
  analysis: Checked,
  hasScript: (cell: string) => boolean = () => false,
): ThresholdVerdict[] {
  return analysis.config.thresholds.flatMap((threshold) => {
    const own = analysis.cells.filter(({ arm }) => arm === threshold.arm)
    const asked = own.filter(({ cell, experiment }) =>
      threshold.experiment === undefined ? !hasScript(cell) : experiment === threshold.experiment,
    )
    const verdicts = asked.flatMap((cell): ThresholdVerdict[] => {
      const found = lookUp(analysis, threshold, cell)
      return found ? [judge(threshold, found, cell)] : []
    })
    const isMeantForOthers = threshold.experiment === undefined && own.length > 0 && asked.length === 0
    if (verdicts.length > 0 || isMeantForOthers) return verdicts
    const expected = expectation(threshold, unitOf(threshold))
    const absent = [threshold.arm, threshold.relativeTo ?? threshold.arm].filter(
      (name, index, all) => all.indexOf(name) === index && !analysis.arms.some(({ id }) => id === name),
    )
    const why = absent.length === 0 ? 'no data' : `no data, ${absentText(absent)}`
    const sentence = `${thresholdText(threshold)}: ${why}; expected ${expected}.`
    const verdict = { threshold, state: 'no data' as const, expected, sentence }
    return [absent.length === 0 ? verdict : { ...verdict, absent }]
  })
}

/** What a threshold speaks of, and the smallest difference that would have been seen where two arms were compared. */
interface Found {
  readonly actual: Estimate
  readonly visible?: number | undefined
}

function lookUp(analysis: Checked, threshold: Threshold, cell: CellAnalysis): Found | undefined {
  const { percentile, relativeTo } = threshold
  const metric = metrics.get(threshold.metric)
  if (!metric) return undefined
  const compared = (id: string, versus: string | undefined) =>
    analysis.comparisons.find(
      (other) =>
        other.arm === cell.arm &&
        other.versus === versus &&
        other.experiment === cell.experiment &&
        other.loadLabel === cell.loadLabel &&
        other.metric === id &&
        (!metric.percentiles || other.percentile === percentile),
    )
  if (relativeTo !== undefined) {
    const found = compared(metric.id, relativeTo)
    // To nothing there is no ratio.
    return found && found.ratio.n > 0
      ? { actual: found.ratio, visible: visibleShare(analysis, found) }
      : undefined
  }
  const baseline = analysis.arms.find(({ id }) => id === cell.arm)?.baseline
  if (isAdded(metric)) {
    const found = compared(metric.addedTo.id, baseline)
    const isSeen = found && found.difference.n >= fewestFirm && found.detectable > 0
    return found && { actual: found.difference, visible: isSeen ? found.detectable : undefined }
  }
  const actual = figureOf(cell, metric, percentile)
  return actual && actual.n > 0 ? { actual } : undefined
}

function judge(threshold: Threshold, { actual, visible }: Found, cell: CellAnalysis): ThresholdVerdict {
  const { max, min } = threshold
  const expected = expectation(threshold, actual.unit)
  const decided = actual.n >= fewestFirm || actual.method === 'counted'
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
  return {
    threshold,
    experiment: cell.experiment,
    loadLabel: cell.loadLabel,
    state,
    expected,
    actual,
    ...defined({ visible }),
    sentence: `${thresholdText(threshold)} (${cell.experiment}, ${cell.loadLabel}) is ${withInterval(actual)}; expected ${expected}: ${decided ? words : `inconclusive, ${actual.n === 1 ? 'one round has no interval' : 'two rounds decide nothing'}`}.${visibleSentence(visible, actual.unit)}`,
  }
}

/** Why there is no figure: arms, by id, that were left out of the run or never were in it. */
export const absentText = (absent: readonly string[]): string =>
  `${absent.join(' and ')} ${absent.length === 1 ? 'is' : 'are'} not in this run`

/** What is judged, for example `latency.response p99 of reference/l4-only relative to none/baseline`. */
export function thresholdText({ metric, percentile, arm, relativeTo }: Threshold): string {
  const what = percentile === undefined ? metric : `${metric} p${percentile}`
  return relativeTo === undefined ? `${what} of ${arm}` : `${what} of ${arm} relative to ${relativeTo}`
}

/** What a threshold without a figure would have been judged in. */
function unitOf({ metric, relativeTo }: Threshold): Estimate['unit'] | undefined {
  return relativeTo === undefined ? metrics.get(metric)?.unit : 'ratio'
}

function expectation({ max, min }: Threshold, unit: Estimate['unit'] | undefined): string {
  const limit = (given: number) =>
    [asGiven(given * printedScale(unit)), unit === undefined ? '' : unitText[unit]].filter(Boolean).join(' ')
  const parts = [
    ...(min === undefined ? [] : [`at least ${limit(min)}`]),
    ...(max === undefined ? [] : [`at most ${limit(max)}`]),
  ]
  return parts.join(' and ')
}
