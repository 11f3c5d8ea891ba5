/** What new connections and long transfers cost, for reports of runs that measured them: as tables of figures. */
import * as metrics from '../../../scenarios/metrics.js'
import { figureOf } from '../../../scenarios/registry.js'
import type { Estimate, ReadMetric } from '../../../harness/model.js'
import type { Table, TableCell } from '../../charts/chart.js'
import type { FigureBook, FigureName, FigureStyle } from '../figures.js'
import { thousand } from '../../formats/format.js'
import { cpuMetrics, type ArmView, type LoadView, type View } from '../view.js'
import { armHtml } from '../arm-name.js'

export interface TransportTables {
  readonly text: string
  readonly tables: readonly { readonly label: string; readonly table: Table }[]
}

/** Two for each load under which every request opened a connection: how long it takes, and what it costs. */
export function connectTables(view: View, book: FigureBook): TransportTables[] {
  const print = printer(book)
  return loadsOf(view, 'connect').map((load) => {
    const arms = view.arms.flatMap((arm) => {
      const cell = view.cell(arm.id, load)
      return cell?.connect === undefined ? [] : [{ arm, cell, connect: cell.connect, cpu: cell.cpu }]
    })
    const times = arms.map(({ arm, cell }): TableCell[] => {
      const time = (metric: ReadMetric, percentile: number) =>
        print(figureOf(cell, metric, percentile), { metric: metric.id, percentile, kind: 'value' })
      const added = (percentile: number) =>
        print(
          view.compare(arm.id, [metrics.firstByte], { percentile, load })?.difference,
          { metric: metrics.firstByte.id, percentile, kind: 'difference' },
          true,
        )
      return [
        { html: armHtml(arm) },
        time(metrics.connectTime, 50),
        time(metrics.firstByte, 50),
        time(metrics.firstByte, 99),
        added(50),
        added(99),
      ]
    })
    const costs = arms.map(({ arm, connect, cpu }): TableCell[] => [
      { html: armHtml(arm) },
      print(cpu, { metric: metrics.cpu.id, kind: 'value' }),
      print(
        view.compare(arm.id, cpuMetrics, { load })?.difference,
        { metric: metrics.cpu.id, kind: 'difference' },
        true,
      ),
      print(connect.handshakesPerConnection, { metric: 'connect.handshakesPerConnection', kind: 'value' }),
      print(connect.resumptionsPerConnection, { metric: 'connect.resumptionsPerConnection', kind: 'value' }),
    ])
    const timeColumns = [
      'arm',
      'time to connect p50, ms',
      'first byte p50, ms',
      'first byte p99, ms',
      'added first byte p50, ms',
      'added first byte p99, ms',
    ]
    const costColumns = [
      'arm',
      `CPU, ms per ${thousand} connections`,
      `added CPU, ms per ${thousand} connections`,
      'mutual TLS handshakes per connection',
      'of these, resumed sessions',
    ]
    return {
      text: load.text,
      tables: [
        { label: 'New connections: times', table: { columns: timeColumns, rows: times } },
        { label: 'New connections: cost', table: { columns: costColumns, rows: costs } },
      ],
    }
  })
}

/** One for each load of long transfers: throughput and CPU of every arm, then CPU of every component. */
export function streamTables(view: View, book: FigureBook): TransportTables[] {
  const print = printer(book)
  return loadsOf(view, 'stream').map((load) => {
    const compare = (arm: ArmView, metric: ReadMetric) => view.compare(arm.id, [metric], { load })
    const arms = view.arms.flatMap((arm): TableCell[][] => {
      const { stream } = view.cell(arm.id, load) ?? {}
      if (stream === undefined) return []
      return [
        [
          { html: armHtml(arm) },
          print(stream.throughput, { metric: metrics.transferRate.id, kind: 'value' }),
          print(
            compare(arm, metrics.transferRate)?.ratio,
            { metric: metrics.transferRate.id, kind: 'ratio' },
            false,
            'change',
          ),
          print(stream.cpuPerGib, { metric: metrics.cpuPerGib.id, kind: 'value' }),
          print(
            compare(arm, metrics.cpuPerGib)?.difference,
            { metric: metrics.cpuPerGib.id, kind: 'difference' },
            true,
          ),
        ],
      ]
    })
    const components = view.arms.flatMap((arm) =>
      (view.cell(arm.id, load)?.bill ?? []).flatMap((row): TableCell[][] =>
        row.cpuPerGib === undefined
          ? []
          : [
              [
                arm.label,
                row.component,
                print(row.cpuPerGib, {
                  metric: metrics.cpuPerGib.id,
                  kind: 'value',
                  component: row.component,
                }),
              ],
            ],
      ),
    )
    return {
      text: load.text,
      tables: [
        {
          label: 'Long transfers',
          table: {
            columns: ['arm', 'Gb/s', 'against the baseline', 'CPU, s per GiB', 'added CPU, s per GiB'],
            rows: arms,
          },
        },
        ...(components.length === 0
          ? []
          : [
              {
                label: 'Long transfers by component',
                table: { columns: ['arm', 'component', 'CPU, s per GiB'], rows: components },
              },
            ]),
      ],
    }
  })
}

function loadsOf(view: View, engine: 'connect' | 'stream'): readonly LoadView[] {
  return view.loads.filter(
    (load) =>
      load.load.engine === engine && view.arms.some((arm) => view.cell(arm.id, load)?.[engine] !== undefined),
  )
}

function printer(book: FigureBook) {
  return (
    estimate: Estimate | undefined,
    name: FigureName,
    sign = false,
    style: FigureStyle = 'cell',
  ): TableCell => book.cell(estimate, name, style, sign)
}
