/** Answers "what does each path add?": a dot with its interval per arm and percentile, zero and the noise floor behind. */
import { hasNoInterval } from '../../../harness/analyze/words.js'
import type { Estimate } from '../../../harness/model.js'
import { estimateText, paceText, roundsText, sentence } from '../../formats/format.js'
import type { FigureBook } from '../../page/figures.js'
import { figureWidth, muted, noiseBand, type Size } from '../../page/theme.js'
import { latencyMetrics, percentiles, type Added, type ArmView, type View } from '../../page/view.js'
import type { Chart, ChartBuilder, Table, TableCell } from '../chart.js'
import { domainWithZero } from '../layout.js'
import { armAxis, datum, figureMark, pointMark, spanMark, valueAxis, zeroLine } from '../marks.js'

interface Point extends Added {
  readonly at: (typeof percentiles)[number]
  readonly arm: ArmView
}

export const addedLatency: ChartBuilder = (view, book): Chart | undefined => {
  const { lead } = view
  if (lead === undefined) return undefined
  const arms = [...view.subjects, ...view.arms.filter((arm) => arm.arm.role === 'twin')]
  const points = percentiles.flatMap((at) =>
    arms.flatMap((arm): Point[] => {
      const found = view.added(arm.id, 'latency', { percentile: Number(at) })
      return found === undefined ? [] : [{ ...found, at, arm }]
    }),
  )
  if (points.length === 0) return undefined
  return {
    title: title(view),
    caption:
      `Difference to the baseline, paired within rounds, at ${paceText(lead.load)}. Dots are estimates, lines 95 % intervals` +
      ` over ${roundsText(points.map(({ estimate }) => estimate))}; the shaded band is the noise floor (the interval of the A/A difference${view.environments.length > 1 ? `, the widest of ${view.environments.length} environments` : ''}).`,
    alternative: points
      .filter(({ at }) => at === '50')
      .map(({ arm, estimate }) => `${arm.label}: ${sentence(estimate, { sign: true })} at the median`)
      .join('; '),
    table: tableOf(arms, points, book),
    spec: (size) => build(points, size),
  }
}

const shownOf = (points: readonly Point[]) =>
  percentiles.filter((percentile) => points.some(({ at }) => at === percentile))

function tableOf(arms: readonly ArmView[], points: readonly Point[], book: FigureBook): Table {
  const shown = shownOf(points)
  const cell = (arm: ArmView, percentile: string): TableCell =>
    book.added(points.find((point) => point.arm === arm && point.at === percentile))
  return {
    columns: ['arm', ...shown.map((percentile) => `added p${percentile}, ms`)],
    rows: arms.map((arm) => [arm.label, ...shown.map((percentile) => cell(arm, percentile))]),
  }
}

function build(points: readonly Point[], size: Size): object {
  const shown = shownOf(points)
  const axis = armAxis(
    points.map(({ arm }) => ({ arm: arm.label })),
    size,
    [20, 26],
  )
  const columns = size === 'wide' ? shown.length : 1
  const width = Math.max(120, (figureWidth[size] - axis.labelWidth - 22 * columns) / columns)
  const panels = shown.map((percentile, index) => ({
    title: { text: percentile === '50' ? 'median' : `p${percentile}` },
    width,
    height: axis.rowHeight,
    view: { stroke: null, fill: 'transparent' },
    ...panel(
      points.filter(({ at }) => at === percentile),
      columns === 1 || index === 0 ? axis.y : { ...axis.y, axis: null },
      width,
    ),
  }))
  return {
    data: { values: [] },
    concat: panels,
    columns,
    spacing: 20,
    resolve: { scale: { x: 'independent' } },
  }
}

/** One percentile: every arm on an axis of its own, with the reach of the noise floor behind. */
function panel(
  points: readonly Point[],
  y: { readonly sort: readonly string[]; readonly axis: object | null },
  width: number,
) {
  const values = points.map(({ arm, at, estimate }) => ({
    ...datum(arm, estimate, `${arm.label}, p${at}: ${sentence(estimate, { sign: true })}, n = ${estimate.n}`),
    text: estimateText(estimate, { sign: true }).value,
    ...(arm.arm.role === 'twin' ? { colour: muted } : {}),
  }))
  const reach = reachOf(points.filter(({ arm }) => arm.arm.role === 'twin'))
  const room = 48 / Math.max(60, width - 48)
  const domain = domainWithZero([...values, { low: -(reach ?? 0) / 4, high: reach ?? 0 }], room)
  if (reach !== undefined) domain[0] = Math.min(domain[0], -reach)
  const x = valueAxis(domain, { title: 'ms added', tickCount: 4 })
  const rows = { ...y, scale: { domain: y.sort } }
  const band = {
    data: { values: [{ from: -(reach ?? 0), to: reach }] },
    mark: { type: 'rect', fill: noiseBand },
    encoding: { x: { ...x, field: 'from' }, x2: { field: 'to' } },
  }
  return {
    data: { values },
    layer: [
      ...(reach === undefined ? [] : [band]),
      zeroLine(x),
      spanMark(x, rows, { strokeWidth: 2.5 }),
      pointMark(x, rows, 85),
      figureMark(x, rows, 'high', {}),
    ],
  }
}

/** How far from zero the interval of the A/A difference reaches; undefined where it has none. */
function reachOf(floors: readonly { readonly estimate: Estimate }[]): number | undefined {
  const known = floors.map(({ estimate }) => estimate).filter((estimate) => !hasNoInterval(estimate))
  if (known.length === 0) return undefined
  return Math.max(...known.flatMap(({ low, high }) => [Math.abs(low), Math.abs(high)]))
}

/** Only what a verdict is sure of, beside others that are looked at: what it is not sure of is not nothing. */
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
  const amount = ({ estimate, isClear }: typeof least) =>
    isClear ? `${estimateText(estimate).value} ${estimate.unit}` : 'an amount that is not certain'
  if (!medians.some(({ isClear }) => isClear))
    return `What ${least === most ? least.arm.label : 'each path'} adds at the median is not certain`
  return least === most
    ? `${most.arm.label} adds ${amount(most)} at the median`
    : `At the median ${least.arm.label} adds ${amount(least)}, ${most.arm.label} ${amount(most)}`
}
