/** Makes the page that people open from an Analysis: one file, complete without a network and without script. */
import type { Analysis } from '../../harness/model.js'
import { declaredCharts } from '../charts/declared.js'
import type { Chart, ChartBuilder } from '../charts/chart.js'
import { charts } from '../charts/index.js'
import { cleanDeep } from './clean.js'
import { compressAnalysis } from './embed.js'
import { createFigureBook, type FigureBook } from './figures.js'
import { dateTime } from '../formats/format.js'
import { renderPage, type ReportAssets } from './page.js'
import { absentParts } from './sections/absent.js'
import { buildAnswer } from './sections/answer.js'
import { buildClaims } from './sections/claims.js'
import { buildEvidence, trialCells } from './sections/evidence.js'
import { functionTable } from './sections/functions.js'
import { leadText } from './sections/loads.js'
import { buildQuestions } from './sections/questions.js'
import { systemTable } from './sections/systems.js'
import { published } from './sections/talk.js'
import { drawChart, type DrawnChart } from './svg.js'
import { createView, pathStyle, type View } from './view.js'

export type { ReportAssets } from './page.js'

/** Renders the report. Pure: the same analysis and assets give the same bytes. */
export async function renderHtml(analysis: Analysis, assets: ReportAssets): Promise<string> {
  const view = createView(cleanDeep(analysis))
  const book = createFigureBook()
  const packed = compressAnalysis(analysis)
  const answer = buildAnswer(view, book)
  const body = { ...(await pageBody(view, book)), answer }
  return renderPage(
    'report',
    {
      title: answer.headline,
      style: pathStyle(view.analysis.paths),
      body,
      embedded: {
        'analysis-data': await packed,
        'figure-legend': book.legend(),
        'trial-cells': trialCells(view),
      },
    },
    assets,
  )
}

async function pageBody(view: View, book: FigureBook) {
  const drawn = await drawCharts(view, book)
  const questions = buildQuestions(view, book, drawn)
  const claims = buildClaims(view, book)
  const present = new Set([...Object.keys(drawn), ...questions.map(({ id }) => id)])
  const absent = absentParts(
    view,
    claims.filter(({ chip }) => chip.text === 'no data'),
    present,
  )
  return {
    version: view.analysis.version,
    platform: view.analysis.config.platform,
    date: dateTime(view.analysis.startedAt),
    runId: view.analysis.runId,
    lead: leadText(view),
    questions,
    figures: drawn,
    declared: await drawAll(declaredCharts(view, book), view),
    published,
    claims: claims.filter(({ chip }) => chip.text !== 'no data'),
    absent,
    functions: functionTable(view, book),
    systems: systemTable(view, book),
    evidence: buildEvidence(view, book.legend()),
  }
}

/** All charts that have data, by name with underscores, as templates can address them. */
async function drawCharts(view: View, book: FigureBook): Promise<Record<string, DrawnChart>> {
  const found = Object.entries<ChartBuilder>(charts).flatMap(([name, builder]) => {
    const chart = builder(view, book)
    return chart ? [{ name, chart }] : []
  })
  return Object.fromEntries(
    (await drawAll(found, view)).map((chart) => [chart.name.replaceAll('-', '_'), chart]),
  )
}

async function drawAll(found: readonly { readonly name: string; readonly chart: Chart }[], view: View) {
  const drawn: DrawnChart[] = []
  for (const { name, chart } of found)
    drawn.push(await drawChart(name, chart, view.arms.length <= mostOnPhones))
  return drawn
}

/** Charts of more arms than this do not fit a phone's width: there the wide one is shown, to be scrolled sideways. */
const mostOnPhones = 12
