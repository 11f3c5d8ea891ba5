/** Figures for services that track benchmarks over time: Bencher, and the action github-action-benchmark. */
import { inPrintedUnit, unitText, whyNoInterval } from '../../harness/analyze/words.js'
import type { Analysis, Estimate } from '../../harness/model.js'
import { figureOf, isAdded, metrics } from '../../scenarios/registry.js'

interface Tracked {
  readonly arm: string
  readonly load: string
  readonly metric: string
  readonly better: 'less' | 'more'
  readonly estimate: Estimate
}

/** Every figure of every cell that was measured, shares in percent; a figure of which one side alone is known is left out. */
function tracked({ cells }: Analysis): Tracked[] {
  return cells.flatMap((cell) =>
    [...metrics.values()].flatMap((metric) =>
      isAdded(metric)
        ? []
        : (metric.percentiles ?? [undefined]).flatMap((percentile): Tracked[] => {
            const estimate = figureOf(cell, metric, percentile)
            if (!estimate || estimate.n === 0 || estimate.beyond) return []
            const name = percentile === undefined ? metric.id : `${metric.id} p${percentile}`
            const load = `${cell.experiment}, ${cell.loadLabel}`
            return [
              { arm: cell.arm, load, metric: name, better: metric.better, estimate: inPrintedUnit(estimate) },
            ]
          }),
    ),
  )
}

/** What was counted has bounds there all the same: its own figure, since a series that lacks some is no series. */
const isOfOneRound = (estimate: Estimate) => whyNoInterval(estimate) === 'one round'

/**
 * Bencher Metric Format: benchmark (an arm under a load) → measure → value with the bounds of its interval, where it has one.
 * https://bencher.dev/docs/reference/bencher-metric-format
 */
export function renderBencher(analysis: Analysis): string {
  const benchmarks: Record<string, Record<string, object>> = {}
  for (const { arm, load, metric, estimate } of tracked(analysis)) {
    const { value, low, high, unit } = estimate
    const bounds = isOfOneRound(estimate) ? {} : { lower_value: low, upper_value: high }
    const measure = `${metric}${unitText[unit] === '' ? '' : ` (${unitText[unit]})`}`
    benchmarks[`${arm} (${load})`] = {
      ...benchmarks[`${arm} (${load})`],
      [measure]: { value, ...bounds },
    }
  }
  return `${JSON.stringify(benchmarks, null, 2)}\n`
}

/**
 * Entries of github-action-benchmark's tools `customSmallerIsBetter` and `customBiggerIsBetter`; `range` is half of the
 * 95 % interval, left out where there is none. https://github.com/benchmark-action/github-action-benchmark#tool-required
 */
export function renderActionBenchmark(analysis: Analysis, better: 'less' | 'more'): string {
  const entries = tracked(analysis)
    .filter((entry) => entry.better === better)
    .map(({ arm, load, metric, estimate }) => {
      const { value, low, high, unit, n } = estimate
      return {
        name: `${arm}: ${metric} (${load})`,
        unit: unitText[unit],
        value,
        ...(isOfOneRound(estimate)
          ? { extra: 'one round' }
          : {
              range: `± ${halfText((high - low) / 2)}`,
              extra: `95 % interval ${low} to ${high}, n = ${n} rounds`,
            }),
      }
    })
  return `${JSON.stringify(entries, null, 2)}\n`
}

/** Three digits, and at least two characters: the action does not read a range of one. */
function halfText(half: number): string {
  const text = String(Number(half.toPrecision(3)))
  return text.length === 1 ? `${text}.0` : text
}
