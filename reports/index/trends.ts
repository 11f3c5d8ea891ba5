/** How the main figures of comparable runs moved from run to run: one series for each host, load, profile and version. */
import type { Estimate, Metric, Path } from '../../harness/model.js'
import { drawnBounds, number, plural, sentence, signed } from '../formats/format.js'
import type { Chart } from '../charts/chart.js'
import { spreadLabels } from '../charts/layout.js'
import { endLabels, endRoom, intervalMark, lineMark, linearAxis, pointMark } from '../charts/marks.js'
import type { FigureBook } from '../page/figures.js'
import { listOf } from '../page/ranking.js'
import { drawChart, type DrawnChart } from '../page/svg.js'
import { figureWidth, type Size } from '../page/theme.js'
import { cpuMetrics, latencyMetrics, type View } from '../page/view.js'
import { findSteps } from './steps.js'

interface Trend {
  readonly name: string
  /** `CPU`, `median response time`. */
  readonly what: string
  readonly metrics: readonly Metric[]
  readonly percentile?: number
}

/** Ratios to the baseline travel between runs better than absolute figures do. */
const trends: readonly Trend[] = [
  { name: 'cpu', what: 'CPU', metrics: cpuMetrics },
  { name: 'p50', what: 'Median response time', metrics: latencyMetrics, percentile: 50 },
]

interface Point {
  readonly run: number
  readonly id: string
  readonly arm: string
  readonly colour: string
  readonly ratio: Estimate
}

type FoundStep = ReturnType<typeof stepsOf>[number]

/** Runs that may be put on one line, the series of the newest run first. `views` come oldest first. */
function comparableSeries(views: readonly View[]) {
  const series = new Map<string, View[]>()
  for (const view of views) {
    const { host, config, version } = view.analysis
    const { lead } = view
    if (lead === undefined) continue
    const where = [host.hostKey, lead.experiment, lead.loadLabel, config.platform, config.profile, version]
    const key = JSON.stringify(where)
    series.set(key, [...(series.get(key) ?? []), view])
  }
  const newest = (own: readonly View[]) => own.at(-1)?.analysis.startedAt ?? ''
  return [...series.values()]
    .sort((a, b) => newest(b).localeCompare(newest(a)))
    .map((own) => ({ views: own, text: seriesText(own[0]) }))
}

function seriesText(view: View | undefined): string {
  if (view?.lead === undefined) return ''
  const { host, config, version } = view.analysis
  return `${host.cpuModel} (${host.hostKey.slice(0, 8)}), ${view.lead.text}, ${config.platform}, profile ${config.profile}, version ${version}`
}

export async function drawTrends(
  views: readonly View[],
  paths: readonly Path[],
  book: FigureBook,
): Promise<DrawnChart[]> {
  const drawn: DrawnChart[] = []
  for (const [index, series] of comparableSeries(views).entries())
    for (const trend of trends) {
      const chart = chartOf(trend, series, paths, book)
      if (chart) drawn.push(await drawChart(`trend-${trend.name}-${index}`, chart))
    }
  return drawn
}

/** Runs are evenly spaced, in order. Nothing with fewer than two runs. */
function chartOf(
  trend: Trend,
  { views, text }: { readonly views: readonly View[]; readonly text: string },
  paths: readonly Path[],
  book: FigureBook,
): Chart | undefined {
  const { percentile } = trend
  const ratioOf = (view: View, arm: string) => view.compare(arm, trend.metrics, { percentile })?.ratio
  const points = views.flatMap((view, run) =>
    view.subjects.flatMap((arm): Point[] => {
      const ratio = ratioOf(view, arm.id)
      const colour = `var(--path-${paths.findIndex((path) => path.name === arm.path.name)})`
      return ratio === undefined ? [] : [{ run: run + 1, id: arm.id, arm: arm.label, colour, ratio }]
    }),
  )
  if (views.length < 2 || points.length === 0) return undefined
  const ids = [...new Set(points.map(({ id }) => id))]
  const steps = ids.flatMap((id) => stepsOf(points.filter((point) => point.id === id)))
  const last = points.filter(({ run }) => run === views.length)
  const runName = (run: number) => views[run - 1]?.analysis.runId ?? String(run)
  return {
    title:
      steps.length === 0
        ? `${trend.what} against the baseline over ${plural(views.length, 'run')}: no step`
        : `${trend.what} against the baseline: ${listOf(steps.map(({ arm, run, change }) => `${arm} ${changeText(change)} from ${runName(run)} on`))}`,
    caption: `${text}. Ratios with 95 % intervals, oldest run first; a step is marked where Worsley’s test for a shift (false alarms: 1 in 100 series) finds one, which takes six runs.`,
    spec: (size) => specOf(trend, points, steps, views.length, size),
    alternative: last.map(({ arm, ratio }) => `${arm}: ${number(ratio.value)} in the newest run`).join('; '),
    table: {
      columns: ['arm', ...views.map(({ analysis }) => analysis.runId)],
      rows: ids.map((id) => [
        points.findLast((point) => point.id === id)?.arm ?? id,
        ...views.map((view) =>
          book.cell(ratioOf(view, id), { metric: trend.metrics[1]?.id ?? '', kind: 'ratio', percentile }),
        ),
      ]),
    },
  }
}

/** From which run on, and by what factor. */
function stepsOf(points: readonly Point[]) {
  const values = points.map(({ ratio }) => Math.log(Math.max(ratio.value, 1e-9)))
  return findSteps(values).flatMap(({ at, size }) => {
    const point = points[at]
    return point ? [{ run: point.run, arm: point.arm, colour: point.colour, change: Math.exp(size) - 1 }] : []
  })
}

const changeText = (change: number) => `${signed(change * 100, Math.abs(change) < 0.1 ? 1 : 0)} %`

const plotHeight = 240

function specOf(
  trend: Trend,
  points: readonly Point[],
  steps: readonly FoundStep[],
  runs: number,
  size: Size,
): object {
  const values = points.map(({ ratio, ...point }) => ({
    ...point,
    value: ratio.value,
    ...drawnBounds(ratio),
    shape: 'circle',
    label: point.arm,
    name: point.arm,
    tip: `${point.arm}: ${sentence(ratio)}`,
  }))
  const bounds = values.flatMap(({ low, high }) => [low, high])
  const last = values.filter(({ run }) => run === runs)
  const labelRoom = endRoom(values, size)
  // Numbers of runs that do not touch: as many as fit, the first and the last among them.
  const every = Math.ceil(runs / (size === 'wide' ? 24 : 8))
  const shown = Array.from({ length: runs }, (_, index) => index + 1).filter((run) => (run - 1) % every === 0)
  const x = {
    field: 'run',
    type: 'ordinal',
    scale: { domain: Array.from({ length: runs }, (_, index) => index + 1) },
    axis: { title: 'run, oldest first', labelAngle: 0, grid: false, values: shown },
  }
  const y = linearAxis('value', [Math.min(1, ...bounds), Math.max(...bounds)], {
    title: `${trend.what}, ratio to the baseline`,
    tickCount: 5,
  })
  const stroke = { field: 'colour', type: 'nominal', scale: null }
  return {
    width: figureWidth[size] - labelRoom - 40,
    height: plotHeight,
    data: { values },
    layer: [
      {
        data: { values: steps },
        mark: { type: 'rule', strokeDash: [5, 4], strokeWidth: 2 },
        encoding: { x, stroke },
      },
      lineMark(x, y, 'id'),
      intervalMark(x, y),
      pointMark(x, y),
      endLabels(spreadLabels(last, y, plotHeight), x, y),
    ],
  }
}
