/** The paths drawn, with what every hop adds, as data for the template. */
import * as metrics from '../../../scenarios/metrics.js'
import type { Hop, Increment } from '../../../harness/model.js'
import { isResidual } from '../../charts/latency/increments.js'
import { estimateText, number, thin, thousand } from '../../formats/format.js'
import { escapeHtml } from '../clean.js'
import { drawPath, pathInWords, type HopFigures } from '../drawings/diagram.js'
import type { FigureBook } from '../figures.js'
import type { ArmView, View } from '../view.js'

export type PathFigure = ReturnType<typeof buildPaths>[number]

/** More arms than this are drawn once for each path. */
const mostDrawings = 12

/** A drawing per arm; the baseline's twin looks like the baseline and is left out. */
export function buildPaths(view: View, book: FigureBook) {
  return view.arms
    .filter((arm) => arm.arm.role !== 'twin')
    .map((arm, _, arms) => {
      // With many arms each path is drawn once; the others keep their sentence.
      const drawn = arms.length <= mostDrawings || arms.find(({ path }) => path === arm.path) === arm
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
      const row = bill.find(({ hop: name }) => name === hop.name)
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
    const step = view.increments.find((increment) => increment.toArm === at && !isResidual(increment))
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
  const residual = view.increments.find((increment) => increment.toArm === arm.id && isResidual(increment))
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
