/** Answers "what does each path add?": a dot with its interval per arm and percentile, zero and the noise floor behind. */
import type { TopLevelSpec } from 'vega-lite'
import { estimateText, fixed, paceText, sentence } from '../../formats/format.js'
import { describe } from '../../page/svg.js'
import { figureWidth, ink, muted, noiseBand, type Size } from '../../page/theme.js'
import { latencyMetrics, percentiles, type View } from '../../page/view.js'
import type { Chart, ChartBuilder, TableCell } from '../chart.js'
import { domainWithZero } from '../layout.js'

export const addedLatency: ChartBuilder = (view, book): Chart | undefined => {
  const { lead } = view
  if (lead === undefined) return undefined
  const arms = [...view.subjects, ...view.arms.filter((arm) => arm.arm.role === 'twin')]
  const points = percentiles.flatMap((percentile) =>
    arms.flatMap((arm) => {
      const found = view.added(arm.id, 'latency', { percentile: Number(percentile) })
      return found === undefined ? [] : [{ percentile, arm, estimate: found.estimate, metric: found.metric }]
    }),
  )
  if (points.length === 0) return undefined
  const shown = percentiles.filter((percentile) => points.some((point) => point.percentile === percentile))
  const rows = arms.map((arm): TableCell[] => [
    arm.label,
    ...shown.map((percentile): TableCell => {
      const point = points.find((one) => one.arm === arm && one.percentile === percentile)
      return {
        html: book.print(
          point?.estimate,
          { metric: point?.metric ?? 'latency', percentile, kind: 'difference' },
          'cell',
          true,
        ),
      }
    }),
  ])
  return {
    title: title(view),
    caption:
      `Difference to the baseline, paired within rounds, at ${paceText(lead.load)}. Dots are estimates, lines 95 % intervals` +
      ` over n = ${points[0]?.estimate.n ?? 0} rounds; the shaded band is the noise floor (the interval of the A/A difference${view.environments.length > 1 ? `, the widest of ${view.environments.length} environments` : ''}).`,
    alternative: points
      .filter((point) => point.percentile === '50')
      .map((point) => `${point.arm.label}: ${sentence(point.estimate, { sign: true })} at the median`)
      .join('; '),
    table: { columns: ['arm', ...shown.map((percentile) => `added p${percentile}, ms`)], rows },
    spec: (size) => build(size, shown, points, view),
  }
}

type Point = {
  percentile: string
  arm: View['arms'][number]
  estimate: import('../../../harness/model.js').Estimate
}

function build(size: Size, shown: readonly string[], points: readonly Point[], view: View): TopLevelSpec {
  const labels = [...new Set(points.map((point) => point.arm.label))]
  const labelWidth = Math.min(
    size === 'wide' ? 230 : 140,
    14 + 7.4 * Math.max(...labels.map((label) => label.length)),
  )
  const columns = size === 'wide' ? shown.length : 1
  const panelWidth = Math.max(120, (figureWidth[size] - labelWidth - 22 * columns) / columns)
  const panels = shown.map((percentile, index) =>
    panel(percentile, points, view, labels, panelWidth, labelWidth, columns === 1 || index === 0),
  )
  return {
    data: { values: [] },
    concat: panels,
    columns,
    spacing: 20,
    resolve: { scale: { x: 'independent' } },
  } as TopLevelSpec
}

function panel(
  percentile: string,
  points: readonly Point[],
  view: View,
  labels: readonly string[],
  width: number,
  labelWidth: number,
  withLabels: boolean,
) {
  const here = points.filter((point) => point.percentile === percentile)
  const values = here.map(({ arm, estimate }) => ({
    arm: arm.label,
    value: estimate.value,
    low: estimate.low,
    high: estimate.high,
    text: estimateText(estimate, { sign: true }).value,
    colour: arm.arm.role === 'twin' ? 'var(--muted)' : arm.colour,
    shape: arm.shape,
    tip: describe(
      arm.key,
      `${arm.label}, p${percentile}: ${sentence(estimate, { sign: true })}, n = ${estimate.n}`,
    ),
  }))
  const floors = here.filter((point) => point.arm.arm.role === 'twin').map(({ estimate }) => estimate)
  const reach =
    floors.length === 0
      ? undefined
      : Math.max(...floors.flatMap(({ low, high }) => [Math.abs(low), Math.abs(high)]))
  const domain = domainWithZero(
    [...values.flatMap((value) => [value.low, value.high]), reach ?? 0, -(reach ?? 0) / 4],
    48 / Math.max(60, width - 48),
  )
  if (reach !== undefined) domain[0] = Math.min(domain[0], -reach)
  const y = {
    field: 'arm',
    type: 'nominal',
    sort: labels,
    scale: { domain: labels },
    axis: withLabels
      ? { title: null, grid: false, labelColor: ink, labelFontSize: 12, labelLimit: labelWidth }
      : null,
  }
  const x = {
    field: 'value',
    type: 'quantitative',
    scale: { domain, nice: false },
    axis: { title: 'ms added', tickCount: 4, titleAnchor: 'start', format: '.4~r' },
  }
  return {
    title: { text: percentile === '50' ? 'median' : `p${percentile}` },
    width,
    height: { step: labels.length > 12 ? 20 : 26 },
    data: { values },
    layer: [
      ...(reach === undefined
        ? []
        : [
            {
              data: { values: [{ from: Math.max(-reach, domain[0]), to: reach }] },
              mark: { type: 'rect', fill: noiseBand },
              encoding: { x: { ...x, field: 'from' }, x2: { field: 'to' } },
            },
          ]),
      {
        data: { values: [{ zero: 0 }] },
        mark: { type: 'rule', stroke: muted },
        encoding: { x: { ...x, field: 'zero' } },
      },
      {
        mark: { type: 'rule', strokeWidth: 2.5, strokeCap: 'round' },
        encoding: {
          x: { ...x, field: 'low' },
          x2: { field: 'high' },
          y,
          stroke: { field: 'colour', type: 'nominal', scale: null },
          description: { field: 'tip' },
        },
      },
      {
        mark: { type: 'point', filled: true, size: 85, opacity: 1, stroke: 'var(--paper)', strokeWidth: 1.5 },
        encoding: {
          x,
          y,
          fill: { field: 'colour', type: 'nominal', scale: null },
          shape: { field: 'shape', type: 'nominal', scale: null },
          description: { field: 'tip' },
        },
      },
      {
        mark: { type: 'text', align: 'left', dx: 7, fontSize: 12, fill: ink },
        encoding: { x: { ...x, field: 'high' }, y, text: { field: 'text' } },
      },
    ],
    view: { stroke: null, fill: 'transparent' },
  }
}

function title(view: View): string {
  const medians = view.subjects.flatMap((arm) => {
    const found = view.compare(arm.id, latencyMetrics, { percentile: 50 })
    return found === undefined
      ? []
      : [{ arm, estimate: found.difference, isClear: found.verdict !== 'inconclusive' }]
  })
  const sorted = medians.sort((a, b) => a.estimate.value - b.estimate.value)
  const [least, most] = [sorted[0], sorted.at(-1)]
  if (least === undefined || most === undefined) return 'What each path adds to latency'
  const clear = (one: typeof least) => one.isClear
  const figure = (one: typeof least) => `${fixed(one.estimate.value, one.estimate.value < 0.1 ? 3 : 2)} ms`
  if (least === most) return `${most.arm.label} adds ${figure(most)} at the median`
  if (!medians.some(clear)) return 'No path adds a delay that this run could tell from zero'
  return `At the median ${least.arm.label} adds ${clear(least) ? figure(least) : 'nothing measurable'}, ${most.arm.label} ${clear(most) ? figure(most) : 'an amount that is not certain'}`
}
