/** The front page of a folder of runs: the newest first, and how the main figures moved from run to run. */
import type { Analysis, Metric, Path } from '../../harness/model.js'
import type { TableCell } from '../charts/chart.js'
import { cleanDeep, cleanText } from '../page/clean.js'
import { spreadLabels } from '../charts/layout.js'
import { createFigureBook, type FigureBook } from '../page/figures.js'
import { dateTime, number, plural } from '../formats/format.js'
import { renderPage, tableView, type ReportAssets } from '../page/page.js'
import { renderSvg } from '../page/svg.js'
import { figureWidth, type Size } from '../page/theme.js'
import { cpuMetrics, createView, latencyMetrics, pathColours, type View } from '../page/view.js'
import type { TopLevelSpec } from 'vega-lite'

/** A run and where its report lies, relative to the index; only plain relative links are made. */
export interface IndexedRun {
  readonly analysis: Analysis
  readonly href: string
}

/** Height of a trend's plot in px. */
const trendHeight = 260

/** Renders the index. Pure: the same runs and assets give the same bytes. */
export async function renderIndex(runs: readonly IndexedRun[], assets: ReportAssets): Promise<string> {
  const newest = [...runs]
    .map(({ analysis, href }) => ({ view: createView(cleanDeep(analysis)), href: safeHref(href) }))
    .sort((a, b) => b.view.analysis.startedAt.localeCompare(a.view.analysis.startedAt))
  const book = createFigureBook()
  const hosts = new Set(newest.map(({ view }) => view.analysis.host.hostKey))
  const rows = newest.map(({ view, href }): TableCell[] => {
    const { analysis } = view
    const c1 = analysis.claims.find(({ id }) => id === 'C1')
    return [
      { html: `<a href="${href}">${escape(analysis.runId)}</a>` },
      dateTime(analysis.startedAt),
      analysis.version,
      analysis.config.platform,
      analysis.host.cpuModel,
      analysis.outcome,
      `${analysis.trials.filter(({ state }) => state === 'ok').length} of ${analysis.trials.length}`,
      thresholdsText(analysis.thresholds),
      { html: book.print(c1?.figures[0]?.estimate, { metric: 'claim.C1', kind: 'ratio' }) },
    ]
  })
  const oldestFirst = newest.map(({ view }) => view).reverse()
  const paths = mergePaths(oldestFirst)
  const shown = await Promise.all(trends.map((trend) => drawTrend(trend, oldestFirst, paths, book)))
  const colours = pathColours(paths)
  return renderPage(
    'index',
    {
      title: 'Runs',
      style: `:root{${colours.light}}@media (prefers-color-scheme:dark){:root:not([data-theme=light]){${colours.dark}}}:root[data-theme=dark]{${colours.dark}}`,
      body: {
        count: plural(newest.length, 'run'),
        severalHosts: hosts.size > 1,
        trends: shown.filter((trend) => trend !== undefined),
        runs: tableView({
          columns: [
            'run',
            'started',
            'version',
            'platform',
            'CPU',
            'outcome',
            'valid trials',
            'thresholds',
            'C1: CPU of L4-L7-L4 to L7-L7',
          ],
          rows,
        }),
      },
      embedded: { 'figure-legend': book.legend() },
    },
    assets,
  )
}

interface Trend {
  readonly name: string
  readonly title: string
  readonly axis: string
  readonly metrics: readonly Metric[]
  readonly percentile?: number
}

/** Ratios to the baseline travel between runs better than absolute figures do. */
const trends: readonly Trend[] = [
  {
    name: 'cpu',
    title: 'CPU of every arm against the baseline, run by run',
    axis: 'CPU, ratio to the baseline',
    metrics: cpuMetrics,
  },
  {
    name: 'p50',
    title: 'Median response time of every arm against the baseline, run by run',
    axis: 'p50, ratio to the baseline',
    metrics: latencyMetrics,
    percentile: 50,
  },
]

/** Every path that any run measured, the newest run's word on its colour last. */
function mergePaths(views: readonly View[]): readonly Path[] {
  return [
    ...new Map(views.flatMap(({ analysis }) => analysis.paths.map((path) => [path.name, path]))).values(),
  ]
}

interface DrawnTrend {
  readonly title: string
  readonly wide: string
  readonly narrow: string
  readonly alternative: string
  readonly table: object
}

/** Runs are evenly spaced, in order. Nothing with fewer than two runs. */
async function drawTrend(
  trend: Trend,
  views: readonly View[],
  paths: readonly Path[],
  book: FigureBook,
): Promise<DrawnTrend | undefined> {
  const { percentile } = trend
  const ratioOf = (view: View, arm: string) =>
    view.compare(arm, trend.metrics, percentile === undefined ? {} : { percentile })?.ratio
  const values = views.flatMap((view, run) =>
    view.subjects.flatMap((arm) => {
      const ratio = ratioOf(view, arm.id)
      return ratio === undefined
        ? []
        : [
            {
              run: run + 1,
              id: arm.id,
              arm: arm.label,
              colour: `var(--path-${paths.findIndex(({ name }) => name === arm.path.name)})`,
              value: ratio.value,
              low: ratio.low,
              high: ratio.high,
            },
          ]
    }),
  )
  if (views.length < 2 || values.length === 0) return undefined
  const ids = [...new Set(values.map(({ id }) => id))]
  const labelOf = (id: string) => values.findLast((value) => value.id === id)?.arm ?? id
  const last = values.filter(({ run }) => run === views.length)
  const labelRoom = 14 + 7.6 * Math.max(...values.map(({ arm }) => arm.length))
  const bounds = values.flatMap(({ low, high }) => [low, high])
  const domain: [number, number] = [Math.min(1, ...bounds), Math.max(...bounds)]
  const places = spreadLabels(
    last.map(({ value }) => value),
    domain,
    trendHeight,
    15,
    false,
  )
  const x = {
    field: 'run',
    type: 'ordinal',
    axis: { title: 'run, oldest first', labelAngle: 0, grid: false },
  }
  const y = {
    field: 'value',
    type: 'quantitative',
    scale: { domain, nice: false },
    axis: { title: trend.axis, tickCount: 5 },
  }
  const stroke = { field: 'colour', type: 'nominal', scale: null }
  const detail = { field: 'id', type: 'nominal' }
  const spec = (size: Size) =>
    ({
      width: figureWidth[size] - labelRoom - 40,
      height: trendHeight,
      data: { values },
      layer: [
        { mark: { type: 'line', strokeWidth: 2 }, encoding: { x, y, stroke, detail } },
        {
          mark: { type: 'rule', strokeWidth: 2 },
          encoding: { x, y: { ...y, field: 'low' }, y2: { field: 'high' }, stroke, detail },
        },
        { mark: { type: 'point', filled: true, size: 60, opacity: 1 }, encoding: { x, y, fill: stroke } },
        {
          data: { values: last.map((end, index) => ({ ...end, value: places[index] ?? end.value })) },
          mark: { type: 'text', align: 'left', dx: 10, fontSize: 12, fill: 'var(--ink)' },
          encoding: { x, y, text: { field: 'arm' } },
        },
      ],
    }) as unknown as TopLevelSpec
  return {
    title: trend.title,
    wide: await renderSvg(spec('wide'), `trend-${trend.name}-w`),
    narrow: await renderSvg(spec('narrow'), `trend-${trend.name}-n`),
    alternative: last.map(({ arm, value }) => `${arm}: ${number(value)} in the newest run`).join('; '),
    table: tableView({
      columns: ['arm', ...views.map(({ analysis }) => analysis.runId)],
      rows: ids.map((id) => [
        labelOf(id),
        ...views.map((view) => ({
          html: book.print(ratioOf(view, id), {
            metric: trend.metrics[1]?.id ?? '',
            kind: 'ratio',
            percentile,
          }),
        })),
      ]),
    }),
  }
}

/** `pass` only when all of them do, else how many do not, worst first. */
function thresholdsText(thresholds: Analysis['thresholds']): string {
  const count = (wanted: string) => thresholds.filter(({ state }) => state === wanted).length
  const parts = (['fail', 'inconclusive', 'no data'] as const).flatMap((state) =>
    count(state) === 0 ? [] : [`${count(state)} ${state === 'fail' ? 'failed' : state}`],
  )
  return thresholds.length === 0 ? '–' : parts.length === 0 ? 'pass' : parts.join(', ')
}

/** Each part of a relative path percent-encoded: a folder may be called anything, and its link leads nowhere else. */
function safeHref(href: string): string {
  const parts = href.split('/')
  return parts.some((part) => part === '' || part === '.' || part === '..')
    ? '#'
    : parts.map((part) => encodeURIComponent(part).replaceAll("'", '%27')).join('/')
}

function escape(text: string): string {
  return cleanText(text).replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`)
}
