/** The registries of formats: a new format is one file and one line here. */
import type { Analysis } from '../../harness/model.js'
import type { ChartName } from '../charts/index.js'
import type { ReportAssets } from '../page/page.js'
import { renderHtml } from '../page/render.js'
import { renderChartPng } from './chart-png.js'
import { renderChartSvg, type ChartAssets, type Theme } from './chart-svg.js'
import { renderCsv } from './csv.js'
import { renderJson } from './json.js'
import { renderJunit } from './junit.js'
import { renderMarkdown } from './markdown.js'
import { renderOpenMetrics } from './openmetrics.js'

/** A whole analysis as one file. */
export interface Format {
  /** File that `meshbench report --format` writes into the run's folder. */
  readonly file: string
  readonly summary: string
  readonly render: (analysis: Analysis, assets: ReportAssets) => string | Promise<string>
}

export const formats = {
  html: { file: 'report.html', summary: 'the page that people open', render: renderHtml },
  json: { file: 'analysis.json', summary: 'everything, for programs', render: renderJson },
  markdown: {
    file: 'summary.md',
    summary: 'a summary for a pull request or a CI job',
    render: renderMarkdown,
  },
  csv: { file: 'trials.csv', summary: 'one line per trial', render: renderCsv },
  junit: { file: 'junit.xml', summary: 'a test case per threshold and claim', render: renderJunit },
  openmetrics: { file: 'metrics.txt', summary: 'OpenMetrics text', render: renderOpenMetrics },
} satisfies Record<string, Format>

export type FormatName = keyof typeof formats

/** One chart of an analysis as one file, named `<chart>.<extension>`. */
export interface ChartFormat {
  readonly extension: string
  readonly summary: string
  /** Nothing when the analysis has no data for the chart. */
  readonly render: (
    analysis: Analysis,
    chart: ChartName,
    theme: Theme,
    assets: ChartAssets,
  ) => Promise<string | Uint8Array | undefined>
}

export const chartFormats = {
  'chart-svg': { extension: 'svg', summary: 'one chart, named by --chart, as SVG', render: renderChartSvg },
  'chart-png': { extension: 'png', summary: 'one chart, named by --chart, as PNG', render: renderChartPng },
} satisfies Record<string, ChartFormat>

export type ChartFormatName = keyof typeof chartFormats
