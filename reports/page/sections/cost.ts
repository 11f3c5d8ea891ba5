/** What the mesh's part of the bill is worth, at the config's prices. */
import type { Estimate } from '../../../harness/model.js'
import type { Table, TableCell } from '../../charts/chart.js'
import { given, thousand } from '../../formats/format.js'
import { armHtml, type FigureBook } from '../figures.js'
import { cpuMetrics, type View } from '../view.js'

export function costTable(
  view: View,
  book: FigureBook,
): { readonly intro: string; readonly table: Table } | undefined {
  const { cost } = view.analysis.config
  const rows = view.subjects.flatMap((arm): TableCell[][] => {
    const cpu = view.compare(arm.id, cpuMetrics)?.difference
    const memory = view.cell(arm.id)?.hopMemory
    if (cpu === undefined) return []
    // CPU ms per 1 000 requests are CPU seconds per million, so 1 000 times that per billion; an hour has 3 600 of them.
    const perBillion = scale(cpu, (cost.perVcpuHour * 1000) / 3600, 'currency')
    const vcpu = scale(cpu, 1 / 1000, 'vCPU')
    const perMonth =
      memory === undefined ? undefined : scale(memory, (cost.perGibHour * 730) / 1024, 'currency')
    return [
      [
        { html: armHtml(arm) },
        book.cell(vcpu, { metric: 'cost.vcpuAt1000PerSecond', kind: 'difference' }),
        book.cell(perBillion, { metric: 'cost.perBillionRequests', kind: 'difference' }),
        book.cell(perMonth, { metric: 'cost.memoryPerMonth', kind: 'value' }),
      ],
    ]
  })
  if (rows.length === 0) return undefined
  const { currency } = cost
  return {
    intro: `What a path adds, at ${given(cost.perVcpuHour)} ${currency} per vCPU-hour and ${given(cost.perGibHour)} ${currency} per GiB-hour (the config's prices; a month has 730 hours).`,
    table: {
      columns: [
        'arm',
        `vCPU at ${thousand} requests/s`,
        `CPU, ${currency} per billion requests`,
        `memory, ${currency} per month and instance`,
      ],
      rows,
    },
  }
}

function scale(estimate: Estimate, factor: number, unit: Estimate['unit']): Estimate {
  return {
    ...estimate,
    value: estimate.value * factor,
    low: estimate.low * factor,
    high: estimate.high * factor,
    unit,
  }
}
