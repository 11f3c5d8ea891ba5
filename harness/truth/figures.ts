/** Figures of what a tool reported: percentiles, counts, the step of its times, and a median with its error. */
import { sampleStandardDeviation } from 'simple-statistics'
import { studentQuantile } from '../stats/student.js'
import type { ToolReport } from '../../infra/images/loadgen/tools/tool.js'
import { percentileOf } from './log.js'

/** Smallest reported time in µs that `percentile` per cent do not exceed; NaN without a report. */
export function latencyPercentile(
  { report }: { readonly report: ToolReport | undefined },
  percentile: number,
): number {
  const steps = [...(report?.latency ?? [])].filter(([, count]) => count > 0).sort(([a], [b]) => a - b)
  const total = steps.reduce((sum, [, count]) => sum + count, 0)
  const rank = Math.ceil((percentile / 100) * total - 1e-6)
  let seen = 0
  for (const [us, count] of steps) {
    seen += count
    if (seen >= rank) return us
  }
  return steps.at(-1)?.[0] ?? Number.NaN
}

/** Everything that it says it sent: answered or failed. */
export function reportedTotal({ ok, errors }: ToolReport): number {
  return Object.values(errors).reduce((sum, count) => sum + count, ok)
}

const steps = [1000, 500, 100, 50, 10, 5, 1]

/** The coarsest step, in µs, in which all reported times lie, wherever it begins; 1 at the finest. */
export function stepOf(runs: readonly { readonly report: ToolReport | undefined }[]): number {
  const sorted = runs.map(({ report }) =>
    [...(report?.latency ?? [])].map(([us]) => us).sort((a, b) => a - b),
  )
  // Some histograms end at the fastest and at the slowest request, in the middle of a step.
  const inner = new Set(sorted.flatMap((times) => times.slice(1, -1)))
  const times = inner.size > 1 ? [...inner] : sorted.flat()
  const offset = (us: number, step: number) => Math.round((us % step) * 100) % (step * 100)
  return steps.find((step) => new Set(times.map((us) => offset(us, step))).size <= 1) ?? 1
}

/** The median of repeats, and half of the 95 % interval of their mean (Student); no error of one alone. */
export function middleWithError(values: readonly number[]): {
  readonly value: number
  readonly error?: number
} {
  const value = percentileOf(values, 50)
  if (values.length < 2) return { value }
  const error = sampleStandardDeviation([...values]) / Math.sqrt(values.length)
  return { value, error: studentQuantile(0.975, values.length - 1) * error }
}
