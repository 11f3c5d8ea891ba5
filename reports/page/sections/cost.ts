/** What the mesh's part of the bill is worth, at the config's prices. */
import type { Estimate } from '../../../harness/model.js'
import type { Table, TableCell } from '../../charts/chart.js'
import { given, thousand } from '../../formats/format.js'
import { pricedArms } from '../../charts/resources/fleet.js'
import { escapeHtml } from '../clean.js'
import { armHtml, type FigureBook } from '../figures.js'
import { listOf } from '../ranking.js'
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

/** What costs the least with L7 in the path and without it, and how much more the rest do. */
export function fleetAnswer(view: View, book: FigureBook): string {
  const { currency } = view.analysis.config.cost
  const cost = (estimate: Estimate) =>
    `${book.print(estimate, { metric: 'fleet.perMonth', kind: 'difference' })} ${escapeHtml(currency)} a month`
  const groups = [true, false].map((doesL7) => pricedArms(view).filter(({ bill }) => bill.doesL7 === doesL7))
  return groups
    .flatMap((alike) => {
      const least = alike.find(({ bill }) => bill.versus === undefined)
      if (!least) return []
      const others = alike.flatMap(({ arm, bill: { versus } }) => {
        if (!versus) return []
        const ratio = book.print(versus.ratio, { metric: 'fleet.perMonth', kind: 'ratio' }, 'change')
        return [`${armHtml(arm)} ${ratio}${versus.verdict === 'worse' ? '' : ', which is not told from it'}`]
      })
      const rest = others.length === 0 ? '' : `; ${listOf(others)}`
      return [
        `${least.bill.doesL7 ? 'With L7 in the path' : 'Without L7'} ${armHtml(least.arm)} comes to ${others.length === 0 ? '' : 'the least, '}${cost(least.cost)}${rest}.`,
      ]
    })
    .join(' ')
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
