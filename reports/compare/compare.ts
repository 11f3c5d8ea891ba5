/** Sets two runs side by side: what differs in config, versions and host, and what became of the numbers. */
import { fewestFirm } from '../../harness/analyze/estimates.js'
import type { Analysis, Comparison, Estimate } from '../../harness/model.js'
import type { TableCell } from '../charts/chart.js'
import { cleanDeep } from '../page/clean.js'
import { createFigureBook, type FigureBook } from '../page/figures.js'
import { alignColumns, plain } from '../page/columns.js'
import { dateTime, sentence, signed } from '../formats/format.js'
import { renderPage, tableView, type ReportAssets } from '../page/page.js'
import { pathColours } from '../page/view.js'

export interface RunDifference {
  readonly what: string
  readonly a: string
  readonly b: string
}

export interface PairedFigure {
  readonly comparison: Comparison
  readonly a: Estimate
  readonly b: Estimate
  /** The intervals of the two do not touch: they differ by more than chance explains. Rounds of two runs are not paired. */
  readonly apart: boolean
}

export interface RunComparison {
  /** Why these two must not be compared; empty when they may. */
  readonly objections: readonly string[]
  readonly differences: readonly RunDifference[]
  readonly figures: readonly PairedFigure[]
  /** Arms that only one of them has. */
  readonly onlyA: readonly string[]
  readonly onlyB: readonly string[]
}

/** Compares two analyses. Objections are reported, not thrown: the caller decides whether it was told to go on. */
export function compareRuns(a: Analysis, b: Analysis): RunComparison {
  const objections: string[] = []
  if (a.host.hostKey !== b.host.hostKey)
    objections.push(
      `They ran on different hosts (${hostText(a)}; ${hostText(b)}): absolute figures are not comparable, and ratios hardly.`,
    )
  if (a.planHash !== b.planHash)
    objections.push(
      `They followed different plans (${a.planHash.slice(0, 12)}; ${b.planHash.slice(0, 12)}): ${changedConfig(a, b)}.`,
    )
  const ids = (analysis: Analysis) => new Set(analysis.arms.map((arm) => arm.id))
  const [inA, inB] = [ids(a), ids(b)]
  const later = new Map(b.comparisons.map((one) => [one.id, one]))
  return {
    objections,
    differences: differencesOf(a, b),
    figures: a.comparisons.flatMap((comparison): PairedFigure[] => {
      const other = later.get(comparison.id)
      if (other === undefined) return []
      const [first, second] = [comparison.ratio, other.ratio]
      const isFirm = Math.min(first.n, second.n) >= fewestFirm
      const apart = isFirm && (first.high < second.low || second.high < first.low)
      return [{ comparison, a: first, b: second, apart }]
    }),
    onlyA: [...inA].filter((id) => !inB.has(id)),
    onlyB: [...inB].filter((id) => !inA.has(id)),
  }
}

function hostText({ host }: Analysis): string {
  return `${host.cpuModel}, ${host.cpus} CPUs, key ${host.hostKey.slice(0, 12)}`
}

function changedConfig(a: Analysis, b: Analysis): string {
  const changed = differencesOf(a, b)
    .map(({ what }) => what)
    .filter((what) => what.startsWith('config.'))
  const few = changed.slice(0, 4).join(', ') + (changed.length > 4 ? ` and ${changed.length - 4} more` : '')
  return changed.length === 0
    ? 'arms or the order of trials differ'
    : `${few} ${changed.length === 1 ? 'differs' : 'differ'}`
}

function differencesOf(a: Analysis, b: Analysis): RunDifference[] {
  const facts = (analysis: Analysis): Record<string, string> => ({
    ...flatten('config', analysis.config),
    ...flatten('host', analysis.host),
    ...Object.fromEntries(analysis.facts.map((fact) => [`fact.${fact.name}`, fact.value])),
    version: analysis.version,
    plan: analysis.planHash,
    outcome: analysis.outcome,
    rounds: `${analysis.rounds.done} of ${analysis.rounds.planned}`,
  })
  const [one, two] = [facts(a), facts(b)]
  return [...new Set([...Object.keys(one), ...Object.keys(two)])]
    .filter((key) => one[key] !== two[key] && key !== 'host.loadAverage1m' && key !== 'config.outDir')
    .map((what) => ({ what, a: one[what] ?? '–', b: two[what] ?? '–' }))
}

/** `{ a: { b: 1 } }` as `{ 'prefix.a.b': '1' }`. */
function flatten(prefix: string, value: unknown): Record<string, string> {
  if (value === null || typeof value !== 'object') return { [prefix]: String(value) }
  return Object.fromEntries(
    Object.entries(value).flatMap(([key, inner]) => Object.entries(flatten(`${prefix}.${key}`, inner))),
  )
}

/** The ratios of both runs as lines for a terminal, those that moved apart marked. */
export function comparisonLines(a: Analysis, b: Analysis): string[] {
  const { figures, differences } = compareRuns(cleanDeep(a), cleanDeep(b))
  const text = (estimate: Estimate) => plain(sentence(estimate))
  const rows = figures.map(({ comparison, a: first, b: second, apart }) => [
    comparison.arm,
    comparison.versus,
    metricText(comparison),
    comparison.loadLabel,
    text(first),
    text(second),
    plain(changeOf(first, second)),
    apart ? 'apart' : '',
  ])
  const header = [
    'arm',
    'against',
    'metric',
    'load',
    `ratio in ${a.runId}`,
    `ratio in ${b.runId}`,
    'change',
    '',
  ]
  return [
    ...alignColumns([header, ...rows], [0, 1, 2, 3, 7]),
    '',
    headlineOf(figures),
    ...differences
      .filter(({ what }) => !what.startsWith('host.loadAverage'))
      .map(({ what, a: first, b: second }) => `differs: ${what}: ${first} → ${second}`),
  ]
}

function headlineOf(figures: readonly PairedFigure[]): string {
  if (figures.length === 0) return 'The two runs have nothing in common to compare'
  const apart = figures.filter((one) => one.apart).length
  return apart === 0
    ? 'The two runs agree within their intervals'
    : `${apart} of ${figures.length} ratios differ between the two runs`
}

function metricText({ metric, percentile }: Comparison): string {
  return percentile === undefined ? metric : `${metric} p${percentile}`
}

/** How far the second ratio lies from the first. */
function changeOf(a: Estimate, b: Estimate): string {
  if (!(a.value > 0)) return '–'
  const percent = (b.value / a.value - 1) * 100
  return `${signed(percent, Math.abs(percent) < 10 ? 1 : 0)} %`
}

/** The comparison as a page. `told` is true when the user asked for it in spite of objections, which the page then says. */
export function renderComparison(a: Analysis, b: Analysis, assets: ReportAssets, told: boolean): string {
  const [first, second] = [cleanDeep(a), cleanDeep(b)]
  const result = compareRuns(first, second)
  const book = createFigureBook()
  const ratioColumns = [`ratio in ${first.runId}`, `ratio in ${second.runId}`]
  const colours = pathColours(first.paths)
  return renderPage(
    'compare',
    {
      title: `${first.runId} and ${second.runId}`,
      style: `:root{${colours.light}}`,
      body: {
        headline: headlineOf(result.figures),
        runs: [first, second].map(
          (run) => `${run.runId}, ${dateTime(run.startedAt)}, version ${run.version}, ${run.host.cpuModel}`,
        ),
        objections: told
          ? result.objections.map((text) => `Compared because it was asked for. ${text}`)
          : result.objections,
        differences: tableView({
          columns: ['what', first.runId, second.runId],
          rows: result.differences.map(({ what, a: x, b: y }) => [what, x, y]),
        }),
        differenceCount: result.differences.length,
        loads: loadsOf(result.figures).map(({ text, figures }, index) => ({
          text,
          open: index === 0 || figures.some((one) => one.apart),
          table: tableView({
            columns: ['arm', 'against', 'metric', ...ratioColumns, 'change', 'intervals'],
            rows: figures.map((one) => figureRow(one, book)),
          }),
        })),
        onlyA: result.onlyA.join(', '),
        onlyB: result.onlyB.join(', '),
      },
      embedded: { 'figure-legend': book.legend() },
    },
    assets,
  )
}

/** Figures of one load together, in the order of the first run; those that moved apart come first. */
function loadsOf(
  figures: readonly PairedFigure[],
): readonly { readonly text: string; readonly figures: readonly PairedFigure[] }[] {
  const loads = new Map<string, PairedFigure[]>()
  for (const one of figures) {
    const text = `${one.comparison.experiment}, ${one.comparison.loadLabel}`
    loads.set(text, [...(loads.get(text) ?? []), one])
  }
  return [...loads].map(([text, all]) => ({
    text: `${text}: ${all.filter((one) => one.apart).length} of ${all.length} ratios differ`,
    figures: [...all].sort((one, other) => Number(other.apart) - Number(one.apart)),
  }))
}

function figureRow({ comparison, a, b, apart }: PairedFigure, book: FigureBook): TableCell[] {
  const { metric, percentile, arm, versus } = comparison
  const name = { metric, percentile, kind: 'ratio' } as const
  return [
    arm,
    versus,
    metricText(comparison),
    { html: book.print(a, name) },
    { html: book.print(b, name) },
    changeOf(a, b),
    apart ? 'apart' : 'touch',
  ]
}
