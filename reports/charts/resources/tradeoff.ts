/** The whole comparison in one picture: what a path adds to latency against the CPU that it adds. */
import * as metrics from '../../../scenarios/metrics.js'
import type { TopLevelSpec } from 'vega-lite'
import type { Estimate } from '../../../harness/model.js'
import { paceText, sentence, thousand } from '../../formats/format.js'
import { describe } from '../../page/svg.js'
import { figureWidth, ink, muted, type Size } from '../../page/theme.js'
import { cpuMetrics, latencyMetrics, type ArmView } from '../../page/view.js'
import { alone, rank } from '../../page/ranking.js'
import type { Chart, ChartBuilder } from '../chart.js'
import { domainWithZero, placeLabels } from '../layout.js'

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
      `lines are 95 % intervals, n = ${points[0]?.time.n ?? 0} rounds. Nearer the lower left corner is cheaper.`,
    alternative: points
      .map(
        ({ arm, time, cpu }) =>
          `${arm.label}: ${sentence(time)} and ${sentence(cpu)} CPU per ${thousand} requests`,
      )
      .join('; '),
    table: {
      columns: ['arm', 'added at p50, ms', `added CPU, ms per ${thousand} requests`],
      rows: points.map(({ arm, time, cpu }) => [
        arm.label,
        {
          html: book.print(
            time,
            { metric: metrics.addedTime.id, percentile: 50, kind: 'difference' },
            'cell',
            true,
          ),
        },
        { html: book.print(cpu, { metric: metrics.addedCpu.id, kind: 'difference' }, 'cell', true) },
      ]),
    },
    spec: (size) => build(points, size),
  }
}

function build(points: readonly Point[], size: Size): TopLevelSpec {
  const height = size === 'wide' ? 340 : 300
  const width = figureWidth[size] - 60
  const xDomain = domainWithZero(
    points.flatMap(({ time }) => [time.low, time.high]),
    size === 'wide' ? 0.22 : 0.42,
  )
  const yDomain = domainWithZero(
    points.flatMap(({ cpu }) => [cpu.low, cpu.high]),
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
  const values = points.map(({ arm, time, cpu }, index) => ({
    arm: arm.label,
    time: time.value,
    timeLow: time.low,
    timeHigh: time.high,
    cpu: cpu.value,
    cpuLow: cpu.low,
    cpuHigh: cpu.high,
    place: places[index] ?? 'right-above',
    label: labelled.length > 0 ? arm.label : '',
    colour: arm.colour,
    shape: arm.shape,
    tip: describe(
      arm.key,
      `${arm.label}: ${sentence(time)} at p50, ${sentence(cpu)} CPU per ${thousand} requests`,
    ),
  }))
  const x = (field: string) => ({
    field,
    type: 'quantitative',
    scale: { domain: xDomain, nice: false },
    axis: { title: 'added at the median, ms', titleAnchor: 'end', tickCount: size === 'wide' ? 8 : 4 },
  })
  const y = (field: string) => ({
    field,
    type: 'quantitative',
    scale: { domain: yDomain, nice: false },
    axis: { title: `added CPU, ms per ${thousand} requests`, tickCount: 6 },
  })
  const stroke = { field: 'colour', type: 'nominal', scale: null }
  const line = { type: 'rule', strokeWidth: 2.5, strokeCap: 'round', opacity: 0.75 }
  const zero = (encoding: object) => ({
    data: { values: [{ zero: 0 }] },
    mark: { type: 'rule', stroke: muted },
    encoding,
  })
  return {
    width,
    height,
    data: { values },
    layer: [
      zero({ x: x('zero') }),
      zero({ y: y('zero') }),
      {
        mark: line,
        encoding: {
          x: x('timeLow'),
          x2: { field: 'timeHigh' },
          y: y('cpu'),
          stroke,
          description: { field: 'tip' },
        },
      },
      {
        mark: line,
        encoding: {
          x: x('time'),
          y: y('cpuLow'),
          y2: { field: 'cpuHigh' },
          stroke,
          description: { field: 'tip' },
        },
      },
      {
        mark: { type: 'point', filled: true, size: 170, opacity: 1, stroke: 'var(--paper)', strokeWidth: 2 },
        encoding: {
          x: x('time'),
          y: y('cpu'),
          fill: stroke,
          shape: { field: 'shape', type: 'nominal', scale: null },
          description: { field: 'tip' },
        },
      },
      ...(['right-above', 'right-below', 'left-above', 'left-below'] as const).map((place) => ({
        transform: [{ filter: `datum.place === '${place}'` }],
        mark: {
          type: 'text',
          align: place.startsWith('right') ? 'left' : 'right',
          dx: place.startsWith('right') ? 12 : -12,
          dy: place.endsWith('above') ? -11 : 12,
          fontSize: 13,
          fontWeight: 600,
          fill: ink,
        },
        encoding: { x: x('time'), y: y('cpu'), text: { field: 'label' }, description: { field: 'tip' } },
      })),
    ],
  } as unknown as TopLevelSpec
}
