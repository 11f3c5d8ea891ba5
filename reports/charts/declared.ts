/** Charts that experiments declare: one metric, every arm with its interval, under each load of the experiment. */
import type { MetricChart } from '../../scenarios/experiments/experiment.js'
import { experimentNamed, figureOf } from '../../scenarios/registry.js'
import { sentence, unitLabel } from '../formats/format.js'
import type { FigureBook } from '../page/figures.js'
import type { LoadView, View } from '../page/view.js'
import { controlPlaneCost, firstConnection, startTimeline } from './acts/across-loads.js'
import { footprintLines, scaleOutApplicationLines, scaleOutKnees, scaleOutLines } from './acts/step-lines.js'
import { timelineChart } from './acts/timeline.js'
import type { Chart, ChartBuilder } from './chart.js'
import { estimateRows, type EstimateRow } from './marks.js'

interface DeclaredChart {
  /** Unique in the page. */
  readonly name: string
  readonly chart: Chart
}

/** Charts that set an experiment's loads side by side, by name. */
const comparingLoads: Readonly<Record<string, ChartBuilder>> = {
  'start-timeline': startTimeline,
  'first-connection': firstConnection,
  'control-plane': controlPlaneCost,
  'footprint-lines': footprintLines,
  'scale-out-lines': scaleOutLines,
  'scale-out-application': scaleOutApplicationLines,
  'scale-out-knees': scaleOutKnees,
}

/** None where the run has no data for them. */
export function declaredCharts(view: View, book: FigureBook): DeclaredChart[] {
  const named = (name: string, chart: Chart | undefined): DeclaredChart[] => (chart ? [{ name, chart }] : [])
  return [
    ...Object.entries(comparingLoads).flatMap(([name, builder]) => named(name, builder(view, book))),
    ...view.loads.flatMap((load, index) => {
      const own = (experimentNamed(load.experiment)?.charts ?? []).map(
        (declared) => [declared.name, chartOf(declared, load, view, book)] as const,
      )
      return [...own, ['timeline', timelineChart(load, view)] as const].flatMap(([name, chart]) =>
        named(`${name}-${index}`, chart && { ...chart, title: titleUnder(chart.title, load, view) }),
      )
    }),
  ]
}

/** What was done, where an experiment does several things: else one title stands over several charts. */
function titleUnder(title: string, { experiment, loadLabel }: LoadView, { loads }: View): string {
  const several = loads.filter((load) => load.experiment === experiment).length > 1
  return several ? `${title}: ${loadLabel.replace(/,.*/, '')}` : title
}

function chartOf(declared: MetricChart, load: LoadView, view: View, book: FigureBook): Chart | undefined {
  const { metric, percentile, title, caption } = declared
  const rows = view.arms.flatMap((arm): EstimateRow[] => {
    const cell = view.cell(arm.id, load)
    const estimate = cell && figureOf(cell, metric, percentile)
    return estimate && estimate.n > 0 ? [{ arm, label: arm.label, estimate }] : []
  })
  const [first] = rows
  if (!first) return undefined
  const unit = unitLabel(metric.unit)
  // Figures of shares are printed in per cent.
  const inPercent = metric.unit === 'share' ? { labelExpr: "format(datum.value * 100, '.4~r')" } : {}
  const what = `${metric.title}${percentile === undefined ? '' : ` at p${percentile}`}${unit === '' ? '' : `, ${unit}`}`
  return {
    title,
    caption: `${caption} ${load.text}; 95 % intervals, n = ${first.estimate.n} rounds.`,
    alternative: rows.map(({ arm, estimate }) => `${arm.label}: ${sentence(estimate)}`).join('; '),
    table: {
      columns: ['arm', what],
      rows: rows.map(({ arm, estimate }) => [
        arm.label,
        book.cell(estimate, { metric: metric.id, percentile, kind: 'value' }),
      ]),
    },
    spec: (size) => estimateRows(rows, { title: what, ...inPercent }, size),
  }
}
