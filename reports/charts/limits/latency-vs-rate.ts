/** Answers "when does it break?": p99 of every arm against the rate that was asked for. */
import { z } from 'zod'
import * as metrics from '../../../scenarios/metrics.js'
import type { Estimate } from '../../../harness/model.js'
import { fixed, roundsText, sentence } from '../../formats/format.js'
import { figureWidth, warn, type Size } from '../../page/theme.js'
import type { FigureBook } from '../../page/figures.js'
import type { ArmView, LoadView, View } from '../../page/view.js'
import type { Chart, ChartBuilder, Table } from '../chart.js'
import { logDomain, spreadLabels } from '../layout.js'
import {
  byColour,
  datum,
  endLabels,
  endRoom,
  intervalMark,
  lineMark,
  pointMark,
  spanMark,
  timeAxis,
  tip,
  valueAxis,
} from '../marks.js'

interface Point {
  readonly arm: ArmView
  readonly rate: number
  readonly p99: Estimate
}

/** The largest rate at which an arm kept the promise on its p99. */
interface Knee {
  readonly arm: ArmView
  readonly rate: Estimate
  readonly latencyMs: number
}

export const latencyVsRate: ChartBuilder = (view, book): Chart | undefined => {
  const loads = comparableLoads(view)
  if (loads.length < 2) return undefined
  const arms = view.arms.filter((arm) => arm.arm.role !== 'twin')
  const points = loads.flatMap((load) =>
    arms.flatMap((arm): Point[] => {
      const p99 = view.cell(arm.id, load)?.response?.['99']
      return p99 === undefined ? [] : [{ arm, rate: rateOf(load), p99 }]
    }),
  )
  if (points.length === 0) return undefined
  const knees = arms.flatMap((arm): Knee[] => {
    const cell = view.loads
      .map((load) => view.cell(arm.id, load))
      .find((measured) => measured?.knee?.search.percentile === 99 && measured.throughput.n > 0)
    return cell?.knee ? [{ arm, rate: cell.throughput, latencyMs: cell.knee.search.latencyMs }] : []
  })
  // A mark where nothing was found would look like a knee.
  const found = knees.filter(({ rate }) => rate.beyond === undefined)
  const slo = withLimit.safeParse(view.analysis.config.experiments.capacity).data?.slo.latencyMs
  return {
    title: `p99 from ${fixed(Math.min(...loads.map(rateOf)), 0)} to ${fixed(Math.max(...loads.map(rateOf)), 0)} requests/s`,
    caption: `p99 of response time per rate with 95 % intervals, ${roundsText(points.map(({ p99 }) => p99))}. Only rates that were measured are joined; nothing is extrapolated.${knees.length === 0 ? '' : ' Triangles mark the knee of each arm, searched apart, with its interval: the largest rate that kept the promise (dashed).'}`,
    alternative: [
      ...points.map(({ arm, rate, p99 }) => `${arm.label} at ${fixed(rate, 0)}/s: ${sentence(p99)}`),
      ...knees.map(({ arm, rate }) => `knee of ${arm.label}: ${sentence(rate)}`),
    ].join('; '),
    table: tableOf(arms, loads, knees, view, book),
    spec: (size) => build(points, found, size, slo),
  }
}

/** The capacity experiment's limit on p99, when the config has one. */
const withLimit = z.object({ slo: z.object({ latencyMs: z.number() }) })

const rateOf = ({ load }: LoadView) => load.ratePerSecond ?? 0

/** Loads that differ from the leading one in nothing but the rate. */
function comparableLoads(view: View): readonly LoadView[] {
  const lead = view.lead?.load
  return view.loads.filter(
    ({ experiment, load }) =>
      experiment === view.lead?.experiment &&
      load.model === 'open' &&
      load.ratePerSecond !== undefined &&
      load.connections === lead?.connections &&
      load.payloadBytes === lead.payloadBytes &&
      load.protocol === lead.protocol,
  )
}

function tableOf(
  arms: readonly ArmView[],
  loads: readonly LoadView[],
  knees: readonly Knee[],
  view: View,
  book: FigureBook,
): Table {
  const p99 = { metric: metrics.responseTime.id, percentile: 99, kind: 'value' } as const
  const rate = { metric: metrics.throughput.id, kind: 'value' } as const
  return {
    columns: [
      'arm',
      ...loads.map((load) => `p99 at ${fixed(rateOf(load), 0)}/s, ms`),
      ...(knees.length === 0 ? [] : ['knee, requests/s']),
    ],
    rows: arms.map((arm) => [
      arm.label,
      ...loads.map((load) => book.cell(view.cell(arm.id, load)?.response?.['99'], p99)),
      ...(knees.length === 0 ? [] : [book.cell(knees.find((knee) => knee.arm === arm)?.rate, rate)]),
    ]),
  }
}

function build(
  points: readonly Point[],
  knees: readonly Knee[],
  size: Size,
  slo: number | undefined,
): object {
  const height = size === 'wide' ? 300 : 280
  const values = points.map(valuesOf)
  const labelRoom = endRoom(values, size)
  const all = [...values.flatMap(({ low, high }) => [low, high]), ...knees.map(({ latencyMs }) => latencyMs)]
  const log = Math.max(...all) / Math.max(Math.min(...all), 1e-6) > 12
  const domain: [number, number] = log ? logDomain(all) : [0, Math.max(...all) * 1.08]
  const fastest = Math.max(...points.map(({ rate }) => rate))
  const ends = values.filter(({ rate }) => rate === fastest)
  const x = rateAxis(points, knees, size)
  const y = timeAxis(domain, log, 'p99, ms')
  return {
    width: figureWidth[size] - 46 - labelRoom,
    height,
    data: { values },
    layer: [
      ...(slo === undefined || slo > domain[1] ? [] : [promiseLine(slo, y)]),
      lineMark(x, y),
      intervalMark(x, y),
      pointMark(x, y, 70),
      ...kneeMarks(knees, x, y),
      endLabels(spreadLabels(ends, y, height), x, y, labelRoom - 9),
    ],
  }
}

function valuesOf({ arm, rate, p99 }: Point) {
  const drawn = datum(arm, p99, `${arm.label} at ${fixed(rate, 0)}/s: p99 ${sentence(p99)}`)
  return { ...drawn, arm: arm.key, rate, ms: p99.value }
}

/** Rates that were tried, with room for the knees. */
function rateAxis(points: readonly Point[], knees: readonly Knee[], size: Size): object {
  const rates = [...new Set(points.map(({ rate }) => rate))]
  const lowest = Math.min(...rates, ...knees.map(({ rate }) => rate.low)) * 0.96
  const highest = Math.max(...rates, ...knees.map(({ rate }) => rate.high * 1.03))
  return valueAxis(
    [lowest, highest],
    {
      title: 'requests per second',
      titleAnchor: 'end',
      ...(knees.length === 0 ? { values: rates } : { tickCount: size === 'wide' ? 8 : 4 }),
      format: ',d',
      labelExpr: `replace(datum.label, ',', '\u202f')`,
      labelFlush: true,
    },
    'rate',
  )
}

function promiseLine(slo: number, y: object): object {
  return {
    data: { values: [{ slo }] },
    mark: { type: 'rule', stroke: warn, strokeDash: [5, 4] },
    encoding: { y: { ...y, field: 'slo' } },
  }
}

function kneeMarks(knees: readonly Knee[], x: object, y: object): object[] {
  const values = knees.map(({ arm, rate, latencyMs }) => ({
    ...datum(arm, rate, `knee of ${arm.label}: ${sentence(rate)}`),
    rate: rate.value,
    ms: latencyMs,
  }))
  return [
    { data: { values }, ...spanMark(x, y) },
    {
      data: { values },
      mark: { type: 'point', shape: 'triangle-down', filled: true, size: 110, opacity: 1 },
      encoding: { x, y, fill: byColour, description: tip },
    },
  ]
}
