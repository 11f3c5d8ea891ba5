/** Answers "what does it cost?": the whole CPU bill of an arm per 1 000 requests, by who spent it. */
import * as metrics from '../../../scenarios/metrics.js'
import type { BillRow, CellAnalysis, Estimate } from '../../../harness/model.js'
import { decimalsOf } from '../../../harness/analyze/words.js'
import {
  estimateText,
  fixed,
  number,
  paceText,
  roundsText,
  sentence,
  thousand,
} from '../../formats/format.js'
import { hatch } from '../../page/theme.js'
import type { ArmView } from '../../page/view.js'
import type { Chart, ChartBuilder, TableCell } from '../chart.js'
import { stackedBars, type Segment } from './stacked-bars.js'

/** In a bar's order, from zero: what every arm pays, then what the mesh adds, then what nobody claims. */
const order: readonly BillRow['category'][] = ['application', 'l4', 'l7', 'control-plane', 'unaccounted']

/** The generator, what functions call, the platform and the orchestrator are not part of a mesh's bill; they are in the table. */
export function chargeable(cell: CellAnalysis): readonly BillRow[] {
  return order.flatMap((category) => cell.bill.filter((row) => row.category === category))
}

/** How a row of the bill is filled: the arm's colour for what the mesh spends, strong for L7 and light for L4. */
export function rowFill(
  { category }: BillRow,
  { colour }: ArmView,
): { readonly fill: string; readonly opacity: number } {
  if (category === 'l7') return { fill: colour, opacity: 0.5 }
  if (category === 'l4') return { fill: colour, opacity: 0.22 }
  if (category === 'control-plane') return { fill: 'var(--ink)', opacity: 0.35 }
  return { fill: category === 'unaccounted' ? hatch : 'var(--app)', opacity: 1 }
}

/** `waypoint`, `echo`; the arm's own prefix is left out. */
export function rowName(row: BillRow): string {
  return row.hop ?? row.component.split('/').at(-1) ?? row.component
}

/** `136 + 29`: what components account for, and what nobody does. */
function totalText(cell: CellAnalysis, cpu: Estimate): string {
  const unaccounted = cell.bill
    .filter((row) => row.category === 'unaccounted')
    .reduce((sum, row) => sum + row.cpu.value, 0)
  const decimals = decimalsOf(cpu)
  return `${fixed(cpu.value, decimals)} + ${fixed(unaccounted, decimals)}`
}

export const cpuBill: ChartBuilder = (view, book): Chart | undefined => {
  const { lead } = view
  const cells = view.arms.flatMap((arm) => {
    const cell = view.cell(arm.id)
    return cell?.cpu === undefined || cell.bill.length === 0 ? [] : [{ arm, cell, cpu: cell.cpu }]
  })
  if (lead === undefined || cells.length === 0) return undefined
  const segments = cells.flatMap(({ arm, cell }) =>
    chargeable(cell).map((row): Segment => ({
      arm,
      name: rowName(row),
      value: row.cpu.value,
      ...rowFill(row, arm),
      tip: `${arm.label}, ${rowName(row)}: ${sentence(row.cpu)} per ${thousand} requests`,
      labelled: row.category !== 'unaccounted',
    })),
  )
  const subjects = cells
    .filter(({ arm }) => arm.arm.role === 'subject')
    .sort((a, b) => b.cpu.value - a.cpu.value)
  const base = cells.find(({ arm }) => arm.arm.role === 'baseline')
  const most = subjects[0]
  const ratio = most && view.compare(most.arm.id, [metrics.cpu])?.ratio
  const calls = cells.some(({ cell }) => cell.bill.some(({ category }) => category === 'called-service'))
  const gap = Math.max(...cells.map(({ cell }) => Math.abs(cell.billGapShare ?? 0)))
  return {
    title:
      most === undefined || (ratio !== undefined && ratio.low <= 1)
        ? `CPU per ${thousand} requests`
        : base === undefined
          ? `${most.arm.label} has the largest bill: ${number(most.cpu.value)} ms of CPU per ${thousand} requests`
          : `${most.arm.label} uses ${ratio === undefined ? number(most.cpu.value / base.cpu.value) : estimateText(ratio).value} times the CPU of a direct request${ratio === undefined ? '' : ` (${estimateText(ratio).low} to ${estimateText(ratio).high})`}`,
    caption:
      `CPU ms per ${thousand} requests at ${paceText(lead.load)}, ${roundsText(cells.map(({ cpu }) => cpu))}: grey is the application, light ` +
      `an L4 hop, strong an L7 hop, hatched what the host spent and no component accounts for. Printed: the components' sum with its 95 % interval, plus what is unaccounted. ` +
      `The generator${calls ? ', the services that functions call' : ''} and what runs the components (a cluster's own programs) are left out. The bill reconciles with the host's total within ${fixed(gap * 100, 1)} %.`,
    alternative: cells
      .map(({ arm, cpu }) => `${arm.label}: ${sentence(cpu)} per ${thousand} requests`)
      .join('; '),
    table: {
      columns: ['arm', 'component', 'category', `CPU, ms per ${thousand} requests`, 'of it user, %'],
      rows: cells.flatMap(({ arm, cell, cpu }): TableCell[][] => [
        ...cell.bill.map((row): TableCell[] => [
          arm.label,
          rowName(row),
          row.category,
          book.cell(row.cpu, { metric: metrics.cpu.id, kind: 'value', component: row.component }),
          row.cpuUserShare === undefined ? '–' : fixed(row.cpuUserShare * 100, 0),
        ]),
        [
          arm.label,
          'total without generator',
          '',
          book.cell(cpu, { metric: metrics.cpu.id, kind: 'value' }),
          '',
        ],
      ]),
    },
    spec: (size) =>
      stackedBars(
        {
          arms: cells.map(({ arm }) => arm),
          segments,
          totals: cells.map(({ arm, cell, cpu }) => ({ arm, estimate: cpu, text: totalText(cell, cpu) })),
          axisTitle: `CPU, ms per ${thousand} requests`,
        },
        size,
      ),
  }
}
