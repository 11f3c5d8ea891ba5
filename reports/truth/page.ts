/** The table of load generators as one HTML page: questions down, tools across, each cell judged. */
import type { TruthCell, TruthTable } from '../../harness/model/truth.js'
import type { TableCell } from '../charts/chart.js'
import { cleanDeep, escapeHtml } from '../page/clean.js'
import { renderPage, type ReportAssets } from '../page/page.js'
import * as words from './words.js'

const style = `.truth{max-width:none}.truth td{min-width:7rem}.truth .right{color:var(--good)}.truth .off,.truth .failed{color:var(--warn)}.truth .hidden,.truth .cannot,.truth .undecided{color:var(--muted)}`

/** Pure: the same table and assets give the same bytes. */
export function truthHtml(raw: TruthTable, assets: ReportAssets): string {
  const table = cleanDeep(raw)
  return renderPage(
    'truth',
    {
      title: 'load generators',
      style,
      embedded: { 'truth-table': table },
      body: {
        headline: words.standingLine(table),
        closest: words.closestLine(table),
        host: words.hostLine(table),
        warnings: words.warningsOf(table),
        key: words.keyLine,
        matrix: {
          columns: words.truthColumns(table),
          rows: table.questions.map(({ id, title }) => [
            title,
            ...table.tools.map(({ name }) => htmlOf(table.cells[name]?.[id])),
            words.standingWords(table, id),
          ]),
        },
        rules: {
          columns: ['question', 'right is'],
          rows: table.questions.map(({ title, rule }) => [title, rule === 'told' ? 'not judged' : rule]),
        },
        notes: words.notesOf(table),
        absent: table.absent.join(', '),
      },
    },
    assets,
  )
}

function htmlOf(cell: TruthCell | undefined): TableCell {
  if (!cell) return ''
  return { html: `<span class="${cell.verdict}">${words.markOf(cell)} ${escapeHtml(cell.text)}</span>` }
}
