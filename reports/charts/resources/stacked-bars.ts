/** One bar per arm, made of segments that start at zero: the form that both bills (CPU, memory) share. */
import type { TopLevelSpec } from 'vega-lite'
import type { Estimate } from '../../../harness/model.js'
import { estimateText, number } from '../../formats/format.js'
import { describe } from '../../page/svg.js'
import { ink, type Size } from '../../page/theme.js'
import type { ArmView } from '../../page/view.js'
import { armAxis, figureMark, spanMark, tip, valueAxis } from '../marks.js'

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

export function stackedBars(bars: Bars, size: Size): TopLevelSpec {
  const labels = bars.arms.map((arm) => arm.label)
  const { plotWidth: width, rowHeight, y: rows } = armAxis(labels, size, [24, 38])
  const ends = endsOf(bars.segments)
  const longest = Math.max(...ends.values(), ...bars.totals.map(({ estimate }) => estimate.high), 1e-9)
  const domain: [number, number] = [0, (longest * width) / Math.max(60, width - roomForTotals)]
  const y = { ...rows, scale: { domain: labels, paddingInner: 0.32, paddingOuter: 0.16 } }
  const x = valueAxis(domain, { title: bars.axisTitle, tickCount: size === 'wide' ? 8 : 4 }, 'from')
  // Whiskers run below the names inside the bars: across them they would read as struck out.
  const [nameShift, whiskerShift] = rowHeight.step > 30 ? [-3, 8] : [-2, 5]
  return {
    width,
    height: rowHeight,
    data: { values: segmentRows(bars.segments, (value) => (value / domain[1]) * width) },
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
        transform: [{ filter: "datum.label !== ''" }],
        mark: { type: 'text', fontSize: 11, fill: ink, dy: nameShift },
        encoding: { x: { ...x, field: 'middle' }, y, text: { field: 'label' } },
      },
      {
        data: { values: bars.totals.map((total) => totalRow(total, ends.get(total.arm) ?? 0)) },
        layer: [spanMark(x, y, { stroke: ink, yOffset: whiskerShift }), figureMark(x, y, 'at')],
      },
    ],
  } as unknown as TopLevelSpec
}

/** Room in px for the figures at the bars' ends. */
const roomForTotals = 76

/** Where each arm's bar ends. */
function endsOf(segments: readonly Segment[]): ReadonlyMap<ArmView, number> {
  const ends = new Map<ArmView, number>()
  for (const { arm, value } of segments) ends.set(arm, (ends.get(arm) ?? 0) + Math.max(0, value))
  return ends
}

function segmentRows(segments: readonly Segment[], px: (value: number) => number): object[] {
  const ends = new Map<ArmView, number>()
  return segments.map(({ arm, name, value, fill, opacity, tip, labelled }) => {
    const from = ends.get(arm) ?? 0
    const to = from + Math.max(0, value)
    ends.set(arm, to)
    const label = labelled && px(to - from) > name.length * 6.2 + 8 ? name : ''
    return {
      arm: arm.label,
      from,
      to,
      fill,
      opacity,
      tip: describe(arm.key, tip),
      middle: (from + to) / 2,
      label,
    }
  })
}

function totalRow({ arm, estimate, text }: Bars['totals'][number], end: number): object {
  return {
    arm: arm.label,
    low: estimate.low,
    high: estimate.high,
    text: text ?? estimateText(estimate).value,
    at: Math.max(estimate.high, end),
    tip: describe(arm.key, `${arm.label}: ${number(estimate.value)}`),
  }
}
