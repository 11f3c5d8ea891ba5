/** Formats of other tools: read back by a library that is not ours, or held against their published shape. */
import * as hdr from 'hdr-histogram-js'
import { describe, expect, test } from 'vitest'
import { analyze } from '../../harness/analyze/analyze.js'
import type { Trial } from '../../harness/model.js'
import { syntheticJournal } from '../../harness/testdata/synthetic-journal.js'
import { formats, journalFormats } from './index.js'

const journal = syntheticJournal({ rounds: 3, durationMs: 300, experiments: ['latency', 'saturation'] })
const analysis = analyze(journal)
const trials = journal.filter((entry): entry is Trial => entry.type === 'trial' && entry.state === 'ok')
const [log] = journalFormats.hlog.render(analysis, journal)

function merged(cell: string) {
  const sum = hdr.build({
    useWebAssembly: false,
    highestTrackableValue: 3_600_000_000,
    numberOfSignificantValueDigits: 3,
  })
  for (const trial of trials.filter(({ cell: id }) => id === cell)) {
    const { data = '' } = trial.load?.response ?? trial.load?.service ?? {}
    sum.add(hdr.decodeFromCompressedBase64(data, 64, false))
  }
  return sum
}

describe('HdrHistogram', () => {
  test('logs are read by a HistogramLogReader: every valid trial with its tag and its counts', () => {
    const reader = new hdr.HistogramLogReader(log?.contents ?? '', 64, false)
    const read: { tag: string; count: number; p99: number }[] = []
    for (let interval = reader.nextIntervalHistogram(); interval; interval = reader.nextIntervalHistogram())
      read.push({ tag: interval.tag, count: interval.totalCount, p99: interval.getValueAtPercentile(99) })
    expect(read).toHaveLength(trials.length)
    for (const { cell, load } of trials) {
      const own = hdr.decodeFromCompressedBase64((load?.response ?? load?.service)?.data ?? '', 64, false)
      expect(read).toContainEqual({
        tag: cell.replaceAll(' ', '_'),
        count: own.totalCount,
        p99: own.getValueAtPercentile(99),
      })
    }
  })

  test('percentiles are those that the library finds', () => {
    const files = journalFormats.hgrm.render(analysis, journal)
    expect(files.map(({ name }) => name)).toContain('latency-reference-l4-only-1000-s-c16-1024B-http1.hgrm')
    const [{ contents } = { contents: '' }] = files
    const rows = contents.split('\n').flatMap((line) => {
      const [value, percentile, count] = line.trim().split(/\s+/).map(Number)
      return line.trim() === '' || line.startsWith('#') || !Number.isFinite(value)
        ? []
        : [{ value, percentile, count }]
    })
    expect(rows.length).toBeGreaterThan(20)
    const library = merged(trials[0]?.cell ?? '')
    expect(rows.at(-1)).toMatchObject({ percentile: 1, count: library.totalCount })
    for (const { value, percentile = 0 } of rows)
      expect(value).toBeCloseTo(library.getValueAtPercentile(percentile * 100) / 1000, 2)
  })

  test('percentiles charge requests that failed the time-out, as the page does', () => {
    const failing = journal.map((entry) =>
      entry.type === 'trial' && entry.load
        ? { ...entry, load: { ...entry.load, sent: Math.round(entry.load.ok / 0.9), errors: { timeout: 1 } } }
        : entry,
    )
    const [file] = journalFormats.cnp.render(analyze(failing), failing)
    const { latencies_ms: times } = JSON.parse(file?.contents ?? '') as {
      latencies_ms: Record<string, number>
    }
    const [header] = journal
    const timeoutMs = header?.type === 'run' ? (header.plan.cells[0]?.load.timeoutMs ?? 0) : 0
    expect(times.p50).toBeLessThan(10)
    for (const name of ['p99', 'max'])
      expect(Math.abs((times[name] ?? 0) / timeoutMs - 1)).toBeLessThan(0.001)
    expect(journalFormats.hgrm.render(analyze(failing), failing)[0]?.contents).toMatch(
      new RegExp(`Max {5}= +${Math.floor(timeoutMs / 100)}`),
    )
  })

  test('trials of a search, whose rates are many, are no distribution', () => {
    const searched = syntheticJournal({ rounds: 4, experiments: ['latency', 'capacity'], durationMs: 300 })
    for (const format of ['hgrm', 'cnp'] as const) {
      const names = journalFormats[format].render(analyze(searched), searched).map(({ name }) => name)
      expect(names.filter((name) => name.startsWith('latency-')).length).toBeGreaterThan(0)
      expect(names.filter((name) => name.startsWith('capacity-'))).toEqual([])
    }
  })
})

/**
 * What Bencher's reader takes, as of bencherdev/bencher 10abc85 (`lib/bencher_adapter/src/adapters/json/v0.rs`,
 * `lib/bencher_json/src/project/metric/mod.rs`, `lib/bencher_valid/src/benchmark_name.rs` and `resource_name.rs`): one
 * name that it refuses, or one value that is not a number, and the whole file is not read.
 */
const longestBenchmarkName = 1024
const longestMeasureName = 50

test('Bencher gets a value between its bounds for every measure, by names that it takes', () => {
  const benchmarks = JSON.parse(formats.bencher.render(analysis)) as Record<
    string,
    Record<string, Record<string, number>>
  >
  for (const name of Object.keys(benchmarks))
    expect(Buffer.byteLength(name)).toBeLessThan(longestBenchmarkName)
  const measures = Object.values(benchmarks).flatMap((benchmark) => Object.entries(benchmark))
  expect(measures.length).toBeGreaterThan(50)
  for (const [name, measure] of measures) {
    expect(Buffer.byteLength(name)).toBeLessThanOrEqual(longestMeasureName)
    expect(Object.keys(measure)).toEqual(['value', 'lower_value', 'upper_value'])
    expect(measure.lower_value).toBeLessThanOrEqual(measure.value ?? Number.NaN)
    expect(measure.upper_value).toBeGreaterThanOrEqual(measure.value ?? Number.NaN)
  }
})

test('one round has no interval, and services that track figures get none; shares are in percent', () => {
  const once = analyze(
    syntheticJournal({ rounds: 1, durationMs: 300, experiments: ['latency'], failedShare: 0 }),
  )
  const benchmarks = JSON.parse(formats.bencher.render(once)) as Record<string, Record<string, object>>
  const [measures = {}] = Object.values(benchmarks)
  expect(Object.keys(measures['latency.response p50 (ms)'] ?? {})).toEqual(['value'])
  const entries = JSON.parse(formats['benchmark-smaller'].render(once)) as { name: string; range?: string }[]
  expect(entries.find(({ name }) => name.includes('latency.response p50'))).not.toHaveProperty('range')

  const failing = {
    ...analysis,
    cells: analysis.cells.map((cell) => ({
      ...cell,
      errorShare: 0.25,
    })),
  }
  const shares = (
    JSON.parse(formats['benchmark-smaller'].render(failing)) as Record<string, unknown>[]
  ).filter(({ name }) => String(name).includes('errors.share'))
  expect(shares[0]).toMatchObject({ unit: '%', value: 25 })
})

/**
 * Read back by hand with `src/extract.ts` and `src/extractRangeInfo.ts` of benchmark-action/github-action-benchmark
 * 04dcc2c: every entry as it was written, every range as a number.
 */
test('github-action-benchmark gets what is better when smaller apart from what is better when bigger', () => {
  const read = (text: string) => JSON.parse(text) as Record<string, unknown>[]
  const [smaller, bigger] = [
    read(formats['benchmark-smaller'].render(analysis)),
    read(formats['benchmark-bigger'].render(analysis)),
  ]
  for (const entry of [...smaller, ...bigger])
    expect(entry).toMatchObject({
      name: expect.any(String) as string,
      unit: expect.any(String) as string,
      value: expect.any(Number) as number,
      // The expression by which the action finds the number.
      range: expect.stringMatching(/^± \d.+$/) as string,
    })
  expect(smaller.some(({ name }) => String(name).includes('latency.response p99'))).toBe(true)
  expect(bigger.every(({ name }) => String(name).includes('throughput'))).toBe(true)
})

test('Cloud Native Performance gets the fields of a PerformanceTestResult, in order of size', () => {
  const [file] = journalFormats.cnp.render(analysis, journal)
  const result = JSON.parse(file?.contents ?? '') as Record<string, unknown>
  // Names as protos/service_mesh_performance.proto has them, as of service-mesh-performance 1a82110.
  const known = [
    'smp_version',
    'id',
    'labels',
    'start_time',
    'end_time',
    'latencies_ms',
    'actual_QPS',
    'details_uri',
  ]
  expect([...known, 'testId', 'meshConfigId', 'envId']).toEqual(expect.arrayContaining(Object.keys(result)))
  const { min, average, p50, p90, p99, max } = result.latencies_ms as Record<string, number>
  expect([min, p50, p90, p99, max]).toEqual([min, p50, p90, p99, max].sort((a, b) => a! - b!))
  expect(average).toBeGreaterThan(0)
})
