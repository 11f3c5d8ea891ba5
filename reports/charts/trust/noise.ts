/** Shows how far two measurements of the same thing lie apart: the A/A difference of every load, as a share. */
import { fewestFirm } from '../../../harness/analyze/estimates.js'
import { hasNoInterval } from '../../../harness/analyze/words.js'
import type { Estimate } from '../../../harness/model.js'
import { drawnBounds, fixed, roundsText, sentence } from '../../formats/format.js'
import { describe } from '../../page/svg.js'
import { ink, muted, type Size } from '../../page/theme.js'
import { isUnder, type LoadView, type View } from '../../page/view.js'
import type { Chart, ChartBuilder } from '../chart.js'
import { armAxis, spanMark, tip, valueAxis, zeroLine } from '../marks.js'

interface Dot {
  readonly load: string
  readonly measure: string
  readonly estimate: Estimate
  /** Baseline's own figure, to express the difference as a share. */
  readonly base: number
}

export const noise: ChartBuilder = (view, book): Chart | undefined => {
  const dots = view.analysis.noise.flatMap((floor): Dot[] => {
    const load = view.loads.find(isUnder(floor))
    const baseline = view.arms.find(
      (arm) => arm.arm.role === 'baseline' && arm.arm.environment === floor.environment,
    )
    const cell = baseline === undefined ? undefined : view.cell(baseline.id, load)
    const name = [
      load === undefined ? floor.loadLabel : loadName(load, view),
      ...(view.environments.length > 1 ? [floor.environment] : []),
    ].join(', ')
    const latency = cell?.response ?? cell?.service
    return [
      { measure: 'p50', estimate: floor.latencyP50, base: latency?.['50']?.value },
      { measure: 'p99', estimate: floor.latencyP99, base: latency?.['99']?.value },
      { measure: 'CPU', estimate: floor.cpu, base: cell?.cpu?.value },
    ].flatMap(({ measure, estimate, base }) =>
      estimate === undefined || base === undefined || !(base > 0)
        ? []
        : [{ load: name, measure, estimate, base }],
    )
  })
  if (dots.length === 0) return undefined
  const { noise: floors } = view.analysis
  const widest = Math.max(
    ...dots
      .filter(({ estimate }) => !hasNoInterval(estimate))
      .map(({ estimate, base }) => Math.max(Math.abs(estimate.low), Math.abs(estimate.high)) / base),
  )
  return {
    title: floors.some(({ differs }) => differs)
      ? 'The baseline differs from itself: this run is less certain than its intervals say'
      : floors.some(({ latencyP50 }) => latencyP50.n >= fewestFirm)
        ? 'The baseline measured twice does not differ from itself'
        : 'Too few rounds to tell whether the baseline differs from itself',
    caption: `Difference between the baseline and its twin, as a share of the baseline, with 95 % intervals, ${roundsText(dots.map(({ estimate }) => estimate))}.${Number.isFinite(widest) ? ` The widest interval reaches ${fixed(widest * 100, widest < 0.1 ? 1 : 0)} %: effects smaller than that are noise here.` : ''}`,
    alternative: dots
      .map((dot) => `${dot.load} ${dot.measure}: ${sentence(dot.estimate, { sign: true })}`)
      .join('; '),
    table: {
      columns: ['load', 'measure', 'difference', 'unit'],
      rows: dots.map((dot) => [
        dot.load,
        dot.measure,
        book.added({ metric: `noise.${dot.measure}`, estimate: dot.estimate }),
        dot.estimate.unit,
      ]),
    },
    spec: (size) => build(dots, size),
  }
}

/** `at 1 000/s` where the rate tells loads apart, else the label, with its experiment where others have the same. */
function loadName({ load, loadLabel, experiment }: LoadView, { loads }: View): string {
  const rates = loads.map(({ load: spec }) => spec.ratePerSecond)
  if (load.ratePerSecond !== undefined && new Set(rates).size === rates.length)
    return `at ${fixed(load.ratePerSecond, 0)}/s`
  return loads.filter(({ loadLabel: label }) => label === loadLabel).length > 1
    ? `${experiment}, ${loadLabel}`
    : loadLabel
}

function build(dots: readonly Dot[], size: Size): object {
  const values = dots.map(({ measure, load, estimate, base }) => {
    const share = (difference: number) => (difference / base) * 100
    const { low, high } = drawnBounds(estimate)
    return {
      arm: `${measure} ${load}`,
      ...{ value: share(estimate.value), low: share(low), high: share(high) },
      tip: describe('', `${measure}: ${sentence(estimate, { sign: true })}`),
    }
  })
  const { plotWidth, rowHeight, y } = armAxis(values, size, [18, 24])
  const reach = Math.max(...values.flatMap(({ low, high }) => [Math.abs(low), Math.abs(high)])) * 1.1
  const x = valueAxis([-reach, reach], { title: 'difference of the twin, % of the baseline', tickCount: 6 })
  return {
    width: plotWidth,
    height: rowHeight,
    data: { values },
    layer: [
      zeroLine(x),
      spanMark(x, y, { strokeWidth: 2.5, stroke: muted }),
      {
        mark: { type: 'point', filled: true, size: 70, opacity: 1, fill: ink },
        encoding: { x, y, description: tip },
      },
    ],
  }
}
