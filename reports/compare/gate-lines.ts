/** What a gate found, for a terminal, a job summary and annotations. Pure. */
import { metrics } from '../../scenarios/registry.js'
import { fewestFirm } from '../../harness/analyze/estimates.js'
import { missingOf, type ArmStanding } from '../../harness/analyze/standings.js'
import { visibleText } from '../../harness/analyze/visible.js'
import { asGiven } from '../../harness/analyze/words.js'
import { fails, metricText, type GateResult, type GateVerdict } from '../../harness/analyze/gate.js'
import { annotation, standingAnnotations, thresholdAnnotations } from '../formats/annotations.js'
import { cleanDeep } from '../page/clean.js'
import { alignColumns, plain } from '../page/columns.js'
import { escapeMarkdown, markdownTable } from '../formats/markdown.js'
import { plural, sentence } from '../formats/format.js'
import { beyond, detailsOf, tableOf, thresholdRow, type VerdictRow } from '../formats/verdict-rows.js'

/** Worst first, so that what failed is seen without scrolling. */
const severity = ['fail', 'worse', 'no data', 'inconclusive', 'pass', 'same', 'better']

function rowsOf(result: GateResult): VerdictRow[] {
  const { variants, thresholds, failures } = cleanDeep(result)
  const rows = [
    ...failures.flatMap(failureRows),
    ...variants.map(variantRow),
    ...thresholds.map(thresholdRow),
  ]
  return rows.sort((a, b) => severity.indexOf(a.verdict) - severity.indexOf(b.verdict))
}

function failureRows(standing: ArmStanding): VerdictRow[] {
  const { arm, missing } = standing
  return missing.map((each, index) => ({
    verdict: 'fail',
    arm,
    load: each.load ?? '',
    found: each.what,
    detail: missingOf(standing)[index] ?? '',
  }))
}

function variantRow(verdict: GateVerdict): VerdictRow {
  const { state, arm, control, check, experiment, loadLabel, ratio, visible, sentence: detail } = verdict
  const { practical, metric } = check
  const worst = metrics.get(metric)?.better === 'more' ? { min: 1 - practical } : { max: 1 + practical }
  return {
    verdict: state,
    arm,
    against: control,
    metric: metricText(check),
    load: experiment === '' ? '' : `${experiment}, ${loadLabel}`,
    found: ratio === undefined ? '–' : plain(sentence(ratio)),
    allowed:
      worst.max === undefined ? `at least ${asGiven(1 - practical)} ×` : `at most ${asGiven(worst.max)} ×`,
    beyond: state === 'worse' && ratio !== undefined ? beyond(ratio, worst) : '',
    visible: visible === undefined ? '–' : visibleText(visible, 'ratio'),
    // What a ratio and its limit do not tell.
    ...(ratio === undefined || verdict.isOneProcess ? { detail } : {}),
  }
}

/** The outcome and the table behind it, and below it in whole sentences what its cells have no room for. */
export function gateLines(result: GateResult): string[] {
  const rows = rowsOf(result)
  const details = detailsOf(rows)
  return [
    ...alignColumns(tableOf(rows), [0, 1, 2, 3, 4, 5, 6, 7]),
    '',
    ...(details.length === 0 ? [] : [...details, '']),
    headline(result),
  ]
}

export function gateMarkdown(result: GateResult): string {
  const rows = rowsOf(result)
  return [
    `## Meshbench gate: ${headline(result)}`,
    '',
    ...markdownTable(tableOf(rows)),
    '',
    ...detailsOf(rows).map((detail) => `- ${escapeMarkdown(detail)}`),
    '',
  ].join('\n')
}

export function gateAnnotations(result: GateResult): string[] {
  return [
    ...standingAnnotations(result.failures),
    ...result.variants.flatMap(({ state, sentence: text }) =>
      state === 'worse'
        ? [annotation('error', 'Meshbench: worse', text)]
        : state === 'inconclusive'
          ? [annotation('notice', 'Meshbench: inconclusive', text)]
          : [],
    ),
    ...thresholdAnnotations(result, result.policy),
  ]
}

function headline({ outcome, policy, variants, thresholds, failures }: GateResult): string {
  const checks = variants.length + thresholds.length
  if (outcome === 'fail') {
    const failed =
      failures.length +
      variants.filter(({ state }) => state === 'worse').length +
      thresholds.filter((verdict) => fails(verdict, policy)).length
    return `failed: ${failed} of ${plural(checks + failures.length, 'check')}`
  }
  if (outcome === 'pass') return `passed: ${plural(checks, 'check')}`
  // What is open for want of processes no round decides.
  const isForRounds =
    variants.some(({ state, isOneProcess }) => state === 'inconclusive' && !isOneProcess) ||
    thresholds.some(({ state }) => state === 'inconclusive' || state === 'no data')
  const remedy = isForRounds
    ? 'measure more rounds'
    : `start processes anew, in ${fewestFirm} lives at least (--blocks ${fewestFirm} or more),`
  return `inconclusive, which the policy lets ${policy.inconclusive}: ${remedy} to decide`
}
