/** Histograms of a journal as others read them: a log of every trial, and percentiles of every arm. */
import {
  bucketHighestUs,
  bucketIndex,
  bucketLowestUs,
  decodeCounts,
  percentileOfCounts,
} from '../../harness/protocol/histogram.js'
import { failedIn } from '../../harness/analyze/readings.js'
import type { JournalEntry, Trial } from '../../harness/model.js'

/** A valid trial's times, from due where the engine knows it. */
function timesOf(trial: Trial) {
  return trial.load?.response ?? trial.load?.service
}

const valid = (entries: readonly JournalEntry[]): Trial[] =>
  entries.filter((entry): entry is Trial => entry.type === 'trial' && entry.state === 'ok')

/**
 * An HdrHistogram log, version 1.3: one line a valid trial, tagged with its cell; times in µs. Interval_Max is in ms.
 * https://github.com/HdrHistogram/HdrHistogram, src/main/java/org/HdrHistogram/HistogramLogWriter.java
 */
export function renderHistogramLog(entries: readonly JournalEntry[]): string {
  const trials = valid(entries).filter((trial) => timesOf(trial))
  const starts = trials.map(({ startedAt }) => Date.parse(startedAt) / 1000)
  const first = starts.reduce((least, start) => Math.min(least, start), Infinity)
  const origin = Number.isFinite(first) ? first : 0
  const lines = trials
    .map((trial, index) => ({ trial, at: (starts[index] ?? origin) - origin }))
    .sort((a, b) => a.at - b.at)
    .map(({ trial, at }) => {
      const histogram = timesOf(trial)
      const seconds = (trial.load?.windowMs ?? 0) / 1000
      const highest = histogram === undefined ? 0 : highestOf(decodeCounts(histogram)) / 1000
      // A tag must hold neither a comma nor white space.
      const tag = trial.cell.replace(/[\s,]+/g, '_')
      return `Tag=${tag},${at.toFixed(3)},${seconds.toFixed(3)},${highest.toFixed(3)},${histogram?.data ?? ''}`
    })
  return [
    '#[Histogram log format version 1.3]',
    `#[StartTime: ${origin.toFixed(3)} (seconds since epoch), ${new Date(origin * 1000).toISOString()}]`,
    '"StartTimestamp","Interval_Length","Interval_Max","Interval_Compressed_Histogram"',
    ...lines,
    '',
  ].join('\n')
}

/**
 * All valid trials of each cell as one histogram: counts are added, percentiles never averaged. Requests that failed are
 * charged the time-out, as in every other percentile. Trials of a search had rates of their own, and are left out.
 */
export function cellTimes(entries: readonly JournalEntry[]) {
  const header = entries.find((entry) => entry.type === 'run')
  const plannedAs = new Map(header?.plan.cells.map((cell) => [cell.id, cell]))
  const cells = new Map<string, Float64Array>()
  for (const trial of valid(entries)) {
    const histogram = timesOf(trial)
    const cell = plannedAs.get(trial.cell)
    if (histogram === undefined || cell === undefined || cell.search) continue
    const counts = decodeCounts(histogram)
    const failed = failedIn(trial, histogram.count)
    const timedOut = Math.max(bucketIndex(cell.load.timeoutMs * 1000), counts.length - 1)
    const known = cells.get(trial.cell)
    const length = Math.max(counts.length, known?.length ?? 0, failed > 0 ? timedOut + 1 : 0)
    const sum = new Float64Array(length)
    known?.forEach((count, index) => (sum[index] = count))
    counts.forEach((count, index) => (sum[index] = (sum[index] ?? 0) + count))
    if (failed > 0) sum[timedOut] = (sum[timedOut] ?? 0) + failed
    cells.set(trial.cell, sum)
  }
  return [...cells].map(([cell, counts]) => ({
    cell,
    counts,
    total: counts.reduce((sum, count) => sum + count, 0),
  }))
}

const ticksPerHalfDistance = 5

/**
 * Percentiles of each cell as HdrHistogram prints them (`.hgrm`), values in ms, for its plotter.
 * https://github.com/HdrHistogram/HdrHistogram, AbstractHistogram.outputPercentileDistribution
 */
export function renderPercentiles(entries: readonly JournalEntry[]) {
  return cellTimes(entries).map((times) => ({ name: `${fileName(times.cell)}.hgrm`, contents: hgrm(times) }))
}

function hgrm({ counts, total }: ReturnType<typeof cellTimes>[number]): string {
  const rows = ['       Value     Percentile TotalCount 1/(1-Percentile)', '']
  const highest = highestOf(counts)
  let percentile = 0
  for (let seen = 0; total > 0 && seen < total;) {
    const us = percentileOfCounts(counts, Math.max(percentile, Number.MIN_VALUE)) ?? 0
    seen = counts.subarray(0, bucketIndex(us) + 1).reduce((sum, count) => sum + count, 0)
    rows.push(row(us / 1000, percentile / 100, seen))
    // Steps grow denser towards 100: each halving of what is left has as many.
    const halvings = 2 ** (Math.floor(Math.log2(100 / (100 - percentile))) + 1)
    percentile += 100 / (ticksPerHalfDistance * halvings)
  }
  if (total > 0) rows.push(row(highest / 1000, 1, total))
  const { mean, deviation } = momentsOf(counts, total)
  return [
    ...rows,
    `#[Mean    = ${pad(mean / 1000)}, StdDeviation   = ${pad(deviation / 1000)}]`,
    `#[Max     = ${pad(highest / 1000)}, Total count    = ${String(total).padStart(12)}]`,
    `#[Buckets = ${'22'.padStart(12)}, SubBuckets     = ${'2048'.padStart(12)}]`,
    '',
  ].join('\n')
}

function row(value: number, share: number, seen: number): string {
  const distance = share < 1 ? (1 / (1 - share)).toFixed(2).padStart(14) : ''
  return `${pad(value)} ${share.toFixed(12)} ${String(seen).padStart(10)} ${distance}`.trimEnd()
}

const pad = (value: number) => value.toFixed(3).padStart(12)

/** Highest time that was counted, in µs. */
export function highestOf(counts: Float64Array): number {
  const index = counts.findLastIndex((count) => count > 0)
  return index < 0 ? 0 : bucketHighestUs(index)
}

/** Lowest time that was counted, in µs. */
export function lowestOf(counts: Float64Array): number {
  const index = counts.findIndex((count) => count > 0)
  return index < 0 ? 0 : bucketLowestUs(index)
}

/** Mean and standard deviation in µs, each bucket at its middle. */
export function momentsOf(counts: Float64Array, total: number): { mean: number; deviation: number } {
  const middle = (index: number) => (bucketLowestUs(index) + bucketHighestUs(index)) / 2
  const mean = counts.reduce((sum, count, index) => sum + count * middle(index), 0) / Math.max(1, total)
  const square = counts.reduce((sum, count, index) => sum + count * (middle(index) - mean) ** 2, 0)
  return { mean, deviation: Math.sqrt(square / Math.max(1, total)) }
}

/** The id of a cell or a run as the name of a file, which leads to no other folder. */
export function fileName(id: string): string {
  return id.replace(/[^A-Za-z0-9._-]+/g, '-').replace(/^[-.]+/, '')
}
