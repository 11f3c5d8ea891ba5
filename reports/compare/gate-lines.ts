/** What a gate found, for a terminal, a job summary and annotations. Pure. */
import { metricNamed } from '../../scenarios/registry.js'
import type { ThresholdVerdict } from '../../harness/model.js'
import { absentText, thresholdText } from '../../harness/analyze/check.js'
import { visibleText } from '../../harness/analyze/visible.js'
import { fails, metricText, type GateResult, type GateVerdict } from '../../harness/analyze/gate.js'
import { annotation, standingAnnotations, thresholdAnnotations } from '../formats/annotations.js'
import { cleanDeep } from '../page/clean.js'
import { alignColumns, plain } from '../page/columns.js'
import { escapeMarkdown } from '../formats/markdown.js'
import { sentence } from '../formats/format.js'

type Row = readonly string[]

const header: Row = ['verdict', 'what', 'load', 'found', 'allowed', 'beyond', 'smallest visible']

/** Worst first, so that what failed is seen without scrolling. */
const severity = ['fail', 'worse', 'no data', 'inconclusive', 'pass', 'same', 'better']

function rowsOf(result: GateResult): Row[] {
  const { variants, thresholds, failures } = cleanDeep(result)
  const rows: Row[] = [
    ...failures.flatMap(({ arm, missing }) =>
      missing.map(({ what, why }) => ['fail', `${arm} ${what}`, '', why, '', '', '']),
    ),
    ...variants.map(variantRow),
    ...thresholds.map(thresholdRow),
  ]
  return rows.sort((a, b) => severity.indexOf(a[0] ?? '') - severity.indexOf(b[0] ?? ''))
}

function thresholdRow(verdict: ThresholdVerdict): Row {
  const { threshold, experiment, loadLabel = '', absent, state, actual, expected, visible } = verdict
  return [
    state,
    `${thresholdText(threshold)}${experiment === undefined ? '' : ` (${experiment}, ${loadLabel})`}`,
    '',
    actual ? plain(sentence(actual)) : absent ? absentText(absent) : '–',
    expected,
    state === 'fail' && actual ? beyond(actual.value, threshold.min, threshold.max) : '',
    visible === undefined || !actual ? '–' : visibleText(visible, actual.unit),
  ]
}

function variantRow({ state, arm, control, check, experiment, loadLabel, ratio, visible }: GateVerdict): Row {
  const { practical, metric } = check
  const worst = metricNamed(metric)?.better === 'more' ? { min: 1 - practical } : { max: 1 + practical }
  return [
    state,
    `${metricText(check)} of ${arm} against ${control}`,
    experiment === '' ? '' : `${experiment}, ${loadLabel}`,
    ratio === undefined ? '–' : plain(sentence(ratio)),
    worst.max === undefined
      ? `at least ${(1 - practical).toFixed(2)} ×`
      : `at most ${worst.max.toFixed(2)} ×`,
    state === 'worse' && ratio !== undefined ? beyond(ratio.value, worst.min, worst.max) : '',
    visible === undefined ? '–' : visibleText(visible, 'ratio'),
  ]
}

/** By how much a figure lies beyond its limit, as a share of the limit where that has a meaning. */
function beyond(value: number, min: number | undefined, max: number | undefined): string {
  const limit = max !== undefined && value > max ? max : (min ?? max ?? 0)
  const by = Math.abs(value - limit)
  return limit === 0 ? by.toPrecision(3) : `${((by / Math.abs(limit)) * 100).toPrecision(2)} %`
}

/** The outcome and the table behind it. */
export function gateLines(result: GateResult): string[] {
  return [...alignColumns([header, ...rowsOf(result)], [0, 1, 2, 3, 4, 5]), '', headline(result)]
}

export function gateMarkdown(result: GateResult): string {
  const line = (row: Row) => `| ${row.map(escapeMarkdown).join(' | ')} |`
  return [
    `## Meshbench gate: ${headline(result)}`,
    '',
    line(header),
    `|${' --- |'.repeat(header.length)}`,
    ...rowsOf(result).map(line),
    '',
  ].join('\n')
}

/** One annotation for whatever fails the gate or leaves it open. */
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
  const failed =
    variants.filter(({ state }) => state === 'worse').length +
    thresholds.filter((verdict) => fails(verdict, policy)).length +
    failures.length
  if (outcome === 'fail')
    return `failed: ${failed} of ${variants.length + thresholds.length + failures.length} checks`
  const checks = variants.length + thresholds.length
  if (outcome === 'pass') return `passed: ${checks} ${checks === 1 ? 'check' : 'checks'}`
  return `inconclusive, which the policy lets ${policy.inconclusive}: measure more rounds to decide`
}
