import * as hdr from 'hdr-histogram-js'
import { describe, expect, it } from 'vitest'
import type { Histogram } from '../model.js'
import { alignBuckets, decodeHistogram, mergeRows, percentileOf } from './histogram.js'
import { randomStream } from './random.js'

function record(values: readonly number[]): { histogram: Histogram; source: hdr.Histogram } {
  const source = hdr.build({ bitBucketSize: 32, numberOfSignificantValueDigits: 3 })
  for (const value of values) source.recordValue(value)
  const data = hdr.encodeIntoCompressedBase64(source)
  return {
    histogram: { unit: 'us', encoding: 'hdr-v2-deflate-base64', data, count: source.totalCount },
    source,
  }
}

const stream = randomStream(5, 'histogram')
const skewed = (count: number, scale: number) =>
  Array.from({ length: count }, () => Math.max(1, Math.round(scale * Math.exp(stream.normal()))))

describe('decodeHistogram', () => {
  it('gives back every count', () => {
    const { histogram, source } = record(skewed(5000, 300))
    const buckets = decodeHistogram(histogram)
    expect(buckets.total).toBe(5000)
    expect(buckets.count.reduce((sum, count) => sum + count, 0)).toBe(source.totalCount)
  })

  it('refuses what it cannot read', () => {
    const other = { ...record([1]).histogram, encoding: 'other' } as unknown as Histogram
    expect(() => decodeHistogram(other)).toThrow('encoded as other')
    expect(() => decodeHistogram({ ...record([1]).histogram, data: 'AAAA' })).toThrow()
  })
})

describe('percentileOf', () => {
  it('lies within the bucket that hdr-histogram-js names', () => {
    const { histogram, source } = record(skewed(20000, 900))
    const buckets = decodeHistogram(histogram)
    for (const percentile of [1, 25, 50, 90, 99, 99.9, 99.99]) {
      const theirs = source.getValueAtPercentile(percentile)
      expect(Math.abs(percentileOf(buckets, percentile) - theirs)).toBeLessThanOrEqual(1 + theirs / 1000)
    }
  })

  it('is finer than a bucket', () => {
    // 150 µs and 151 µs, mixed: the median moves with the mixture, not by whole µs.
    const median = (late: number) =>
      percentileOf(
        decodeHistogram(
          record([...Array<number>(100 - late).fill(150), ...Array<number>(late).fill(151)]).histogram,
        ),
        50,
      )
    expect(median(10)).toBeLessThan(median(30))
    expect(median(30)).toBeLessThan(150.5)
  })

  it('of nothing is not a number', () => {
    expect(percentileOf(decodeHistogram(record([]).histogram), 50)).toBeNaN()
  })
})

describe('mergeRows', () => {
  it('equals recording everything in one histogram', () => {
    const parts = [skewed(1000, 200), skewed(3000, 5000), skewed(10, 90000)]
    const whole = decodeHistogram(record(parts.flat()).histogram)
    const table = alignBuckets(parts.map((part) => decodeHistogram(record(part).histogram)))
    const merged = mergeRows(table, [1, 1, 1])
    expect(merged.total).toBe(4010)
    for (const percentile of [0.1, 50, 99, 99.9])
      expect(percentileOf(merged, percentile)).toBe(percentileOf(whole, percentile))
  })

  it('counts each as often as asked', () => {
    const table = alignBuckets([[5], [9, 9]].map((part) => decodeHistogram(record(part).histogram)))
    expect(mergeRows(table, [0, 3]).total).toBe(6)
    expect(percentileOf(mergeRows(table, [0, 3]), 1)).toBeGreaterThan(8)
  })
})
