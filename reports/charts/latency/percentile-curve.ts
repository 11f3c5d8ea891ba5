/** Answers "how does the tail look?": latency against percentile, with the percentile axis stretched by nines. */
import { number, paceText } from '../../formats/format.js'
import { describe } from '../../page/svg.js'
import { figureWidth, type Size } from '../../page/theme.js'
import type { ArmView } from '../../page/view.js'
import type { CurvePoint } from '../../../harness/model.js'
import type { Chart, ChartBuilder } from '../chart.js'
import { logDomain, spreadLabels } from '../layout.js'
import { byColour, endLabels, endRoom, lineMark, linearAxis, pointMark, timeAxis } from '../marks.js'

interface Line {
  readonly arm: ArmView
  readonly points: readonly CurvePoint[]
}

/** Beyond this ratio of slowest to fastest a linear axis would flatten everything but the tail. */
const logBeyond = 12
/** More bands than this cannot be told apart. */
const mostBands = 10
const tableAt = [50, 90, 99, 99.9, 99.99]

export const percentileCurve: ChartBuilder = (view): Chart | undefined => {
  const { lead } = view
  const lines = view.arms.flatMap((arm): Line[] => {
    const points = view
      .cell(arm.id)
      ?.curve?.filter((point) => point.percentile >= 1 && point.percentile < 100)
    return points === undefined || points.length < 2 ? [] : [{ arm, points }]
  })
  if (lead === undefined || lines.length === 0) return undefined
  const at = (line: Line, percentile: number) => nearest(line.points, percentile)?.ms
  const cell = view.cell(lines[0]?.arm.id ?? '')
  const trials = cell?.trials.ok ?? 0
  // A closed loop, and some engines, know no due time.
  const fromDue = cell?.response !== undefined
  return {
    title: 'Latency by percentile',
    caption:
      `${fromDue ? 'Response time from the moment a request was due' : 'Service time from the moment a request was sent'}, all valid trials of an arm merged (n = ${trials} trials for ` +
      `${lines[0]?.arm.label ?? ''}) at ${paceText(lead.load)}. The horizontal axis is logarithmic in 1 − p; bands are 95 % intervals.`,
    alternative: lines
      .map(
        (line) =>
          `${line.arm.label}: ${number(at(line, 50) ?? Number.NaN)} ms at p50, ${number(at(line, 99) ?? Number.NaN)} ms at p99`,
      )
      .join('; '),
    table: {
      columns: ['arm', ...tableAt.map((percentile) => `p${percentile}, ms`)],
      rows: lines.map((line) => [
        line.arm.label,
        ...tableAt.map((percentile) => {
          const ms = at(line, percentile)
          return ms === undefined ? '–' : number(ms)
        }),
      ]),
    },
    spec: (size) => build(lines, size, fromDue ? 'response time' : 'service time'),
  }
}

function build(lines: readonly Line[], size: Size, time: string): object {
  const height = size === 'wide' ? 380 : 320
  const labelRoom = endRoom(
    lines.map(({ arm }) => arm),
    size,
  )
  const all = lines.flatMap(({ points }) =>
    points.flatMap(({ ms, lowMs, highMs }) => [ms, lowMs ?? ms, highMs ?? ms]),
  )
  const log = Math.max(...all) / Math.max(Math.min(...all), 1e-6) > logBeyond
  const domain: [number, number] = log ? logDomain(all) : [0, Math.max(...all) * 1.05]
  const far = Math.max(...lines.flatMap(({ points }) => points.map(({ percentile }) => nines(percentile))))
  const x = percentileAxis(far)
  const y = timeAxis(domain, log, `${time}, ms`)
  const ends = lines.map(({ arm, points }) => {
    const name = describe(arm.key, '')
    return { nines: far, ms: points.at(-1)?.ms ?? 0, label: arm.label, name }
  })
  return {
    width: figureWidth[size] - 46 - labelRoom,
    height,
    data: { values: lines.flatMap(pointsOf) },
    layer: [
      // The bands of many arms would only darken one another.
      ...(lines.length > mostBands ? [] : [bandMark(x, y)]),
      lineMark(x, y, 'arm', { interpolate: 'monotone', strokeJoin: 'round', clip: true }),
      { data: { values: lines.flatMap(dotsOf) }, ...pointMark(x, y, 34) },
      endLabels(spreadLabels(ends, y, height), x, y, labelRoom - 9),
    ],
  }
}

function pointsOf({ arm, points }: Line): object[] {
  return points.map(({ percentile, ms, lowMs, highMs }) => ({
    arm: arm.key,
    nines: nines(percentile),
    ms,
    low: lowMs ?? ms,
    high: highMs ?? ms,
    colour: arm.colour,
    name: describe(arm.key, arm.label),
  }))
}

/** Dots on a line where the table has a figure. */
function dotsOf({ arm, points }: Line): object[] {
  return tableAt.flatMap((percentile) => {
    const point = nearest(points, percentile)
    if (point === undefined) return []
    const tip = describe(arm.key, `${arm.label}: ${number(point.ms)} ms at p${percentile}`)
    return [
      { arm: arm.key, nines: nines(percentile), ms: point.ms, colour: arm.colour, shape: arm.shape, tip },
    ]
  })
}

function bandMark(x: object, y: object): object {
  return {
    mark: { type: 'area', interpolate: 'monotone', opacity: 0.16, clip: true },
    encoding: {
      x,
      y: { ...y, field: 'low' },
      y2: { field: 'high' },
      detail: { field: 'arm', type: 'nominal' },
      fill: byColour,
      description: { field: 'name' },
    },
  }
}

/** Nines along the axis: 50, 90, 99, 99.9, … */
function percentileAxis(far: number): object {
  return linearAxis('nines', [0, far], {
    title: 'percentile',
    titleAnchor: 'end',
    values: [Math.log10(2), 1, 2, 3, 4, 5].filter((value) => value <= far + 1e-9),
    labelExpr:
      "datum.value < 0.5 ? '50' : datum.value < 1.5 ? '90' : datum.value < 2.5 ? '99' : datum.value < 3.5 ? '99.9' : datum.value < 4.5 ? '99.99' : '99.999'",
  })
}

function nines(percentile: number): number {
  return -Math.log10(1 - percentile / 100)
}

/** The curve's point at a percentile, if it reaches that far. */
function nearest(points: readonly CurvePoint[], percentile: number): CurvePoint | undefined {
  const target = nines(percentile)
  const last = points.at(-1)
  if (last === undefined || nines(last.percentile) < target - 0.05) return undefined
  return [...points].sort(
    (a, b) => Math.abs(nines(a.percentile) - target) - Math.abs(nines(b.percentile) - target),
  )[0]
}
