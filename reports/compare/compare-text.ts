/** Two runs side by side as text: lines for a terminal, Markdown for a pull request. */
import { visibleText } from '../../harness/analyze/visible.js'
import type { Analysis, Comparison } from '../../harness/model.js'
import { metricTitle } from '../../scenarios/registry.js'
import { changeText, sentence } from '../formats/format.js'
import { escapeMarkdown, markdownTable } from '../formats/markdown.js'
import { cleanDeep } from '../page/clean.js'
import { alignColumns, plain } from '../page/columns.js'
import { compareRuns, comparisonHeadline, isMain, type PairedFigure } from './compare.js'

const header = (a: Analysis, b: Analysis) => [
  'arm',
  'against',
  'metric',
  'load',
  `ratio in ${a.runId}`,
  `ratio in ${b.runId}`,
  'change',
  'smallest visible',
  'verdict',
]

function rowOf({ comparison, a, b, change, visible, state }: PairedFigure): string[] {
  return [
    comparison.arm,
    comparison.versus,
    metricText(comparison),
    comparison.loadLabel,
    plain(sentence(a)),
    plain(sentence(b)),
    Number.isFinite(change.low) ? plain(changeText(change)) : '–',
    visible === undefined ? '–' : visibleText(visible, 'ratio'),
    state,
  ]
}

export const metricText = ({ metric, percentile }: Comparison): string => metricTitle(metric, percentile)

/** What differs first, then the ratios of both runs, then the verdict. */
export function comparisonLines(first: Analysis, second: Analysis): string[] {
  const [a, b] = [cleanDeep(first), cleanDeep(second)]
  const { figures, differences } = compareRuns(a, b)
  return [
    ...differences.map(({ what, a: from, b: to }) => `differs: ${what}: ${from} → ${to}`),
    '',
    ...alignColumns([header(a, b), ...figures.map(rowOf)], [0, 1, 2, 3, 6, 7, 8]),
    '',
    comparisonHeadline(figures),
  ]
}

export function comparisonMarkdown(first: Analysis, second: Analysis): string {
  const [a, b] = [cleanDeep(first), cleanDeep(second)]
  const { figures, differences, objections } = compareRuns(a, b)
  const main = differences.filter(isMain)
  return [
    `## Meshbench: ${escapeMarkdown(comparisonHeadline(figures))}`,
    '',
    ...objections.map((text) => `**Compared because it was asked for.** ${escapeMarkdown(text)}\n`),
    ...(main.length === 0
      ? ['Nothing differs in host, versions, plan or builds.', '']
      : [
          ...markdownTable([
            ['differs', a.runId, b.runId],
            ...main.map(({ what, a: from, b: to }) => [what, from, to]),
          ]),
          '',
        ]),
    ...markdownTable([header(a, b), ...figures.map(rowOf)]),
    '',
    'Changes are ratios of ratios to the baseline with 95 % intervals; rounds of two runs are not paired, so that drift between them is in every figure.',
    '',
  ].join('\n')
}
