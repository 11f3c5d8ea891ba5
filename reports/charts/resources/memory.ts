/** Answers "how much memory?": resident memory of every hop of an arm, under load. */
import * as metrics from '../../../scenarios/metrics.js'
import { number, paceText, roundsText, sentence } from '../../formats/format.js'
import type { Chart, ChartBuilder, TableCell } from '../chart.js'
import { chargeable, rowFill, rowName } from './cpu-bill.js'
import { stackedBars, type Segment } from './stacked-bars.js'

export const memory: ChartBuilder = (view, book): Chart | undefined => {
  const { lead } = view
  const cells = view.subjects.flatMap((arm) => {
    const cell = view.cell(arm.id)
    const rows = (cell ? chargeable(cell) : []).flatMap((row) =>
      row.memory && isMesh(row.category) ? [{ ...row, memory: row.memory }] : [],
    )
    return cell && rows.length > 0 ? [{ arm, cell, rows }] : []
  })
  if (lead === undefined || cells.length === 0) return undefined
  const segments = cells.flatMap(({ arm, rows }) =>
    rows.map((row): Segment => ({
      arm,
      name: rowName(row),
      value: row.memory.value,
      ...rowFill(row, arm),
      tip: `${arm.label}, ${rowName(row)}: ${sentence(row.memory)}`,
      labelled: true,
    })),
  )
  const totals = cells.flatMap(({ arm, cell }) =>
    cell.hopMemory === undefined ? [] : [{ arm, estimate: cell.hopMemory }],
  )
  const sorted = [...totals].sort((a, b) => a.estimate.value - b.estimate.value)
  const [least, most] = [sorted[0], sorted.at(-1)]
  return {
    title:
      least === undefined || most === undefined || least.estimate.high >= most.estimate.low
        ? 'Resident memory of the mesh'
        : `The hops of ${most.arm.label} hold ${number(most.estimate.value)} MiB, those of ${least.arm.label} ${number(least.estimate.value)} MiB`,
    caption: `Resident memory of the mesh's components at the end of the window, at ${paceText(lead.load)}, one instance of each; ${roundsText(totals.map(({ estimate }) => estimate))}. The application and the generator are not part of it.`,
    alternative: totals.map(({ arm, estimate }) => `${arm.label}: ${sentence(estimate)}`).join('; '),
    table: {
      columns: ['arm', 'component', 'memory, MiB'],
      rows: cells.flatMap(({ arm, cell, rows }): TableCell[][] => [
        ...rows.map((row): TableCell[] => [
          arm.label,
          rowName(row),
          book.cell(row.memory, { metric: metrics.memory.id, kind: 'value', component: row.component }),
        ]),
        [arm.label, 'all hops', book.cell(cell.hopMemory, { metric: metrics.memory.id, kind: 'value' })],
      ]),
    },
    spec: (size) =>
      stackedBars({ arms: cells.map(({ arm }) => arm), segments, totals, axisTitle: 'memory, MiB' }, size),
  }
}

const isMesh = (category: string) => ['l4', 'l7', 'control-plane'].includes(category)
