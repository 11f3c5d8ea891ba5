/** The summary that a run prints when it ends: one line per arm, the noise floor, the claims, on one screen. */
import { thresholdText } from '../../harness/analyze/check.js'
import { missingOf, unmeasured } from '../../harness/analyze/standings.js'
import { visibleFloor } from '../../harness/analyze/visible.js'
import type { Analysis, ClaimAnalysis, Estimate, ThresholdVerdict } from '../../harness/model.js'
import { cleanDeep } from '../page/clean.js'
import { alignColumns, plain } from '../page/columns.js'
import { plural, plusMinus } from './format.js'
import { transportRows } from '../page/sections/transport.js'
import { createView, failedRequests, isPartial, summaryOf, withNext, type View } from '../page/view.js'

const colours = { bold: '1', dim: '2', red: '31', green: '32', yellow: '33' } as const

interface Screen {
  readonly columns: number
  readonly paint: (text: string, colour: keyof typeof colours) => string
}

const fewestColumns = 20
const usualColumns = 80

/** The table and verdicts as plain lines of so many characters, with ANSI colour only when asked. No trailing line break. */
export function renderTerminal(
  analysis: Analysis,
  { colour, columns: told }: { readonly columns: number; readonly colour: boolean },
): string {
  const view = createView(cleanDeep(analysis))
  // Some terminals say 0, and none is read at a word a line.
  const screen: Screen = {
    columns: told < fewestColumns ? usualColumns : told,
    paint: (text, name) => (colour ? `\u001b[${colours[name]}m${text}\u001b[0m` : text),
  }
  const { paint } = screen
  const lines: string[] = []
  if (isPartial(analysis)) {
    lines.push(
      paint(
        `partial run (${analysis.outcome}): ${analysis.rounds.done} of ${analysis.rounds.planned} rounds`,
        'yellow',
      ),
    )
  }
  lines.push(...table(view, screen), ...transportLines(view, screen), ...trustLines(view, screen))
  const claims = view.analysis.claims.filter((claim) => claim.verdict !== 'no data')
  if (claims.length > 0) lines.push('', ...claims.flatMap((claim) => claimLines(claim, screen)))
  lines.push(...thresholdLines(view, screen))
  return lines.join('\n')
}

function table(view: View, { columns, paint }: Screen): string[] {
  if (view.lead === undefined) return ['no trial is valid']
  const header = ['', 'added p50, ms', 'added p99, ms', 'CPU / 1 000 req, ms', 'memory, MiB']
  const rows = view.arms
    .filter((arm) => arm.arm.role !== 'baseline')
    .map((arm) => [
      arm.arm.role === 'twin' ? 'A/A difference' : arm.label,
      ...summaryOf(arm, view).map(({ estimate, sign }) => print(estimate, sign)),
    ])
  if (rows.length === 0) return ['no arm was compared']
  const [head = '', ...lines] = fitted([header, ...rows], columns, header.length - 1)
  return [
    ...wrap(`at ${plain(view.lead.text)}, ${plain(plural(view.rounds, 'round'))}`, columns, ''),
    paint(head, 'dim'),
    ...lines.map((line) => (line.startsWith('A/A difference') ? paint(line, 'dim') : line)),
  ]
}

/** Aligned rows; columns that do not fit are left out, from the right, down to the `fewest`. */
function fitted(rows: readonly (readonly string[])[], columns: number, fewest: number): string[] {
  let shown = rows[0]?.length ?? 0
  let lines = alignColumns(rows)
  while (shown > fewest && (lines[0] ?? '').length > columns) {
    shown--
    lines = alignColumns(rows.map((row) => row.slice(0, shown)))
  }
  return lines
}

function transportLines(view: View, { columns, paint }: Screen): string[] {
  return transportRows(view, print).flatMap(({ title, columns: names, rows }) => {
    const [header = '', ...body] = fitted([['', ...names.slice(1).map(plain)], ...rows], columns, 2)
    return ['', ...wrap(plain(title), columns, ''), paint(header, 'dim'), ...body]
  })
}

const print = (estimate: Estimate | undefined, sign: boolean) =>
  estimate === undefined ? '–' : plain(plusMinus(estimate, { sign }))

function trustLines(view: View, { columns, paint }: Screen): string[] {
  const lines: string[] = []
  const tell = (text: string, colour: keyof typeof colours) =>
    lines.push(...wrap(plain(text), columns, '  ').map((line) => paint(line, colour)))
  for (const text of failedRequests(view)) tell(text, 'yellow')
  const visible = visibleFloor(view.analysis)
  if (visible !== undefined) tell(`smallest difference that this run could have seen: ${visible}`, 'dim')
  if (view.analysis.noise.some(({ differs }) => differs))
    tell('the baseline differs from its twin: this run is less certain than its intervals say', 'yellow')
  const bad = view.analysis.trials.filter((trial) => trial.state !== 'ok').length
  if (bad > 0)
    tell(
      `${bad} of ${plural(view.analysis.trials.length, 'trial')} not valid; the report lists the reasons`,
      'yellow',
    )
  for (const standing of unmeasured(view.analysis))
    for (const text of missingOf(standing, view.arm(standing.arm).label)) tell(text, 'red')
  return lines
}

function claimLines(claim: ClaimAnalysis, { columns, paint }: Screen): string[] {
  const text = plain(`${claim.id} ${claim.verdict}: ${withNext(claim)}`)
  const [first = '', ...rest] = wrap(text, columns, '   ')
  return [first.replace(claim.verdict, paint(claim.verdict, 'bold')), ...rest]
}

/** One a verdict; what passes under many loads is one for all of them, so that what does not pass is seen. */
function thresholdLines(view: View, { columns, paint }: Screen): string[] {
  const { thresholds } = view.analysis
  const named = ({ threshold, expected, state }: ThresholdVerdict) =>
    `${thresholdText(threshold)}: ${expected}: ${state}`
  const alike = (verdict: ThresholdVerdict) => thresholds.filter((other) => named(other) === named(verdict))
  return thresholds.flatMap((verdict) => {
    const { state, threshold, expected, sentence } = verdict
    const all = state === 'pass' ? alike(verdict) : [verdict]
    if (all[0] !== verdict) return []
    const colour = state === 'pass' ? 'green' : state === 'fail' ? 'red' : 'yellow'
    const text =
      all.length === 1
        ? sentence
        : `${thresholdText(threshold)} is ${expected} under each of ${all.length} loads.`
    return wrap(`${paint(state, colour)}  ${plain(text)}`, columns, '      ')
  })
}

/** Breaks a line at spaces; later lines are indented. */
function wrap(text: string, columns: number, indent: string): string[] {
  const lines: string[] = []
  let line = ''
  for (const word of text.split(' ')) {
    const longer = line === '' ? word : `${line} ${word}`
    if (longer.length > columns && line.trim() !== '') {
      lines.push(line)
      line = indent + word
    } else line = longer
  }
  return [...lines, line]
}
