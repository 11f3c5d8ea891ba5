/** Charts that experiments declare: one metric, every arm with its interval, under each load of the experiment or across them. */
import { unitText } from '../../harness/analyze/words.js'
import type { ReadMetric } from '../../harness/model.js'
import type { MetricChart } from '../../scenarios/experiments/experiment.js'
import { experiments } from '../../scenarios/experiments/index.js'
import { experimentNamed, figureOf } from '../../scenarios/registry.js'
import { roundsText, sentence } from '../formats/format.js'
import type { FigureBook } from '../page/figures.js'
import type { ArmView, LoadView, View } from '../page/view.js'
import { stepLines } from './acts/step-lines.js'
import { timelineChart } from './acts/timeline.js'
import type { Chart } from './chart.js'
import { estimateRows, type EstimateRow } from './marks.js'

interface DeclaredChart {
  /** Unique in the page. */
  readonly name: string
  readonly chart: Chart
}

interface Row extends EstimateRow {
  /** What the load is called where a chart has several. */
  readonly load?: string
}

/** None where the run has no data for them; those that set loads side by side come first. */
export function declaredCharts(view: View, book: FigureBook): DeclaredChart[] {
  const named = (name: string, chart: Chart | undefined): DeclaredChart[] => (chart ? [{ name, chart }] : [])
  const ofLoads = Object.keys(experiments).flatMap((experiment) =>
    chartsOf(experiment).flatMap((declared) => {
      if (declared.steps) return named(declared.name, stepLines(experiment, declared, view, book))
      return declared.across
        ? named(declared.name, chartOf(declared, rowsAcross(experiment, declared, view), book))
        : []
    }),
  )
  const underEach = view.loads.flatMap((load, index) => {
    const own = chartsOf(load.experiment).flatMap((declared) => {
      if (declared.steps || declared.across) return []
      const rows = view.arms.flatMap((arm) => rowOf(declared, arm, load, view))
      return [[declared.name, chartOf(declared, rows, book, load)] as const]
    })
    return [...own, ['timeline', timelineChart(load, view)] as const].flatMap(([name, chart]) =>
      named(`${name}-${index}`, chart && { ...chart, title: titleUnder(chart.title, load, view) }),
    )
  })
  return [...ofLoads, ...underEach]
}

const chartsOf = (experiment: string) => experimentNamed(experiment)?.charts ?? []

/** What was done, where an experiment does several things: else one title stands over several charts. */
function titleUnder(title: string, { experiment, loadLabel }: LoadView, { loads }: View): string {
  const several = loads.filter((load) => load.experiment === experiment).length > 1
  return several ? `${title}: ${loadLabel.replace(/,.*/, '')}` : title
}

function rowOf({ metric, percentile, behind }: MetricChart, arm: ArmView, load: LoadView, view: View): Row[] {
  const cell = view.cell(arm.id, load)
  const estimate = cell && figureOf(cell, metric, percentile)
  if (!estimate || estimate.n === 0) return []
  return [{ arm, label: arm.label, estimate, behind: behind && figureOf(cell, behind) }]
}

function rowsAcross(experiment: string, declared: MetricChart, view: View): Row[] {
  const loads = view.loads.filter((load) => load.experiment === experiment)
  return view.subjects.flatMap((arm) =>
    loads.flatMap((load) => {
      const names = Object.entries(declared.across ?? {})
      const [, name] = names.find(([start]) => load.loadLabel.startsWith(start)) ?? []
      if (name === undefined) return []
      return rowOf(declared, arm, load, view).map((row) => ({
        ...row,
        load: name,
        label: `${arm.label}, ${name}`,
      }))
    }),
  )
}

function columnOf({ title, unit }: ReadMetric, percentile?: number): string {
  const label = unitText[unit]
  return `${title}${percentile === undefined ? '' : ` at p${percentile}`}${label === '' ? '' : `, ${label}`}`
}

/** `load`: the one that all rows were measured under; absent: each row has its own. */
function chartOf(
  { metric, percentile, behind, title, caption }: MetricChart,
  rows: readonly Row[],
  book: FigureBook,
  load?: LoadView,
): Chart | undefined {
  const [first] = rows
  if (!first) return undefined
  const what = columnOf(metric, percentile)
  // Figures of shares are printed in per cent.
  const inPercent = metric.unit === 'share' ? { labelExpr: "format(datum.value * 100, '.4~r')" } : {}
  return {
    title,
    caption: `${caption} ${load ? `${load.text}; ` : ''}95 % intervals, ${roundsText(rows.map(({ estimate }) => estimate))}.`,
    alternative: rows.map(({ label, estimate }) => `${label}: ${sentence(estimate)}`).join('; '),
    table: {
      columns: ['arm', ...(load ? [] : ['load']), what, ...(behind ? [columnOf(behind)] : [])],
      rows: rows.map((row) => [
        row.arm.label,
        ...(row.load === undefined ? [] : [row.load]),
        book.cell(row.estimate, { metric: metric.id, percentile, kind: 'value' }),
        ...(behind ? [book.cell(row.behind, { metric: behind.id, kind: 'value' })] : []),
      ]),
    },
    spec: (size) => estimateRows(rows, { title: what, ...inPercent }, size),
  }
}
