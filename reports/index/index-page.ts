/** The front page of a folder of runs: the newest first, and how the main figures moved from run to run. */
import type { Analysis } from '../../harness/model.js'
import type { TableCell } from '../charts/chart.js'
import { cleanDeep, cleanText, escapeHtml } from '../page/clean.js'
import { createFigureBook } from '../page/figures.js'
import { dateTime, plural } from '../formats/format.js'
import { renderPage, type ReportAssets } from '../page/page.js'
import { createView, pathStyle } from '../page/view.js'
import { drawTrends } from './trends.js'

/** A run and where its report lies, relative to the index; only plain relative links are made. */
export interface IndexedRun {
  readonly analysis: Analysis
  readonly href: string
}

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
      { html: `<a href="${href}">${escapeHtml(cleanText(analysis.runId))}</a>` },
      dateTime(analysis.startedAt),
      analysis.version,
      analysis.config.platform,
      analysis.host.cpuModel,
      analysis.outcome,
      `${analysis.trials.filter(({ state }) => state === 'ok').length} of ${analysis.trials.length}`,
      thresholdsText(analysis.thresholds),
      book.cell(c1?.figures[0]?.estimate, { metric: 'claim.C1', kind: 'ratio' }),
    ]
  })
  const oldestFirst = newest.map(({ view }) => view).reverse()
  // Every path that any run measured, the newest run's word on its colour last.
  const paths = [
    ...new Map(
      oldestFirst.flatMap(({ analysis }) => analysis.paths.map((path) => [path.name, path])),
    ).values(),
  ]
  const trends = await drawTrends(oldestFirst, paths, book)
  return renderPage(
    'index',
    {
      title: 'Runs',
      style: pathStyle(paths),
      body: {
        count: plural(newest.length, 'run'),
        severalHosts: hosts.size > 1,
        trends,
        runs: {
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
        },
      },
      embedded: { 'figure-legend': book.legend() },
    },
    assets,
  )
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
