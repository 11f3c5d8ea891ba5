/** One bar per arm, made of segments that start at zero: the form that both bills (CPU, memory) share. */
import type { TopLevelSpec } from 'vega-lite'
import type { Estimate } from '../../../harness/model.js'
import { estimateText, number } from '../../formats/format.js'
import { describe } from '../../page/svg.js'
import { figureWidth, ink, type Size } from '../../page/theme.js'
import type { ArmView } from '../../page/view.js'

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
  const labelWidth = Math.min(
    size === 'wide' ? 230 : 130,
    14 + 7.4 * Math.max(...labels.map((label) => label.length)),
  )
  const room = 76
  const width = figureWidth[size] - labelWidth - 24
  const step = labels.length > 12 ? 24 : 38
  // Whiskers run below the names inside the bars: across them they would read as struck out.
  const [nameShift, whiskerShift] = step > 30 ? [-3, 8] : [-2, 5]
  const ends = new Map<ArmView, number>()
  const values = bars.segments.flatMap((segment) => {
    const from = ends.get(segment.arm) ?? 0
    const to = from + Math.max(0, segment.value)
    ends.set(segment.arm, to)
    return [{ segment, from, to }]
  })
  const longest = Math.max(...[...ends.values()], ...bars.totals.map(({ estimate }) => estimate.high), 1e-9)
  const domain: [number, number] = [0, (longest * width) / Math.max(60, width - room)]
  const px = (value: number) => (value / domain[1]) * width
  const y = {
    field: 'arm',
    type: 'nominal',
    sort: labels,
    scale: { domain: labels, paddingInner: 0.32, paddingOuter: 0.16 },
    axis: { title: null, grid: false, labelColor: ink, labelFontSize: 12, labelLimit: labelWidth },
  }
  const x = {
    field: 'from',
    type: 'quantitative',
    scale: { domain, nice: false },
    axis: { title: bars.axisTitle, titleAnchor: 'start', tickCount: size === 'wide' ? 8 : 4, format: '.4~r' },
  }
  const rows = values.map(({ segment, from, to }) => ({
    arm: segment.arm.label,
    from,
    to,
    fill: segment.fill,
    opacity: segment.opacity,
    tip: describe(segment.arm.key, segment.tip),
    middle: (from + to) / 2,
    label: segment.labelled && px(to - from) > segment.name.length * 6.2 + 8 ? segment.name : '',
  }))
  return {
    width,
    height: { step },
    data: { values: rows },
    layer: [
      {
        mark: { type: 'bar', stroke: 'var(--paper)', strokeWidth: 1.5 },
        encoding: {
          x,
          x2: { field: 'to' },
          y,
          fill: { field: 'fill', type: 'nominal', scale: null },
          fillOpacity: { field: 'opacity', type: 'quantitative', scale: null },
          description: { field: 'tip' },
        },
      },
      {
        transform: [{ filter: "datum.label !== ''" }],
        mark: { type: 'text', fontSize: 11, fill: ink, dy: nameShift },
        encoding: { x: { ...x, field: 'middle' }, y, text: { field: 'label' } },
      },
      {
        data: {
          values: bars.totals.map(({ arm, estimate, text }) => ({
            arm: arm.label,
            low: estimate.low,
            high: estimate.high,
            text: text ?? estimateText(estimate).value,
            at: Math.max(estimate.high, ends.get(arm) ?? 0),
            tip: describe(arm.key, `${arm.label}: ${number(estimate.value)}`),
          })),
        },
        layer: [
          {
            mark: { type: 'rule', strokeWidth: 2, stroke: ink, strokeCap: 'round', yOffset: whiskerShift },
            encoding: { x: { ...x, field: 'low' }, x2: { field: 'high' }, y, description: { field: 'tip' } },
          },
          {
            mark: { type: 'text', align: 'left', dx: 7, fontSize: 12, fontWeight: 600, fill: ink },
            encoding: { x: { ...x, field: 'at' }, y, text: { field: 'text' }, description: { field: 'tip' } },
          },
        ],
      },
    ],
  } as unknown as TopLevelSpec
}
