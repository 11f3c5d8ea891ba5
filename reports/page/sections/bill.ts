/** The bill in full: what every component on the path of every arm used, and how that was read. */
import { cpu, memory } from '../../../scenarios/metrics.js'
import type { BillRow } from '../../../harness/model.js'
import type { Table } from '../../charts/chart.js'
import type { FigureBook } from '../figures.js'
import { fixed, thousand } from '../../formats/format.js'
import type { View } from '../view.js'

/** Within the rows of whoever was interrupted; the kernel tells it of the host alone. */
const kernelParts = {
  softirq: { title: 'soft interrupts of the kernel', source: 'the host’s ticks of 10 ms' },
  ksoftirqd: { title: 'the kernel’s threads for them', source: 'schedstat of ksoftirqd' },
}

/** Undefined when the leading load has no bill. */
export function billTable(
  view: View,
  book: FigureBook,
): { readonly note: string; readonly table: Table } | undefined {
  const arms = view.arms.flatMap((arm) => {
    const cell = view.cell(arm.id)
    return cell && cell.bill.length > 0 ? [{ arm, cell }] : []
  })
  if (arms.length === 0) return undefined
  const print = (row: BillRow, estimate: BillRow['memory'], metric: string) =>
    book.cell(estimate, { metric, kind: 'value', component: row.component })
  const rows = arms.flatMap(({ arm, cell }) => [
    ...cell.bill.map((row) => [
      arm.label,
      row.component,
      print(row, row.cpu, cpu.id),
      row.cpuUserShare === undefined ? '–' : `${fixed(row.cpuUserShare * 100, 0)} %`,
      print(row, row.contextSwitches, 'contextSwitches.per1000Requests'),
      print(row, row.readSyscalls, 'readSyscalls.per1000Requests'),
      print(row, row.writeSyscalls, 'writeSyscalls.per1000Requests'),
      print(row, row.memory, memory.id),
      print(row, row.memoryPss, 'memory.pss'),
      print(row, row.memoryPeak, 'memory.peak'),
      row.source === undefined ? '–' : `${row.source}, ${stepText(row.resolutionNs ?? 0)}`,
    ]),
    ...(cell.kernel ?? []).map(({ part, cpu: estimate }) => [
      arm.label,
      `of these: ${kernelParts[part].title}`,
      book.cell(estimate, { metric: cpu.id, kind: 'value', component: part }),
      ...Array.from({ length: 7 }, () => '–'),
      kernelParts[part].source,
    ]),
  ])
  const shares = arms.flatMap(({ cell }) => cell.unaccountedShare ?? [])
  const gaps = arms.flatMap(({ cell }) => Math.abs(cell.billGapShare ?? 0))
  const percent = (share: number) => `${fixed(share * 100, 1)} %`
  const calls = arms.some(({ cell }) => cell.bill.some(({ readSyscalls }) => readSyscalls !== undefined))
  const notes = [
    ...(shares.length > 0
      ? [
          `Components, generator and Meshbench leave ${percent(Math.min(...shares))} to ${percent(Math.max(...shares))} of the host’s CPU unaccounted; with that row the bill adds up to the host’s total within ${percent(Math.max(0, ...gaps))}.`,
        ]
      : []),
    ...(calls
      ? [
          'Read and write calls are the system calls of the families of read(2) and write(2), as proc_pid_io(5) counts them; recv, send and epoll are not among them.',
        ]
      : []),
  ]
  return {
    note: notes.join(' '),
    table: {
      columns: [
        'arm',
        'component',
        `CPU, ms per ${thousand} requests`,
        'user',
        `context switches per ${thousand} requests`,
        `read calls per ${thousand} requests`,
        `write calls per ${thousand} requests`,
        'RSS, MiB',
        'PSS, MiB',
        'peak RSS, MiB',
        'read from, in steps of',
      ],
      rows,
    },
  }
}

function stepText(ns: number): string {
  return ns >= 1e6
    ? `${fixed(ns / 1e6, 0)} ms`
    : ns >= 1e3
      ? `${fixed(ns / 1e3, 0)} µs`
      : `${fixed(ns, 0)} ns`
}
