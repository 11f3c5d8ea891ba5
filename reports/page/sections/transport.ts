/** What new connections and long transfers cost, for reports of runs that measured them: as tables of figures, and as text. */
import * as metrics from '../../../scenarios/metrics.js'
import { figureOf } from '../../../scenarios/registry.js'
import type { CellAnalysis, Comparison, Estimate, Metric, ReadMetric } from '../../../harness/model.js'
import type { Table, TableCell } from '../../charts/chart.js'
import { armHtml, type FigureBook, type FigureName, type FigureStyle } from '../figures.js'
import { thousand } from '../../formats/format.js'
import { cpuMetrics, type ArmView, type LoadView, type View } from '../view.js'

export type TransportTables = ReturnType<typeof streamTables>[number]

/** One figure of every arm. */
interface Column {
  readonly title: string
  /** Its heading where there is less room; without one it is told on the page alone. */
  readonly brief?: string
  readonly name: FigureName
  readonly style?: FigureStyle
  /** `against`: the arm's comparison with its baseline under the same load. */
  of(
    cell: CellAnalysis,
    against: (metrics: readonly Metric[], percentile?: number) => Comparison | undefined,
  ): Estimate | undefined
}

const timed = (metric: ReadMetric, percentile: number, title: string, brief = title): Column => ({
  title: `${title} p${percentile}, ms`,
  brief: `${brief} p${percentile}, ms`,
  name: { metric: metric.id, percentile, kind: 'value' },
  of: (cell) => figureOf(cell, metric, percentile),
})

const addedFirstByte = (percentile: number): Column => ({
  title: `added first byte p${percentile}, ms`,
  name: { metric: metrics.firstByte.id, percentile, kind: 'difference' },
  of: (_, against) => against([metrics.firstByte], percentile)?.difference,
})

const connectTimes: readonly Column[] = [
  timed(metrics.connectTime, 50, 'time to connect', 'connect'),
  timed(metrics.firstByte, 50, 'first byte'),
  timed(metrics.firstByte, 99, 'first byte'),
  { ...addedFirstByte(50), brief: 'added first byte p50, ms' },
  addedFirstByte(99),
]

const connectCosts: readonly Column[] = [
  {
    title: `CPU, ms per ${thousand} connections`,
    brief: `CPU / ${thousand} connections, ms`,
    name: { metric: metrics.cpu.id, kind: 'value' },
    of: ({ cpu }) => cpu,
  },
  {
    title: `added CPU, ms per ${thousand} connections`,
    name: { metric: metrics.cpu.id, kind: 'difference' },
    of: (_, against) => against(cpuMetrics)?.difference,
  },
  {
    title: 'mutual TLS handshakes per connection',
    brief: 'handshakes / connection',
    name: { metric: 'connect.handshakesPerConnection', kind: 'value' },
    of: ({ connect }) => connect?.handshakesPerConnection,
  },
  {
    title: 'of these, resumed sessions',
    name: { metric: 'connect.resumptionsPerConnection', kind: 'value' },
    of: ({ connect }) => connect?.resumptionsPerConnection,
  },
]

const streamColumns: readonly Column[] = [
  {
    title: 'Gb/s',
    brief: 'Gb/s',
    name: { metric: metrics.transferRate.id, kind: 'value' },
    of: ({ stream }) => stream?.throughput,
  },
  {
    title: 'against the baseline',
    name: { metric: metrics.transferRate.id, kind: 'ratio' },
    style: 'change',
    of: (_, against) => against([metrics.transferRate])?.ratio,
  },
  {
    title: 'CPU, s per GiB',
    brief: 'CPU, s per GiB',
    name: { metric: metrics.cpuPerGib.id, kind: 'value' },
    of: ({ stream }) => stream?.cpuPerGib,
  },
  {
    title: 'added CPU, s per GiB',
    brief: 'added CPU, s per GiB',
    name: { metric: metrics.cpuPerGib.id, kind: 'difference' },
    of: (_, against) => against([metrics.cpuPerGib])?.difference,
  },
]

/** Two for each load under which every request opened a connection: how long it takes, and what it costs. */
export function connectTables(view: View, book: FigureBook): TransportTables[] {
  return loadsOf(view, 'connect').map((load) => ({
    text: load.text,
    tables: [
      { label: 'New connections: times', table: tableOf(connectTimes, load, view, book) },
      { label: 'New connections: cost', table: tableOf(connectCosts, load, view, book) },
    ],
  }))
}

/** One for each load of long transfers: throughput and CPU of every arm, then CPU of every component. */
export function streamTables(view: View, book: FigureBook) {
  return loadsOf(view, 'stream').map((load) => {
    const transfers = { label: 'Long transfers', table: tableOf(streamColumns, load, view, book) }
    const rows = view.arms.flatMap((arm) =>
      (view.cell(arm.id, load)?.bill ?? []).flatMap(({ component, cpuPerGib }): TableCell[][] => {
        const name = { metric: metrics.cpuPerGib.id, kind: 'value', component } as const
        return cpuPerGib === undefined ? [] : [[arm.label, component, book.cell(cpuPerGib, name)]]
      }),
    )
    const components = { columns: ['arm', 'component', 'CPU, s per GiB'], rows }
    return {
      text: load.text,
      tables: [
        transfers,
        ...(rows.length === 0 ? [] : [{ label: 'Long transfers by component', table: components }]),
      ],
    }
  })
}

/** How an estimate is printed; a difference is printed with its sign. */
type Print = (estimate: Estimate | undefined, sign: boolean) => string

/** As text, for a terminal and for Markdown, where there is less room: a table for each load of new connections or of long transfers. */
export function transportRows(view: View, print: Print) {
  const columns = { connect: [...connectTimes, ...connectCosts], stream: streamColumns }
  return (['connect', 'stream'] as const).flatMap((engine) =>
    loadsOf(view, engine).map((load) => {
      const shown = columns[engine].filter(({ brief }) => brief !== undefined)
      const rows = rowsOf(shown, load, view, ({ name }, estimate) =>
        print(estimate, name.kind === 'difference'),
      )
      return {
        /** `connect: 200 new connections/s, …`. */
        title: `${load.experiment}: ${load.text}`,
        columns: ['arm', ...shown.map(({ brief }) => brief ?? '')],
        rows: rows.map(({ arm, cells }) => [arm.label, ...cells]),
      }
    }),
  )
}

function tableOf(columns: readonly Column[], load: LoadView, view: View, book: FigureBook): Table {
  const rows = rowsOf(columns, load, view, ({ name, style }, estimate) =>
    book.cell(estimate, name, style, name.kind === 'difference'),
  )
  return {
    columns: ['arm', ...columns.map(({ title }) => title)],
    rows: rows.map(({ arm, cells }) => [{ html: armHtml(arm) }, ...cells]),
  }
}

/** Arms that were measured with the load's engine, with a cell for each column. */
function rowsOf<Cell>(
  columns: readonly Column[],
  load: LoadView,
  view: View,
  print: (column: Column, estimate: Estimate | undefined) => Cell,
): { readonly arm: ArmView; readonly cells: readonly Cell[] }[] {
  return view.arms.flatMap((arm) => {
    const cell = view.cell(arm.id, load)
    if (cell?.[load.load.engine as 'connect' | 'stream'] === undefined) return []
    const against = (compared: readonly Metric[], percentile?: number) =>
      view.compare(arm.id, compared, { percentile, load })
    return [{ arm, cells: columns.map((column) => print(column, column.of(cell, against))) }]
  })
}

function loadsOf(view: View, engine: 'connect' | 'stream'): readonly LoadView[] {
  return view.loads.filter(
    (load) =>
      load.load.engine === engine && view.arms.some((arm) => view.cell(arm.id, load)?.[engine] !== undefined),
  )
}
