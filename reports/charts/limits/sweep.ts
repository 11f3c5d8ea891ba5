/** Answers "how does it change with …?": median response time and CPU of every arm along one axis of the sweep. */
import * as metrics from '../../../scenarios/metrics.js'
import type { Estimate, LoadSpec } from '../../../harness/model.js'
import { bytes, fixed, roundsText, sentence, thousand } from '../../formats/format.js'
import { figureWidth, type Size } from '../../page/theme.js'
import type { ArmView, LoadView } from '../../page/view.js'
import type { Chart, ChartBuilder } from '../chart.js'
import { logDomain } from '../layout.js'
import { datum, intervalMark, lineMark, logAxis, pointMark } from '../marks.js'

type Axis = 'ratePerSecond' | 'connections' | 'payloadBytes'

const axes: Readonly<Record<Axis, { readonly title: string; readonly text: (value: number) => string }>> = {
  ratePerSecond: { title: 'requests per second', text: (value) => fixed(value, 0) },
  connections: { title: 'connections', text: (value) => fixed(value, 0) },
  payloadBytes: { title: 'bytes of a reply', text: bytes },
}

interface Point {
  readonly arm: ArmView
  readonly at: number
  readonly p50: Estimate
  readonly p99: Estimate | undefined
  readonly cpu: Estimate | undefined
}

export const sweepRate = sweepAlong('ratePerSecond')
export const sweepConnections = sweepAlong('connections')
export const sweepPayload = sweepAlong('payloadBytes')

function sweepAlong(axis: Axis): ChartBuilder {
  return (view, book): Chart | undefined => {
    const loads = curveOf(
      view.loads.filter(({ experiment }) => experiment === 'sweep'),
      axis,
    )
    const arms = view.arms.filter(({ arm }) => arm.role !== 'twin')
    const points = arms.flatMap((arm) =>
      loads.flatMap((load): Point[] => {
        const cell = view.cell(arm.id, load)
        const p50 = cell?.response?.['50']
        return p50 === undefined
          ? []
          : [{ arm, at: load.load[axis] ?? 0, p50, p99: cell?.response?.['99'], cpu: cell?.cpu }]
      }),
    )
    const measured = [...new Set(points.map(({ at }) => at))].sort((a, b) => a - b)
    if (measured.length < 2) return undefined
    const { title, text } = axes[axis]
    const [low, high] = [measured[0] as number, measured.at(-1) as number]
    const cells = (point: Point | undefined) => [
      book.cell(point?.p50, { metric: metrics.responseTime.id, percentile: 50, kind: 'value' }),
      book.cell(point?.p99, { metric: metrics.responseTime.id, percentile: 99, kind: 'value' }),
      book.cell(point?.cpu, { metric: metrics.cpu.id, kind: 'value' }),
    ]
    return {
      title: `Response time and CPU from ${text(low)} to ${text(high)} ${title}`,
      caption: `Median response time and CPU per ${thousand} requests with 95 % intervals, ${roundsText(points.map(({ p50 }) => p50))}; ${restOf(loads[0]?.load, axis)}. Only what was measured is joined.`,
      alternative: points
        .map(({ arm, at, p50 }) => `${arm.label} at ${text(at)}: ${sentence(p50)}`)
        .join('; '),
      table: {
        columns: ['arm', title, 'p50, ms', 'p99, ms', `CPU, ms per ${thousand} requests`],
        rows: points.map((point) => [point.arm.label, text(point.at), ...cells(point)]),
      },
      spec: (size) => build(points, measured.map(text), axis, size),
    }
  }
}

/** The loads that differ in nothing but the axis: the largest such family. */
function curveOf(loads: readonly LoadView[], axis: Axis): readonly LoadView[] {
  const familyOf = ({ load }: LoadView) => JSON.stringify({ ...load, [axis]: 0 })
  return [...new Set(loads.map(familyOf))]
    .map((family) => loads.filter((load) => familyOf(load) === family))
    .reduce((largest, family) => (family.length > largest.length ? family : largest), [])
}

function restOf(load: LoadSpec | undefined, axis: Axis): string {
  if (!load) return ''
  return (['ratePerSecond', 'connections', 'payloadBytes'] as const)
    .filter((other) => other !== axis)
    .map((other) =>
      other === 'payloadBytes'
        ? `replies of ${bytes(load.payloadBytes)}`
        : `${fixed(load[other] ?? 0, 0)} ${axes[other].title}`,
    )
    .join(', ')
}

function build(points: readonly Point[], categories: readonly string[], axis: Axis, size: Size): object {
  const panels = [
    { title: 'p50, ms', of: (point: Point) => point.p50 },
    { title: `CPU, ms per ${thousand} requests`, of: (point: Point) => point.cpu },
  ].filter(({ of }) => points.some((point) => of(point) !== undefined))
  return {
    vconcat: panels.map((panel, index) =>
      panelOf(points, categories, axis, size, panel, index === panels.length - 1),
    ),
    spacing: 18,
    config: { concat: { spacing: 18 } },
  }
}

function panelOf(
  points: readonly Point[],
  categories: readonly string[],
  axis: Axis,
  size: Size,
  panel: { readonly title: string; readonly of: (point: Point) => Estimate | undefined },
  last: boolean,
): object {
  const { text, title } = axes[axis]
  const values = points.flatMap((point) => {
    const estimate = panel.of(point)
    if (estimate === undefined) return []
    const { arm } = point
    const drawn = datum(arm, estimate, `${arm.label} at ${text(point.at)}: ${sentence(estimate)}`)
    const low = Math.max(drawn.low, estimate.value / 100)
    return [{ ...drawn, arm: arm.key, at: text(point.at), low }]
  })
  const domain = logDomain(values.flatMap(({ low, high }) => [low, high]))
  const x = {
    field: 'at',
    type: 'ordinal',
    sort: categories,
    axis: { title: last ? title : null, titleAnchor: 'end', labels: last, labelAngle: 0, grid: false },
  }
  const y = logAxis('value', domain, { title: panel.title, tickCount: 5, format: '.3~r' })
  return {
    width: figureWidth[size] - 70,
    height: size === 'wide' ? 190 : 170,
    data: { values },
    layer: [lineMark(x, y), intervalMark(x, y), pointMark(x, y)],
  }
}
