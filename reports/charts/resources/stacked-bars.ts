/** One bar per arm, made of segments that start at zero: the form that both bills (CPU, memory) share. */
import type { Estimate } from '../../../harness/model.js'
import { estimateText, number } from '../../formats/format.js'
import { describe } from '../../page/svg.js'
import { ink, type Size } from '../../page/theme.js'
import type { ArmView } from '../../page/view.js'
import { armAxis, datum, figureMark, spanMark, tip, valueAxis } from '../marks.js'

export interface Segment {
  readonly arm: ArmView
  readonly name: string
  readonly value: number
  /** CSS colour or pattern. */
  readonly fill: string
  readonly opacity: number
  readonly tip: string
  /** Labels inside segments are paper on dark fills and ink on light ones. */
  readonly labelled: boolean
}

export interface Bars {
  readonly arms: readonly ArmView[]
  readonly segments: readonly Segment[]
  /** Whiskers and printed figures at the bars' ends. */
  readonly totals: readonly { readonly arm: ArmView; readonly estimate: Estimate; readonly text?: string }[]
  readonly axisTitle: string
}

export function stackedBars(bars: Bars, size: Size): object {
  const {
    plotWidth: width,
    rowHeight,
    y: rows,
  } = armAxis(
    bars.arms.map(({ label }) => ({ arm: label })),
    size,
    [24, 38],
  )
  const segments = stack(bars.segments)
  const totals = bars.totals.map((total) => totalRow(total, segments))
  const longest = Math.max(...segments.map(({ to }) => to), ...totals.map(({ high }) => high), 1e-9)
  const domain: [number, number] = [0, (longest * width) / Math.max(60, width - roomForTotals)]
  const hasRoom = ({ name, from, to }: Stacked) => ((to - from) / domain[1]) * width > name.length * 6.2 + 8
  const y = { ...rows, scale: { domain: rows.sort, paddingInner: 0.32, paddingOuter: 0.16 } }
  const x = valueAxis(domain, { title: bars.axisTitle, tickCount: size === 'wide' ? 8 : 4 }, 'from')
  // Whiskers run below the names inside the bars: across them they would read as struck out.
  const [nameShift, whiskerShift] = rowHeight.step > 30 ? [-3, 8] : [-2, 5]
  return {
    width,
    height: rowHeight,
    data: { values: segments },
    layer: [
      {
        mark: { type: 'bar', stroke: 'var(--paper)', strokeWidth: 1.5 },
        encoding: {
          x,
          x2: { field: 'to' },
          y,
          fill: { field: 'fill', type: 'nominal', scale: null },
          fillOpacity: { field: 'opacity', type: 'quantitative', scale: null },
          description: tip,
        },
      },
      {
        data: { values: segments.filter((segment) => segment.labelled && hasRoom(segment)) },
        mark: { type: 'text', fontSize: 11, fill: ink, dy: nameShift },
        encoding: { x: { ...x, field: 'middle' }, y, text: { field: 'name' } },
      },
      {
        data: { values: totals },
        layer: [spanMark(x, y, { stroke: ink, yOffset: whiskerShift }), figureMark(x, y, 'at')],
      },
    ],
  }
}

/** Room in px for the figures at the bars' ends. */
const roomForTotals = 76

type Stacked = ReturnType<typeof stack>[number]

/** Each segment begins where the arm's last one ended. */
function stack(segments: readonly Segment[]) {
  const ends = new Map<ArmView, number>()
  return segments.map(({ arm, value, tip, ...segment }) => {
    const from = ends.get(arm) ?? 0
    const to = from + Math.max(0, value)
    ends.set(arm, to)
    return { ...segment, arm: arm.label, from, to, middle: (from + to) / 2, tip: describe(arm.key, tip) }
  })
}

function totalRow({ arm, estimate, text }: Bars['totals'][number], segments: readonly Stacked[]) {
  const ends = segments.filter((segment) => segment.arm === arm.label).map(({ to }) => to)
  const drawn = datum(arm, estimate, `${arm.label}: ${number(estimate.value)}`)
  return { ...drawn, text: text ?? estimateText(estimate).value, at: Math.max(drawn.high, ...ends) }
}
