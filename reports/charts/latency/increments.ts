/** Answers "where on the path?": what each step between two paths adds, in time and in CPU, from zero. */
import type { Estimate, Increment } from '../../../harness/model.js'
import { estimateText, roundsText, sentence, shorten, thin, thousand } from '../../formats/format.js'
import { figureWidth, hatch, ink, muted, type Size } from '../../page/theme.js'
import type { View } from '../../page/view.js'
import type { Chart, ChartBuilder } from '../chart.js'
import { domainWithZero } from '../layout.js'
import { byColour, datum, figureMark, spanMark, tip, valueAxis } from '../marks.js'

export const increments: ChartBuilder = (view, book): Chart | undefined => {
  const all = view.increments
  if (all.length === 0) return undefined
  const steps = all.filter((increment) => !isResidual(increment))
  // A step is called the dearest when its whole interval lies above those of all others.
  const dearest = steps.find((step) =>
    steps.every((other) => other === step || step.cpu.low > Math.max(0, other.cpu.high)),
  )
  return {
    title:
      dearest === undefined || steps.length < 2
        ? 'What each step between two paths adds, in time and in CPU'
        : `${estimateText(dearest.cpu, { sign: true }).value}${thin}ms of CPU per ${thousand} requests: the dearest step is ${dearest.title}`,
    caption: `Paired differences between two arms that differ by that step, with 95 % intervals, ${roundsText(all.map(({ latencyP50 }) => latencyP50))}. Time is the median response time.${notesOf(all)}`,
    alternative: all
      .map(({ title, latencyP50, cpu }) => `${title}: ${sentence(latencyP50)}, ${sentence(cpu)} CPU`)
      .join('; '),
    table: {
      columns: ['step', 'from', 'to', 'added at p50, ms', `added CPU, ms per ${thousand} requests`],
      rows: all.map((increment) => [
        increment.title,
        view.arm(increment.fromArm).label,
        view.arm(increment.toArm).label,
        book.added({ metric: 'increment.latency', percentile: 50, estimate: increment.latencyP50 }),
        book.added({ metric: 'increment.cpu', estimate: increment.cpu }),
      ]),
    },
    spec: (size) => build(all, size, view),
  }
}

const notesOf = (all: readonly Increment[]) =>
  [...new Set(all.flatMap(({ note }) => note ?? []))].map((note) => ` ${note}`).join('')

/** Whether an increment is what the steps leave over, by the analysis' own naming. */
export function isResidual({ title }: Increment): boolean {
  return /^residual\b/i.test(title)
}

function build(all: readonly Increment[], size: Size, view: View): object {
  const columns = size === 'wide' ? 2 : 1
  const width = (figureWidth[size] - 30 * columns) / columns
  const names = all.map((increment) => twoLines(nameOf(increment, all, view), Math.floor(width / 6.6)))
  const panels = [
    {
      ...panel(all, view, ({ latencyP50 }) => latencyP50, 'ms added', width, names),
      title: { text: 'time at the median' },
    },
    {
      ...panel(all, view, ({ cpu }) => cpu, `ms per ${thousand} requests`, width, columns === 1 ? names : []),
      title: { text: 'CPU' },
    },
  ]
  return { data: { values: [] }, concat: panels, columns, spacing: 24 }
}

/** Bars from zero, a row a step, with `names` above them where there are any. */
function panel(
  all: readonly Increment[],
  view: View,
  pick: (increment: Increment) => Estimate,
  axis: string,
  width: number,
  names: readonly (readonly string[])[],
) {
  const values = all.map((increment, row) => {
    const estimate = pick(increment)
    const arm = view.arm(increment.toArm)
    return {
      row,
      // Two marks of one line each: how a block of lines is placed differs between renderers.
      upper: names[row]?.length === 2 ? names[row][0] : '',
      lower: names[row]?.at(-1) ?? '',
      from: row - 0.16,
      to: row + 0.16,
      zero: 0,
      ...datum(arm, estimate, `${increment.title}: ${sentence(estimate, { sign: true })}`),
      ...(isResidual(increment) ? { colour: hatch } : {}),
      text: estimateText(estimate, { sign: true }).value,
    }
  })
  const domain = domainWithZero(values, 56 / Math.max(80, width - 56))
  const y = { ...valueAxis([all.length - 0.35, -0.65], {}, 'row'), axis: null }
  const x = valueAxis(domain, { title: axis, tickCount: 5 })
  return {
    width,
    height: 58 * all.length,
    data: { values },
    layer: [
      {
        mark: { type: 'rule', strokeWidth: 14, opacity: 0.78 },
        encoding: {
          x: { ...x, field: 'zero' },
          x2: { field: 'value' },
          y,
          stroke: byColour,
          description: tip,
        },
      },
      spanMark(x, y, { stroke: ink }),
      figureMark(x, y),
      ...(names.length === 0 ? [] : [nameMark(y, 'upper', -25), nameMark(y, 'lower', -11)]),
      {
        mark: { type: 'rule', stroke: muted },
        encoding: { x: { ...x, field: 'zero' }, y: { ...y, field: 'from' }, y2: { field: 'to' } },
      },
    ],
  }
}

function nameMark(y: object, field: 'upper' | 'lower', dy: number): object {
  return {
    mark: { type: 'text', align: 'left', baseline: 'bottom', dy, fontSize: 12, fill: muted },
    encoding: { x: { value: 2 }, y, text: { field } },
  }
}

/** Breaks a title once, near its middle, when it is longer than a line. */
function twoLines(title: string, most: number): string[] {
  if (title.length <= most) return [title]
  const at = title.lastIndexOf(' ', most)
  return at < 1 ? [title.slice(0, most)] : [title.slice(0, at), shorten(title.slice(at + 1), most)]
}

/** The step's title, with the mesh when several meshes have the same step. */
function nameOf(increment: Increment, all: readonly Increment[], view: View): string {
  if (all.filter((other) => other.title === increment.title).length === 1) return increment.title
  return `${view.arm(increment.toArm).arm.mesh}: ${increment.title}`
}
