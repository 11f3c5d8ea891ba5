/** The registries of formats: a new format is one file and one line here. */
import type { Analysis, JournalEntry } from '../../harness/model.js'
import type { ChartName } from '../charts/index.js'
import type { ReportAssets } from '../page/page.js'
import { renderHtml } from '../page/render.js'
import { renderChartPng, renderChartSvg, type ChartAssets, type Theme } from './chart-svg.js'
import { renderCloudNativePerformance } from './cloud-native-performance.js'
import { renderCsv } from './csv.js'
import { renderHistogramLog, renderPercentiles } from './histograms.js'
import { renderJunit } from './junit.js'
import { renderMarkdown } from './markdown.js'
import { renderOpenMetrics } from './openmetrics.js'
import { renderActionBenchmark, renderBencher } from './tracked.js'

export interface Format {
  /** File that `meshbench report --format` writes into the run's folder. */
  readonly file: string
  readonly summary: string
  readonly render: (analysis: Analysis, assets: ReportAssets) => string | Promise<string>
}

export const formats = {
  html: { file: 'report.html', summary: 'the page that people open', render: renderHtml },
  // Its shape is reports/analysis.schema.json.
  json: {
    file: 'analysis.json',
    summary: 'everything, for programs',
    render: (analysis: Analysis) => `${JSON.stringify(analysis, null, 2)}\n`,
  },
  markdown: {
    file: 'summary.md',
    summary: 'a summary for a pull request or a CI job',
    render: renderMarkdown,
  },
  csv: { file: 'trials.csv', summary: 'one line per trial', render: renderCsv },
  junit: { file: 'junit.xml', summary: 'a test case per threshold and claim', render: renderJunit },
  openmetrics: { file: 'metrics.txt', summary: 'OpenMetrics text', render: renderOpenMetrics },
  bencher: { file: 'bencher.json', summary: 'Bencher Metric Format', render: renderBencher },
  'benchmark-smaller': {
    file: 'benchmark-smaller.json',
    summary: 'github-action-benchmark, customSmallerIsBetter',
    render: (analysis: Analysis) => renderActionBenchmark(analysis, 'less'),
  },
  'benchmark-bigger': {
    file: 'benchmark-bigger.json',
    summary: 'github-action-benchmark, customBiggerIsBetter',
    render: (analysis: Analysis) => renderActionBenchmark(analysis, 'more'),
  },
} satisfies Record<string, Format>

export type FormatName = keyof typeof formats

/** What needs the journal itself: its histograms, which an analysis does not keep. */
export interface JournalFormat {
  readonly summary: string
  readonly render: (
    analysis: Analysis,
    entries: readonly JournalEntry[],
  ) => readonly { readonly name: string; readonly contents: string }[]
}

export const journalFormats = {
  hlog: {
    summary: 'HdrHistogram log, a line for each trial',
    render: (_, entries) => [{ name: 'latency.hlog', contents: renderHistogramLog(entries) }],
  },
  hgrm: {
    summary: 'HdrHistogram percentiles, a file for each arm and load',
    render: (_, entries) => renderPercentiles(entries),
  },
  cnp: {
    summary: 'Cloud Native Performance, a file for each arm and load',
    render: renderCloudNativePerformance,
  },
} satisfies Record<string, JournalFormat>

export type JournalFormatName = keyof typeof journalFormats

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
