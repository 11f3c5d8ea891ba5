/** The front page of a folder of runs: the newest first, and how the main figures moved from run to run. */
import type { Analysis } from '../harness/model.js'
import type { TableCell } from './charts/chart.js'
import { cleanDeep, cleanText } from './clean.js'
import { createFigureBook } from './figures.js'
import { dateTime, number } from './format.js'
import { renderPage, tableView, type ReportAssets } from './page.js'
import { renderSvg } from './svg.js'
import { figureWidth } from './theme.js'
import { createView, pathColours } from './view.js'
import type { TopLevelSpec } from 'vega-lite'

/** A run and where its report lies, relative to the index; only plain relative links are made. */
export interface IndexedRun {
  readonly analysis: Analysis
  readonly href: string
}

export async function renderIndex(runs: readonly IndexedRun[], assets: ReportAssets): Promise<string> {
  const newest = [...runs]
    .map(({ analysis, href }) => ({ view: createView(cleanDeep(analysis)), href: safeHref(href) }))
    .sort((a, b) => b.view.analysis.startedAt.localeCompare(a.view.analysis.startedAt))
  const book = createFigureBook()
  const hosts = new Set(newest.map(({ view }) => view.analysis.host.hostKey))
  const rows = newest.map(({ view, href }): TableCell[] => {
    const { analysis } = view
    const c1 = analysis.claims.find(({ id }) => id === 'C1')
    const failed = analysis.thresholds.filter(({ state }) => state === 'fail').length
    return [
      { html: `<a href="${href}">${escape(analysis.runId)}</a>` },
      dateTime(analysis.startedAt),
      analysis.version,
      analysis.config.platform,
      analysis.host.cpuModel,
      analysis.outcome,
      `${analysis.trials.filter(({ state }) => state === 'ok').length} of ${analysis.trials.length}`,
      analysis.thresholds.length === 0 ? '–' : failed === 0 ? 'pass' : `${failed} failed`,
      { html: book.print(c1?.figures[0]?.estimate, { metric: 'claim.C1', kind: 'ratio' }) },
    ]
  })
  const trend = await drawTrend(newest.map(({ view }) => view).reverse())
  const colours = pathColours(newest[0]?.view.analysis.paths ?? [])
  return renderPage(
    'index',
    {
      title: 'Runs',
      style: `:root{${colours.light}}@media (prefers-color-scheme:dark){:root:not([data-theme=light]){${colours.dark}}}:root[data-theme=dark]{${colours.dark}}`,
      body: {
        count: newest.length,
        severalHosts: hosts.size > 1,
        trend,
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

/** Ratios to the baseline travel between runs better than times do; runs are evenly spaced, in order. */
async function drawTrend(views: readonly ReturnType<typeof createView>[]): Promise<string> {
  const values = views.flatMap((view, run) =>
    view.subjects.flatMap((arm) => {
      const ratio = view.compare(arm.id, ['cpu.per1000Requests', 'cpu.added'])?.ratio
      return ratio === undefined
        ? []
        : [
            {
              run: run + 1,
              arm: arm.label,
              colour: arm.colour,
              value: ratio.value,
              low: ratio.low,
              high: ratio.high,
              text: number(ratio.value),
            },
          ]
    }),
  )
  if (views.length < 2 || values.length === 0) return ''
  const x = {
    field: 'run',
    type: 'ordinal',
    axis: { title: 'run, oldest first', labelAngle: 0, grid: false },
  }
  const y = {
    field: 'value',
    type: 'quantitative',
    scale: { zero: false },
    axis: { title: 'CPU, ratio to the baseline', tickCount: 5 },
  }
  const stroke = { field: 'colour', type: 'nominal', scale: null }
  const detail = { field: 'arm', type: 'nominal' }
  const last = values.filter(({ run }) => run === views.length)
  const spec = {
    width: figureWidth.wide - 180,
    height: 260,
    data: { values },
    layer: [
      { mark: { type: 'line', strokeWidth: 2 }, encoding: { x, y, stroke, detail } },
      {
        mark: { type: 'rule', strokeWidth: 2 },
        encoding: { x, y: { ...y, field: 'low' }, y2: { field: 'high' }, stroke, detail },
      },
      { mark: { type: 'point', filled: true, size: 60, opacity: 1 }, encoding: { x, y, fill: stroke } },
      {
        data: { values: last },
        mark: { type: 'text', align: 'left', dx: 10, fontSize: 12, fill: 'var(--ink)' },
        encoding: { x, y, text: { field: 'arm' } },
      },
    ],
  } as unknown as TopLevelSpec
  return renderSvg(spec, 'trend')
}

/** Anything but a plain relative path becomes a link to nowhere. */
function safeHref(href: string): string {
  return /^[\w][\w./-]*$/.test(href) && !href.includes('..') ? href : '#'
}

function escape(text: string): string {
  return cleanText(text).replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`)
}
