/** Answers "when does it break?": p99 of every arm against the rate that was asked for. */
import * as metrics from '../../../scenarios/metrics.js'
import type { TopLevelSpec } from 'vega-lite'
import type { Estimate } from '../../../harness/model.js'
import { fixed, sentence } from '../../formats/format.js'
import { describe } from '../../page/svg.js'
import { figureWidth, warn, type Size } from '../../page/theme.js'
import type { ArmView, LoadView } from '../../page/view.js'
import type { Chart, ChartBuilder } from '../chart.js'
import { logDomain, spreadLabels } from '../layout.js'
import { endLabels, endRoom, intervalMark, lineMark, pointMark } from '../marks.js'

interface Point {
  readonly arm: ArmView
  readonly load: LoadView
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
  const loads = view.loads.filter(
    (load) =>
      load.experiment === view.lead?.experiment &&
      load.load.model === 'open' &&
      load.load.ratePerSecond !== undefined,
  )
  const comparable = loads.filter(
    ({ load }) =>
      load.connections === view.lead?.load.connections &&
      load.payloadBytes === view.lead.load.payloadBytes &&
      load.protocol === view.lead.load.protocol,
  )
  if (comparable.length < 2) return undefined
  const arms = view.arms.filter((arm) => arm.arm.role !== 'twin')
  const points = comparable.flatMap((load) =>
    arms.flatMap((arm): Point[] => {
      const p99 = view.cell(arm.id, load)?.response?.['99']
      return p99 === undefined ? [] : [{ arm, load, rate: load.load.ratePerSecond ?? 0, p99 }]
    }),
  )
  if (points.length === 0) return undefined
  const slo = sloOf(view.analysis.config.experiments.capacity)
  const knees = arms.flatMap((arm): Knee[] => {
    const cell = view.loads
      .map((load) => view.cell(arm.id, load))
      .find((one) => one?.knee?.search.percentile === 99 && one.throughput.n > 0)
    return cell?.knee ? [{ arm, rate: cell.throughput, latencyMs: cell.knee.search.latencyMs }] : []
  })
  const [first, last] = [comparable[0], comparable.at(-1)]
  const span = `${fixed(first?.load.ratePerSecond ?? 0, 0)} to ${fixed(last?.load.ratePerSecond ?? 0, 0)} requests/s`
  return {
    title: `p99 from ${span}`,
    caption: `p99 of response time per rate with 95 % intervals over rounds, n = ${points[0]?.p99.n ?? 0}. Only rates that were measured are joined; nothing is extrapolated.${knees.length === 0 ? '' : ' Triangles mark the knee of each arm, searched apart, with its interval: the largest rate that kept the promise (dashed).'}`,
    alternative: [
      ...points.map(({ arm, rate, p99 }) => `${arm.label} at ${fixed(rate, 0)}/s: ${sentence(p99)}`),
      ...knees.map(({ arm, rate }) => `knee of ${arm.label}: ${sentence(rate)}`),
    ].join('; '),
    table: {
      columns: [
        'arm',
        ...comparable.map((load) => `p99 at ${fixed(load.load.ratePerSecond ?? 0, 0)}/s, ms`),
        ...(knees.length === 0 ? [] : ['knee, requests/s']),
      ],
      rows: arms.map((arm) => [
        arm.label,
        ...comparable.map((load) => ({
          html: book.print(view.cell(arm.id, load)?.response?.['99'], {
            metric: metrics.responseTime.id,
            percentile: 99,
            kind: 'value',
          }),
        })),
        ...(knees.length === 0
          ? []
          : [
              {
                html: book.print(knees.find((knee) => knee.arm === arm)?.rate, {
                  metric: metrics.throughput.id,
                  kind: 'value',
                }),
              },
            ]),
      ]),
    },
    // A mark where nothing was found would look like a knee.
    spec: (size) =>
      build(
        points,
        knees.filter(({ rate }) => rate.beyond === undefined),
        size,
        slo,
      ),
  }
}

function build(
  points: readonly Point[],
  knees: readonly Knee[],
  size: Size,
  slo: number | undefined,
): TopLevelSpec {
  const height = size === 'wide' ? 300 : 280
  const labelRoom = endRoom(
    points.map(({ arm }) => arm.label),
    size,
  )
  const all = [
    ...points.flatMap(({ p99 }) => [p99.low, p99.high]),
    ...knees.map(({ latencyMs }) => latencyMs),
  ]
  const log = Math.max(...all) / Math.max(Math.min(...all), 1e-6) > 12
  const domain: [number, number] = log ? logDomain(all) : [0, Math.max(...all) * 1.08]
  const values = points.map(({ arm, rate, p99 }) => ({
    arm: arm.key,
    rate,
    ms: p99.value,
    low: p99.low,
    high: p99.high,
    colour: arm.colour,
    shape: arm.shape,
    label: arm.label,
    tip: describe(arm.key, `${arm.label} at ${fixed(rate, 0)}/s: p99 ${sentence(p99)}`),
    name: describe(arm.key, arm.label),
  }))
  const fastest = Math.max(...values.map((value) => value.rate))
  const ends = values.filter((value) => value.rate === fastest)
  const places = spreadLabels(
    ends.map(({ ms }) => ms),
    domain,
    height,
    15,
    log,
  )
  const rates = [...new Set(values.map((value) => value.rate))]
  const marks = knees.map(({ arm, rate, latencyMs }) => ({
    rate: rate.value,
    lowRate: rate.low,
    highRate: rate.high,
    ms: latencyMs,
    colour: arm.colour,
    tip: describe(arm.key, `knee of ${arm.label}: ${sentence(rate)}`),
  }))
  const widest = Math.max(fastest, ...marks.map(({ highRate }) => highRate * 1.03))
  const ticks = marks.length === 0 ? { values: rates } : { tickCount: size === 'wide' ? 8 : 4 }
  const x = {
    field: 'rate',
    type: 'quantitative',
    scale: {
      domain: [Math.min(...rates, ...marks.map(({ lowRate }) => lowRate)) * 0.96, widest],
      nice: false,
    },
    axis: {
      title: 'requests per second',
      titleAnchor: 'end',
      ...ticks,
      format: ',d',
      labelExpr: `replace(datum.label, ',', '\u202f')`,
      labelFlush: true,
    },
  }
  const y = {
    field: 'ms',
    type: 'quantitative',
    scale: log ? { type: 'log', domain, nice: false } : { domain, nice: false },
    axis: { title: log ? 'p99, ms (logarithmic)' : 'p99, ms', tickCount: 6, format: '.4~r' },
  }
  const stroke = { field: 'colour', type: 'nominal', scale: null }
  const tip = { field: 'tip' }
  return {
    width: figureWidth[size] - 46 - labelRoom,
    height,
    data: { values },
    layer: [
      ...(slo === undefined || slo > domain[1]
        ? []
        : [
            {
              data: { values: [{ slo }] },
              mark: { type: 'rule', stroke: warn, strokeDash: [5, 4] },
              encoding: { y: { ...y, field: 'slo' } },
            },
          ]),
      lineMark(x, y),
      intervalMark(x, y),
      pointMark(x, y, 70),
      {
        data: { values: marks },
        mark: { type: 'rule', strokeWidth: 2 },
        encoding: {
          x: { ...x, field: 'lowRate' },
          x2: { field: 'highRate' },
          y,
          stroke,
          description: tip,
        },
      },
      {
        data: { values: marks },
        mark: { type: 'point', shape: 'triangle-down', filled: true, size: 110, opacity: 1 },
        encoding: { x, y, fill: stroke, description: tip },
      },
      endLabels(
        ends.map((end, index) => ({ ...end, ms: places[index] ?? end.ms })),
        x,
        y,
        labelRoom - 9,
      ),
    ],
  } as unknown as TopLevelSpec
}

/** The capacity experiment's limit on p99, when the config has one. */
function sloOf(capacity: unknown): number | undefined {
  if (typeof capacity !== 'object' || capacity === null || !('slo' in capacity)) return undefined
  const { slo } = capacity
  if (typeof slo !== 'object' || slo === null || !('latencyMs' in slo)) return undefined
  return typeof slo.latencyMs === 'number' ? slo.latencyMs : undefined
}
