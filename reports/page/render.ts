/** Makes the page that people open from an Analysis: one file, complete without a network and without script. */
import type { Analysis } from '../../harness/model.js'
import type { Chart } from '../charts/chart.js'
import { declaredCharts } from '../charts/declared.js'
import { charts, type ChartName } from '../charts/index.js'
import { cleanDeep } from './clean.js'
import { compressAnalysis } from './embed.js'
import { createFigureBook, type FigureBook } from './figures.js'
import { dateTime } from '../formats/format.js'
import { renderPage, tableView, type ReportAssets } from './page.js'
import { billTable } from './sections/bill.js'
import { buildAnswer } from './sections/answer.js'
import {
  buildClaims,
  buildPaths,
  costTable,
  functionCostTable,
  functionTable,
  leadText,
  otherLoads,
  systemTable,
} from './sections/body.js'
import { buildEvidence, methodTable } from './sections/evidence.js'
import { published } from './sections/talk.js'
import { connectTables, streamTables, type TransportTables } from './sections/transport.js'
import { renderSvg } from './svg.js'
import { createView, pathColours, type View } from './view.js'

export type { ReportAssets } from './page.js'

/** Renders the report. Pure: the same analysis and assets give the same bytes. */
export async function renderHtml(analysis: Analysis, assets: ReportAssets): Promise<string> {
  const view = createView(cleanDeep(analysis))
  const book = createFigureBook()
  const figures = await drawCharts(view, book)
  const declared = await drawDeclared(view, book)
  const other = otherLoads(view, book)
  const cost = costTable(view, book)
  const bill = billTable(view, book)
  const connections = connectTables(view, book)
  const transfers = streamTables(view, book)
  const functionCosts = functionCostTable(view, book)
  const claims = buildClaims(view, book)
  const evidence = buildEvidence(view)
  const body = {
    version: view.analysis.version,
    platform: view.analysis.config.platform,
    date: dateTime(view.analysis.startedAt),
    runId: view.analysis.runId,
    answer: buildAnswer(view, book),
    lead: leadText(view),
    paths: buildPaths(view, book),
    figures,
    declared,
    otherLoads: other.map(({ text, table }) => ({ text, table: tableView(table) })),
    cost: cost === undefined ? undefined : { intro: cost.intro, table: tableView(cost.table) },
    bill: bill === undefined ? undefined : { ...bill, table: tableView(bill.table) },
    connections: connections.map(transportView),
    transfers: transfers.map(transportView),
    published,
    claims: {
      decided: claims.filter((claim) => claim.chip.text !== 'no data'),
      open: claims.filter((claim) => claim.chip.text === 'no data'),
    },
    functions: tableView(functionTable(view, book)),
    functionCosts: functionCosts === undefined ? undefined : tableView(functionCosts),
    systems: tableView(systemTable(view, book)),
    evidence: {
      ...evidence,
      proofs: tableView(evidence.proofs),
      proofCount: evidence.proofs.rows.length,
      notValid: tableView(evidence.notValid),
      notValidCount: evidence.notValid.rows.length,
      environment: tableView(evidence.environment),
      sizing: tableView(evidence.sizing),
      trials: tableView(evidence.trials),
      methods: tableView(methodTable(book.legend())),
    },
    arms: view.arms.map(({ key, label, colour }) => ({ key, label, colour })),
  }
  const colours = pathColours(view.analysis.paths)
  const style =
    `:root{${colours.light}}` +
    `@media (prefers-color-scheme:dark){:root:not([data-theme=light]){${colours.dark}}}` +
    `:root[data-theme=dark]{${colours.dark}}`
  return renderPage(
    'report',
    {
      title: body.answer.headline,
      style,
      body,
      embedded: { 'analysis-data': compressAnalysis(analysis), 'figure-legend': book.legend() },
    },
    assets,
  )
}

function transportView({ text, tables }: TransportTables) {
  return { text, tables: tables.map(({ label, table }) => ({ label, table: tableView(table) })) }
}

interface DrawnChart {
  readonly name: string
  readonly title: string
  readonly caption: string
  readonly alternative: string
  readonly wide: string
  readonly narrow: string
  readonly table: object
}

/** All charts that have data, by name with underscores, as templates can address them. */
async function drawCharts(view: View, book: FigureBook): Promise<Record<string, DrawnChart>> {
  const drawn: Record<string, DrawnChart> = {}
  for (const name of Object.keys(charts) as ChartName[]) {
    const chart = charts[name](view, book)
    if (chart !== undefined)
      drawn[name.replaceAll('-', '_')] = await drawChart(name, chart, view.arms.length <= mostOnPhones)
  }
  return drawn
}

async function drawDeclared(view: View, book: FigureBook): Promise<DrawnChart[]> {
  const drawn: DrawnChart[] = []
  for (const { name, chart } of declaredCharts(view, book))
    drawn.push(await drawChart(name, chart, view.arms.length <= mostOnPhones))
  return drawn
}

/** Charts of more arms than this do not fit a phone's width: there the wide one is shown, to be scrolled sideways. */
const mostOnPhones = 12

async function drawChart(name: string, chart: Chart, onPhones: boolean): Promise<DrawnChart> {
  return {
    name,
    title: chart.title,
    caption: chart.caption,
    alternative: chart.alternative,
    wide: await renderSvg(chart.spec('wide'), `${name}-w`),
    narrow: onPhones ? await renderSvg(chart.spec('narrow'), `${name}-n`) : '',
    table: tableView(chart.table),
  }
}
