/** What new connections and long transfers cost, for reports of runs that measured them: as tables of figures. */
import type { Estimate } from '../../harness/model.js'
import type { Table, TableCell } from '../charts/chart.js'
import type { FigureBook, FigureName, FigureStyle } from '../figures.js'
import { thousand } from '../format.js'
import { cpuMetrics, type ArmView, type LoadView, type View } from '../view.js'
import { armHtml } from './answer.js'

export interface TransportTables {
  readonly text: string
  readonly tables: readonly { readonly label: string; readonly table: Table }[]
}

/** One for each load under which every request opened a connection. */
export function connectTables(view: View, book: FigureBook): TransportTables[] {
  const print = printer(book)
  return loadsOf(view, 'connect').map((load) => {
    const rows = view.arms.flatMap((arm): TableCell[][] => {
      const { connect, cpu } = view.cell(arm.id, load) ?? {}
      if (connect === undefined) return []
      const time = (metric: 'connect.time' | 'connect.firstByte', percentile: '50' | '99') =>
        print(connect[metric === 'connect.time' ? 'time' : 'firstByte'][percentile], {
          metric,
          percentile,
          kind: 'value',
        })
      const added = (percentile: number) =>
        print(
          view.compare(arm.id, ['connect.firstByte'], { percentile, load })?.difference,
          { metric: 'connect.firstByte', percentile, kind: 'difference' },
          true,
        )
      return [
        [
          { html: armHtml(arm) },
          time('connect.time', '50'),
          time('connect.time', '99'),
          time('connect.firstByte', '50'),
          time('connect.firstByte', '99'),
          added(50),
          added(99),
          print(cpu, { metric: 'cpu.per1000Requests', kind: 'value' }),
          print(
            view.compare(arm.id, cpuMetrics, { load })?.difference,
            { metric: 'cpu.per1000Requests', kind: 'difference' },
            true,
          ),
          print(connect.handshakesPerConnection, {
            metric: 'connect.handshakesPerConnection',
            kind: 'value',
          }),
        ],
      ]
    })
    const columns = [
      'arm',
      'time to connect p50, ms',
      'time to connect p99, ms',
      'first byte p50, ms',
      'first byte p99, ms',
      'added first byte p50, ms',
      'added first byte p99, ms',
      `CPU, ms per ${thousand} connections`,
      `added CPU, ms per ${thousand} connections`,
      'mutual TLS handshakes per connection',
    ]
    return { text: load.text, tables: [{ label: 'New connections', table: { columns, rows } }] }
  })
}

/** One for each load of long transfers: throughput and CPU of every arm, then CPU of every component. */
export function streamTables(view: View, book: FigureBook): TransportTables[] {
  const print = printer(book)
  return loadsOf(view, 'stream').map((load) => {
    const compare = (arm: ArmView, metric: 'stream.throughput' | 'cpu.perGib') =>
      view.compare(arm.id, [metric], { load })
    const arms = view.arms.flatMap((arm): TableCell[][] => {
      const { stream } = view.cell(arm.id, load) ?? {}
      if (stream === undefined) return []
      return [
        [
          { html: armHtml(arm) },
          print(stream.throughput, { metric: 'stream.throughput', kind: 'value' }),
          print(
            compare(arm, 'stream.throughput')?.ratio,
            { metric: 'stream.throughput', kind: 'ratio' },
            false,
            'change',
          ),
          print(stream.cpuPerGib, { metric: 'cpu.perGib', kind: 'value' }),
          print(compare(arm, 'cpu.perGib')?.difference, { metric: 'cpu.perGib', kind: 'difference' }, true),
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
                print(row.cpuPerGib, { metric: 'cpu.perGib', kind: 'value', component: row.component }),
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
  ): TableCell => ({ html: book.print(estimate, name, style, sign) })
}
