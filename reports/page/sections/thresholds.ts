/** What the config's thresholds and the gate say, a line each. */
import type { GateVerdict } from '../../../harness/analyze/gate.js'
import { asGiven } from '../../../harness/analyze/words.js'
import { metricTitle } from '../../../scenarios/registry.js'
import type { ThresholdVerdict } from '../../../harness/model.js'
import type { Table } from '../../charts/chart.js'
import { escapeHtml } from '../clean.js'
import { armHtml, type FigureBook } from '../figures.js'
import { isUnder, type View } from '../view.js'

export type ThresholdLine = ReturnType<typeof thresholdLines>[number]

export function thresholdLines(view: View, book: FigureBook) {
  return view.analysis.thresholds.map((verdict) => {
    const actual = book.print(
      verdict.actual,
      {
        metric: verdict.threshold.metric,
        kind: verdict.threshold.relativeTo === undefined ? 'value' : 'ratio',
      },
      'sentence',
    )
    return {
      chip: { kind: verdict.state.replace(' ', '-'), text: verdict.state },
      html: `${escapeHtml(thresholdSubject(verdict, view))}: ${actual}, expected ${escapeHtml(verdict.expected)}.`,
    }
  })
}

/** `CPU per 1 000 requests of L4-L7-L4, as a ratio to L7-L7, at 1 000 requests/s, …`. */
function thresholdSubject(verdict: ThresholdVerdict, view: View): string {
  const { metric, percentile, arm, relativeTo } = verdict.threshold
  const load = view.loads.find((measured) => isUnder(measured)(verdict))
  return [
    `${metricTitle(metric, percentile)} of ${view.arm(arm).label}`,
    ...(relativeTo === undefined ? [] : [`as a ratio to ${view.arm(relativeTo).label}`]),
    ...(load === undefined ? [] : [`${load.experiment}: ${load.text}`]),
  ].join(', ')
}

/** Every check of every variant under every load; `gateNotes` has in words what its cells have no room for. */
export function gateTable(view: View, book: FigureBook, verdicts: readonly GateVerdict[]): Table {
  return {
    columns: ['variant', 'against', 'what', 'load', 'ratio', 'too little to matter', 'verdict'],
    rows: verdicts.map(({ arm, control, check, experiment, loadLabel, ratio, state }) => [
      { html: armHtml(view.arm(arm)) },
      view.arm(control).label,
      metricTitle(check.metric, check.percentile),
      experiment === '' ? '–' : loadName({ experiment, loadLabel }),
      book.cell(ratio, { metric: check.metric, percentile: check.percentile, kind: 'ratio' }),
      `±${asGiven(check.practical * 100)} %`,
      state,
    ]),
  }
}

/** HTML: the loads of the table in words, and why a check that has a ratio, or none, is not decided by more rounds. */
export function gateNotes(view: View, verdicts: readonly GateVerdict[]): string {
  const loads = view.loads
    .filter((load) => verdicts.some(isUnder(load)))
    .map((load) => `${loadName(load)}: ${load.text}.`)
  const reasons = verdicts
    .filter(({ ratio, isOneProcess }) => ratio === undefined || isOneProcess)
    .map(({ sentence }) => sentence)
  return [...loads, ...reasons].map(escapeHtml).join('<br>')
}

const loadName = ({ experiment, loadLabel }: Pick<GateVerdict, 'experiment' | 'loadLabel'>) =>
  `${experiment}, ${loadLabel}`
