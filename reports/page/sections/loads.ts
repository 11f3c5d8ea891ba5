/** What the arms add under the loads that the answer does not speak of. */
import type { Table, TableCell } from '../../charts/chart.js'
import { paceText, thousand } from '../../formats/format.js'
import { armHtml, type FigureBook } from '../figures.js'
import { percentiles, type View } from '../view.js'

/** Added latency of every load but the leading one, each as a table. */
export function otherLoads(
  view: View,
  book: FigureBook,
): { readonly label: string; readonly table: Table }[] {
  return (
    view.loads
      // New connections and long transfers have tables of their own.
      .filter((load) => load !== view.lead && !['connect', 'stream'].includes(load.load.engine))
      .flatMap((load) => {
        const rows = view.arms
          .filter((arm) => arm.arm.role !== 'baseline')
          .flatMap((arm): TableCell[][] => {
            const found = percentiles.map((percentile) =>
              view.added(arm.id, 'latency', { percentile: Number(percentile), load }),
            )
            const cpu = view.added(arm.id, 'cpu', { load })
            if (cpu === undefined && found.every((figure) => figure === undefined)) return []
            return [[{ html: armHtml(arm) }, ...[...found, cpu].map((figure) => book.added(figure))]]
          })
        if (rows.length === 0) return []
        const columns = [
          'arm',
          ...percentiles.map((percentile) => `added p${percentile}, ms`),
          `added CPU, ms per ${thousand} requests`,
        ]
        return [{ label: `${load.experiment}: ${load.text}`, table: { columns, rows } }]
      })
  )
}

/** `at 1 000 requests per second`, or nothing. */
export function leadText(view: View): string {
  return view.lead === undefined ? '' : `at ${paceText(view.lead.load)}`
}
