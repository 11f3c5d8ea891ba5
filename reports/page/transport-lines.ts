/** New connections and long transfers as rows of text, for the terminal and for Markdown. */
import * as metrics from '../../scenarios/metrics.js'
import type { Estimate } from '../../harness/model.js'
import { thousand } from '../formats/format.js'
import type { LoadView, View } from './view.js'

export interface TransportRows {
  /** `connect: 200 new connections/s, …`. */
  readonly title: string
  readonly columns: readonly string[]
  readonly rows: readonly (readonly string[])[]
}

/** How an estimate is printed; a difference is printed with its sign. */
type Print = (estimate: Estimate | undefined, sign?: boolean) => string

/** One table for each load of new connections, then one for each of long transfers; none where none was measured. */
export function transportRows(view: View, print: Print): TransportRows[] {
  return view.loads.flatMap((load): TransportRows[] => {
    const table =
      load.load.engine === 'connect' ? connectRows : load.load.engine === 'stream' ? streamRows : undefined
    const made = table?.(view, load, print)
    return made && made.rows.length > 0 ? [made] : []
  })
}

function connectRows(view: View, load: LoadView, print: Print): TransportRows {
  return {
    title: `${load.experiment}: ${load.text}`,
    columns: [
      'arm',
      'connect p50, ms',
      'first byte p50, ms',
      'first byte p99, ms',
      'added first byte p50, ms',
      `CPU / ${thousand} connections, ms`,
      'handshakes / connection',
    ],
    rows: view.arms.flatMap((arm) => {
      const { connect, cpu } = view.cell(arm.id, load) ?? {}
      if (connect === undefined) return []
      const added = view.compare(arm.id, [metrics.firstByte], { percentile: 50, load })
      return [
        [
          arm.label,
          print(connect.time['50']),
          print(connect.firstByte['50']),
          print(connect.firstByte['99']),
          print(added?.difference, true),
          print(cpu),
          print(connect.handshakesPerConnection),
        ],
      ]
    }),
  }
}

function streamRows(view: View, load: LoadView, print: Print): TransportRows {
  return {
    title: `${load.experiment}: ${load.text}`,
    columns: ['arm', 'Gb/s', 'CPU, s per GiB', 'added CPU, s per GiB'],
    rows: view.arms.flatMap((arm) => {
      const { stream } = view.cell(arm.id, load) ?? {}
      if (stream === undefined) return []
      const added = view.compare(arm.id, [metrics.cpuPerGib], { load })
      return [[arm.label, print(stream.throughput), print(stream.cpuPerGib), print(added?.difference, true)]]
    }),
  }
}
