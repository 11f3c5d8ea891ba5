/** The registry of text formats that one analysis can be written in: a new format is one file and one line here. */
import type { Analysis } from '../../harness/model.js'
import { renderCsv } from './csv.js'
import { renderJson } from './json.js'
import { renderJunit } from './junit.js'
import { renderMarkdown } from './markdown.js'
import { renderOpenMetrics } from './openmetrics.js'

export interface Format {
  /** File that `meshbench report --format` writes into the run's folder. */
  readonly file: string
  readonly summary: string
  readonly render: (analysis: Analysis) => string
}

export const formats = {
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
