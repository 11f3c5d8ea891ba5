/** What functions of a mesh cost: by the layer that does them, and each by itself where it was measured. */
import { pricedBy } from '../../../harness/model/variants.js'
import * as metrics from '../../../scenarios/metrics.js'
import type { Comparison, Variant } from '../../../harness/model.js'
import { rowName } from '../../charts/resources/cpu-bill.js'
import type { Table, TableCell } from '../../charts/chart.js'
import { thousand } from '../../formats/format.js'
import { escapeHtml } from '../clean.js'
import { armHtml, type FigureBook } from '../figures.js'
import { addedOf, cpuMetrics, latencyMetrics, type ArmView, type View } from '../view.js'
import { functionRows } from './talk.js'

/** The measured price of one hop of a layer: mean over the hops of that layer on the leading load. */
function hopPrice(layer: 'l4' | 'l7', view: View, book: FigureBook): string {
  const found = view.subjects.flatMap((arm) =>
    (view.cell(arm.id)?.bill ?? []).filter((row) => row.layer === layer).map((row) => ({ arm, row })),
  )
  if (found.length === 0) return 'not measured in this run'
  const sorted = found.sort((a, b) => a.row.cpu.value - b.row.cpu.value)
  const [least, most] = [sorted[0], sorted.at(-1)]
  const print = (hop: (typeof found)[number] | undefined) =>
    hop === undefined
      ? ''
      : book.print(
          hop.row.cpu,
          { metric: metrics.cpu.id, kind: 'value', component: hop.row.component },
          'sentence',
        )
  return least === most ? print(least) : `${print(least)} to ${print(most)} per hop`
}

export function functionTable(view: View, book: FigureBook): Table {
  const price = {
    l4: hopPrice('l4', view, book),
    l7: hopPrice('l7', view, book),
    none: 'not measured in this run',
  }
  return {
    columns: [
      'function',
      'layer',
      'where',
      `measured CPU per ${thousand} requests of the layer that does it`,
    ],
    rows: functionRows.map((row) => [row.name, row.layer, row.where, { html: price[row.cost] }]),
  }
}

/** The layer of the hops whose settings a function changes; what protects connections is L4, whatever hops they join. */
const layerOf = (settings: Readonly<Record<string, unknown>>) =>
  'proxy' in settings ? 'L7' : 'policy' in settings ? 'L3 and L4' : 'L4'

/** Hops are processes; a policy is rules of the kernel. Of a mesh that does not do it on each hop, where it does. */
const whereOf = (settings: Readonly<Record<string, unknown>>, place: string | undefined) =>
  'policy' in settings ? 'kernel' : place === undefined ? 'user space' : `user space: ${place}`

const calledRows = (view: View, arm: string) =>
  (view.cell(arm)?.bill ?? []).filter(({ category }) => category === 'called-service')

/** What the service that an arm's function calls used of the CPU, which the added CPU leaves out; `–`: it calls none. */
function calledText(view: View, book: FigureBook, arm: string): string {
  const texts = calledRows(view, arm).map((row) => {
    const { component } = row
    const cpu = book.print(row.cpu, { metric: metrics.cpu.id, kind: 'value', component })
    return `${escapeHtml(rowName(row))}: ${cpu}`
  })
  return texts.length === 0 ? '–' : texts.join(', ')
}

/** An arm with one function more than another, and what that adds. */
export interface PricedFunction {
  readonly arm: ArmView
  readonly control: ArmView
  readonly variant: Variant
  readonly cpu: Comparison | undefined
  /** At the median. */
  readonly time: Comparison | undefined
}

/** Functions of which a price was measured, by what they add in CPU, the dearest first. */
export function pricedFunctions(view: View): readonly PricedFunction[] {
  return view.subjects
    .flatMap((arm): PricedFunction[] => {
      const variant = pricedBy(view.analysis.config, arm.arm)
      const { control } = arm.arm
      if (variant === undefined || control === undefined) return []
      const cpu = view.compare(arm.id, cpuMetrics, { versus: control })
      const time = view.compare(arm.id, latencyMetrics, { versus: control, percentile: 50 })
      return cpu || time ? [{ arm, control: view.arm(control), variant, cpu, time }] : []
    })
    .sort((a, b) => (b.cpu?.difference.value ?? 0) - (a.cpu?.difference.value ?? 0))
}

/** What each function costs by itself: the difference between an arm with it and the same arm without; undefined when none was measured. */
export function functionCostTable(view: View, book: FigureBook): Table | undefined {
  const priced = pricedFunctions(view)
  const calls = priced.some(({ arm }) => calledRows(view, arm.id).length > 0)
  const rows = priced.map(({ arm, control, variant, cpu, time }): TableCell[] => [
    variant.source,
    layerOf(variant.settings),
    whereOf(variant.settings, arm.arm.place),
    { html: armHtml(control) },
    book.added(addedOf(cpu)),
    book.added(addedOf(time)),
    ...(calls ? [{ html: calledText(view, book, arm.id) }] : []),
  ])
  if (rows.length === 0) return undefined
  return {
    columns: [
      'function',
      'layer',
      'where',
      'on top of',
      `added CPU, ms per ${thousand} requests`,
      'added p50, ms',
      ...(calls ? ['the service that it calls, CPU beside'] : []),
    ],
    rows,
  }
}
