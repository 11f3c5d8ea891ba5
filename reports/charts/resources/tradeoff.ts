/** The whole comparison in one picture: what a path adds to latency against the CPU that it adds. */
import * as metrics from '../../../scenarios/metrics.js'
import type { Estimate } from '../../../harness/model.js'
import { drawnBounds, paceText, roundsText, sentence, thousand } from '../../formats/format.js'
import { describe } from '../../page/svg.js'
import { figureWidth, ink, type Size } from '../../page/theme.js'
import { cpuMetrics, latencyMetrics, type ArmView } from '../../page/view.js'
import { alone, rank } from '../../page/ranking.js'
import type { Chart, ChartBuilder } from '../chart.js'
import { domainWithZero, labelPlaces, placeLabels, type LabelPlace } from '../layout.js'
import { intervalMark, linearAxis, pointMark, spanMark, tip, valueAxis, zeroLine } from '../marks.js'

interface Point {
  readonly arm: ArmView
  readonly time: Estimate
  readonly cpu: Estimate
}

/** More labels than this cannot be placed without covering one another; the table and hovering still name the dots. */
const mostLabels = 12

export const tradeoff: ChartBuilder = (view, book): Chart | undefined => {
  const { lead } = view
  if (lead === undefined) return undefined
  const points = view.subjects.flatMap((arm): Point[] => {
    const time = view.compare(arm.id, latencyMetrics, { percentile: 50 })?.difference
    const cpu = view.compare(arm.id, cpuMetrics)?.difference
    return time === undefined || cpu === undefined ? [] : [{ arm, time, cpu }]
  })
  if (points.length < 2) return undefined
  const cheapest = alone(rank(view, 'cpu')?.least)
  return {
    title:
      cheapest && alone(rank(view, 'time')?.least)?.arm === cheapest.arm
        ? `${cheapest.arm.label} adds the least time and the least CPU`
        : 'Added time against added CPU',
    caption:
      `Added latency at the median against added CPU, both as paired differences to the baseline at ${paceText(lead.load)}; ` +
      `lines are 95 % intervals, ${roundsText(points.map(({ time }) => time))}. Nearer the lower left corner is cheaper.`,
    alternative: points.map(textOf).join('; '),
    table: {
      columns: ['arm', 'added at p50, ms', `added CPU, ms per ${thousand} requests`],
      rows: points.map(({ arm, time, cpu }) => [
        arm.label,
        book.added({ estimate: time, metric: metrics.addedTime.id, percentile: 50 }),
        book.added({ estimate: cpu, metric: metrics.addedCpu.id }),
      ]),
    },
    spec: (size) => build(points, size),
  }
}

const textOf = ({ arm, time, cpu }: Point) =>
  `${arm.label}: ${sentence(time)} at p50, ${sentence(cpu)} CPU per ${thousand} requests`

function build(points: readonly Point[], size: Size): object {
  const height = size === 'wide' ? 340 : 300
  const width = figureWidth[size] - 60
  const xDomain = domainWithZero(
    points.map(({ time }) => time),
    size === 'wide' ? 0.22 : 0.42,
  )
  const yDomain = domainWithZero(
    points.map(({ cpu }) => cpu),
    0.12,
  )
  const labelled = points.length <= mostLabels ? points : []
  const places = placeLabels(
    labelled.map(({ arm, time, cpu }) => ({
      x: ((time.value - xDomain[0]) / (xDomain[1] - xDomain[0])) * width,
      y: height - ((cpu.value - yDomain[0]) / (yDomain[1] - yDomain[0])) * height,
      width: arm.label.length * 7.8,
    })),
    width,
  )
  const x = valueAxis(
    xDomain,
    { title: 'added at the median, ms', titleAnchor: 'end', tickCount: size === 'wide' ? 8 : 4 },
    'time',
  )
  const y = linearAxis('cpu', yDomain, { title: `added CPU, ms per ${thousand} requests`, tickCount: 6 })
  const line = { strokeWidth: 2.5, strokeCap: 'round', opacity: 0.75 }
  const values = points.map((point, index) => valuesOf(point, places[index]))
  const spread = (of: 'time' | 'cpu') => values.map((value) => ({ ...value, ...value.spread[of] }))
  return {
    width,
    height,
    data: { values: values.map(({ spread: _, ...value }) => value) },
    layer: [
      zeroLine(x),
      { ...zeroLine({}), encoding: { y: { ...y, field: 'zero' } } },
      { data: { values: spread('time') }, ...spanMark(x, y, line) },
      { data: { values: spread('cpu') }, ...intervalMark(x, y, line) },
      pointMark(x, y, 170),
      ...labelPlaces.map((place) => labelMark(x, y, place)),
    ],
  }
}

function valuesOf(point: Point, place: LabelPlace | undefined) {
  const { arm, time, cpu } = point
  return {
    arm: arm.label,
    time: time.value,
    cpu: cpu.value,
    spread: { time: drawnBounds(time), cpu: drawnBounds(cpu) },
    place: place ?? 'right-above',
    label: place === undefined ? '' : arm.label,
    colour: arm.colour,
    shape: arm.shape,
    tip: describe(arm.key, textOf(point)),
  }
}

function labelMark(x: object, y: object, place: LabelPlace): object {
  const right = place.startsWith('right')
  return {
    transform: [{ filter: `datum.place === '${place}'` }],
    mark: {
      type: 'text',
      align: right ? 'left' : 'right',
      dx: right ? 12 : -12,
      dy: place.endsWith('above') ? -11 : 12,
      fontSize: 13,
      fontWeight: 600,
      fill: ink,
    },
    encoding: { x, y, text: { field: 'label' }, description: tip },
  }
}
