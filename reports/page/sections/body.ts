/** The middle of the page: paths drawn, other loads, cost, and the talk's tables, as data for the templates. */
import * as metrics from '../../../scenarios/metrics.js'
import type { Estimate, Hop, Increment } from '../../../harness/model.js'
import { escapeHtml } from '../clean.js'
import type { Table, TableCell } from '../../charts/chart.js'
import { isResidual } from '../../charts/increments.js'
import { drawPath, pathInWords, type HopFigures } from '../diagram.js'
import type { FigureBook } from '../figures.js'
import { estimateText, fixed, given, number, paceText, thousand, thin } from '../../formats/format.js'
import { cpuMetrics, latencyMetrics, percentiles, type ArmView, type View } from '../view.js'
import { armHtml, type Chip } from './answer.js'
import { functionRows, systemRows, viewColumns } from './talk.js'

export interface PathFigure {
  readonly key: string
  readonly label: string
  readonly colour: string
  readonly summary: string
  readonly wide: string
  readonly narrow: string
  /** Sentence with totals and residual. */
  readonly html: string
}

/** More arms than this are drawn once for each path. */
const mostDrawings = 12

/** A drawing per arm; the baseline's twin looks like the baseline and is left out. */
export function buildPaths(view: View, book: FigureBook): PathFigure[] {
  return view.arms
    .filter((arm) => arm.arm.role !== 'twin')
    .map((arm, _, arms) => {
      // With many arms each path is drawn once; the others keep their sentence.
      const drawn = arms.length <= mostDrawings || arms.find((one) => one.path === arm.path) === arm
      const figures = hopFigures(arm, view)
      const drawing = { path: arm.path, colour: arm.colour, figures, alternative: pathInWords(arm.path) }
      return {
        key: arm.key,
        label: arm.label,
        colour: arm.colour,
        summary: arm.path.summary,
        ...(drawn
          ? { wide: drawPath(drawing, 'wide'), narrow: drawPath(drawing, 'narrow') }
          : { wide: '', narrow: '' }),
        html: arm.arm.role === 'baseline' ? directTime(arm, view, book) : totals(arm, view, book),
      }
    })
}

/**
 * What every hop added: its CPU from its own counters, its time from the increment that brought it onto the path.
 * Hops that came in one step share that step's time, which is printed once, at the first: figures along a path can be added.
 */
function hopFigures(arm: ArmView, view: View): Record<string, HopFigures> {
  const bill = view.cell(arm.id)?.bill ?? []
  const times = new Map<string, string>()
  for (const step of stepsTo(arm, view)) {
    const free = arm.path.hops.filter((hop) => !times.has(hop.name))
    const brought = (['l4', 'l7'] as const).flatMap((layer) => {
      const [from, to] = [step.fromArm, step.toArm].map(
        (id) => view.arm(id).path.hops.filter((hop) => hop.layer === layer).length,
      )
      return free.filter((hop) => hop.layer === layer).slice(0, (to ?? 0) - (from ?? 0))
    })
    const { value } = estimateText(step.latencyP50, { sign: true })
    for (const hop of brought)
      times.set(hop.name, hop === brought[0] ? `${value}${thin}ms${together(brought)}` : 'with the first')
  }
  return Object.fromEntries(
    arm.path.hops.map((hop): [string, HopFigures] => {
      const row = bill.find((one) => one.hop === hop.name)
      const memory = row?.memory === undefined ? '' : `, ${number(row.memory.value)} MiB`
      const cpu = row === undefined ? '' : `${number(row.cpu.value)}${thin}ms CPU`
      return [
        hop.name,
        {
          time: times.get(hop.name) ?? '',
          cpu,
          note: row === undefined ? '' : `per ${thousand} req${memory}`,
        },
      ]
    }),
  )
}

function together(brought: readonly Hop[]): string {
  const [first, second] = brought
  if (second === undefined) return ''
  const layer = brought.every((hop) => hop.layer === first?.layer) ? second.layer.toUpperCase() : 'hops'
  return brought.length === 2 ? `, both ${layer}` : `, all ${brought.length} ${layer}`
}

/** The increments that lead from the baseline to an arm, in order; empty when they do not reach it. */
function stepsTo(arm: ArmView, view: View): Increment[] {
  const steps: Increment[] = []
  let at = arm.id
  while (at !== arm.arm.baseline) {
    const step = view.increments.find((one) => one.toArm === at && !isResidual(one))
    if (step === undefined || steps.includes(step)) return []
    steps.unshift(step)
    at = step.fromArm
  }
  return steps
}

function directTime(arm: ArmView, view: View, book: FigureBook): string {
  const cell = view.cell(arm.id)
  const p50 = (cell?.response ?? cell?.service)?.['50']
  if (p50 === undefined) return ''
  const metric = (cell?.response === undefined ? metrics.serviceTime : metrics.responseTime).id
  return `A direct request takes ${book.print(p50, { metric, percentile: 50, kind: 'value' }, 'sentence')} at the median.`
}

function totals(arm: ArmView, view: View, book: FigureBook): string {
  const time = view.added(arm.id, 'latency', { percentile: 50 })
  const cpu = view.added(arm.id, 'cpu')
  const hops = view.cell(arm.id)?.hopCpu
  const residual = view.increments.find((one) => one.toArm === arm.id && isResidual(one))
  const sentences: string[] = []
  if (time !== undefined) {
    sentences.push(
      `Adds ${book.print(time.estimate, { metric: time.metric, percentile: 50, kind: 'difference' }, 'sentence')} at the median` +
        (cpu === undefined
          ? '.'
          : ` and ${book.print(cpu.estimate, { metric: cpu.metric, kind: 'difference' }, 'sentence')} of CPU per ${thousand} requests.`),
    )
  }
  if (hops !== undefined) {
    sentences.push(
      `Its hops themselves use ${book.print(hops, { metric: 'cpu.hops', kind: 'value' }, 'sentence')}.`,
    )
  }
  if (residual !== undefined) {
    sentences.push(
      `${escapeHtml(residual.title.replace(/^residual:\s*w/i, 'W'))}: ${book.print(residual.latencyP50, { metric: 'increment.latency', percentile: 50, kind: 'difference' }, 'sentence', true)}` +
        ` and ${book.print(residual.cpu, { metric: 'increment.cpu', kind: 'difference' }, 'sentence', true)} of CPU.`,
    )
  }
  return sentences.join(' ')
}

/** Added latency of every load but the leading one, each as a table. */
export function otherLoads(view: View, book: FigureBook): { readonly text: string; readonly table: Table }[] {
  return (
    view.loads
      // New connections and long transfers have tables of their own.
      .filter((load) => load !== view.lead && !['connect', 'stream'].includes(load.load.engine))
      .flatMap((load) => {
        const rows = view.arms
          .filter((arm) => arm.arm.role !== 'baseline')
          .flatMap((arm): TableCell[][] => {
            const found = percentiles.map((percentile) =>
              view.added(arm.id, 'latency', { percentile: Number(percentile), load }),
            )
            const cpu = view.added(arm.id, 'cpu', { load })
            if (cpu === undefined && found.every((one) => one === undefined)) return []
            return [
              [
                { html: armHtml(arm) },
                ...[...found, cpu].map((one) => ({
                  html: book.print(
                    one?.estimate,
                    { metric: one?.metric ?? 'none', percentile: one?.percentile, kind: 'difference' },
                    'cell',
                    true,
                  ),
                })),
              ],
            ]
          })
        if (rows.length === 0) return []
        const columns = [
          'arm',
          ...percentiles.map((percentile) => `added p${percentile}, ms`),
          `added CPU, ms per ${thousand} requests`,
        ]
        return [{ text: `${load.experiment}: ${load.text}`, table: { columns, rows } }]
      })
  )
}

/** What the mesh's part of the bill is worth, at the config's prices. */
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
        { html: book.print(vcpu, { metric: 'cost.vcpuAt1000PerSecond', kind: 'difference' }) },
        { html: book.print(perBillion, { metric: 'cost.perBillionRequests', kind: 'difference' }) },
        { html: book.print(perMonth, { metric: 'cost.memoryPerMonth', kind: 'value' }) },
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

export interface ClaimRow {
  readonly id: string
  readonly claim: string
  readonly chip: Chip
  readonly sentence: string
  readonly figures: readonly { readonly label: string; readonly html: string }[]
  readonly next: string
}

/** Every claim, those without data included: `analyze` says what they would need. */
export function buildClaims(view: View, book: FigureBook): ClaimRow[] {
  return view.analysis.claims.map(({ id, claim, verdict, sentence, figures, next = '' }) => ({
    id,
    claim,
    chip: { kind: verdict.replace(' ', '-'), text: verdict },
    sentence,
    figures: figures.map(({ label, estimate }) => ({
      label,
      html: book.print(
        estimate,
        { metric: `claim.${id}`, kind: estimate.unit === 'ratio' ? 'ratio' : 'difference' },
        'sentence',
      ),
    })),
    next,
  }))
}

/** The measured price of one hop of a layer: mean over the hops of that layer on the leading load. */
function hopPrice(layer: 'l4' | 'l7', view: View, book: FigureBook): string {
  const found = view.subjects.flatMap((arm) =>
    (view.cell(arm.id)?.bill ?? []).filter((row) => row.layer === layer).map((row) => ({ arm, row })),
  )
  if (found.length === 0) return 'not measured in this run'
  const sorted = found.sort((a, b) => a.row.cpu.value - b.row.cpu.value)
  const [least, most] = [sorted[0], sorted.at(-1)]
  const print = (one: (typeof found)[number] | undefined) =>
    one === undefined
      ? ''
      : book.print(
          one.row.cpu,
          { metric: metrics.cpu.id, kind: 'value', component: one.row.component },
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

/** What each function costs by itself: the difference between an arm with it and the same arm without; undefined when none was measured. */
export function functionCostTable(view: View, book: FigureBook): Table | undefined {
  const measured = view.subjects.flatMap((arm) => {
    const variant = view.analysis.config.variants?.find(({ name }) => name === arm.arm.variant)
    const { control } = arm.arm
    return variant?.function === undefined || control === undefined ? [] : [{ arm, control, variant }]
  })
  const rows = measured.flatMap(({ arm, control, variant }): TableCell[][] => {
    const cpu = view.compare(arm.id, cpuMetrics, { versus: control })
    const time = view.compare(arm.id, latencyMetrics, { versus: control, percentile: 50 })
    if (cpu === undefined && time === undefined) return []
    return [
      [
        variant.source,
        { html: armHtml(view.arm(control)) },
        {
          html: book.print(
            cpu?.difference,
            { metric: cpu?.metric ?? 'cpu', kind: 'difference' },
            'cell',
            true,
          ),
        },
        {
          html: book.print(
            time?.difference,
            { metric: time?.metric ?? 'latency', percentile: 50, kind: 'difference' },
            'cell',
            true,
          ),
        },
      ],
    ]
  })
  if (rows.length === 0) return undefined
  return {
    columns: ['function', 'on top of', `added CPU, ms per ${thousand} requests`, 'added p50, ms'],
    rows,
  }
}

export function systemTable(view: View, book: FigureBook): Table {
  return {
    columns: ['system', ...viewColumns, 'measured here'],
    rows: systemRows.map((row) => {
      const measured = row.arms.flatMap(({ mesh, path, note = '' }) =>
        view.subjects
          .filter(({ arm }) => arm.mesh === mesh && arm.path === path)
          .map((arm) => ({ arm, note })),
      )
      const html = measured
        .map(({ arm, note }) => {
          const time = view.compare(arm.id, latencyMetrics, { percentile: 50 })
          const figure = book.print(
            time?.difference,
            { metric: time?.metric ?? 'latency', percentile: 50, kind: 'difference' },
            'sentence',
            true,
          )
          return `${armHtml(arm)}${escapeHtml(note)} ${figure}`
        })
        .join('<br>')
      return [
        row.system,
        ...row.views,
        { html: html === '' ? '<span class="none">no arm in this run</span>' : html },
      ]
    }),
  }
}

/** `at 1 000 requests per second`, or nothing. */
export function leadText(view: View): string {
  return view.lead === undefined ? '' : `at ${paceText(view.lead.load)}`
}

/** `12 of 12`. */
export function share(done: number, planned: number): string {
  return `${fixed(done, 0)} of ${fixed(planned, 0)}`
}
