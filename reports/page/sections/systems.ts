/** The systems of the talk along five views; only figures of a system's own arms stand in its row. */
import type { Table } from '../../charts/chart.js'
import { armHtml, differenceOf, type FigureBook } from '../figures.js'
import type { View } from '../view.js'
import { systemRows, viewColumns } from './talk.js'

export function systemTable(view: View, book: FigureBook): Table {
  return {
    columns: ['system', ...viewColumns, 'measured here'],
    rows: systemRows.map((row) => {
      const measured = view.subjects.filter(({ arm }) =>
        row.arms.some(({ mesh, path }) => arm.mesh === mesh && arm.path === path),
      )
      const html = measured
        .map((arm) => {
          const time = view.added(arm.id, 'latency', { percentile: 50 })
          return `${armHtml(arm)} ${book.print(time?.estimate, differenceOf(time), 'sentence', true)}`
        })
        .join('<br>')
      return [
        row.system,
        ...row.views,
        { html: html === '' ? '<span class="none">no arm of its own in this run</span>' : html },
      ]
    }),
  }
}
