import * as hdr from 'hdr-histogram-js'
import { describe, expect, it } from 'vitest'
import {
  bucketCount,
  bucketHighestUs,
  bucketIndex,
  bucketLowestUs,
  decodeCounts,
  encodeCounts,
  percentileOfCounts,
} from './histogram.js'
import { seededRandom } from './random.js'

const highestUs = 3_600_000_000

describe('buckets', () => {
  it('hold every value within one part in a thousand', () => {
    for (const us of [
      0,
      1,
      999,
      2047,
      2048,
      2049,
      4095,
      4096,
      123_456,
      999_999_999,
      2 ** 31 - 1,
      highestUs,
    ]) {
      const highest = bucketHighestUs(bucketIndex(us))
      expect(highest).toBeGreaterThanOrEqual(us)
      expect(highest - us).toBeLessThanOrEqual(us / 1000)
    }
  })

  it('follow one another without a gap', () => {
    const gaps: number[] = []
    for (let index = 1; index <= bucketIndex(highestUs); index++) {
      if (bucketIndex(bucketHighestUs(index - 1) + 1) !== index) gaps.push(index)
    }
    expect(gaps).toEqual([])
  })

  it('round to whole µs, and bound what is out of range', () => {
    expect(bucketIndex(1.5)).toBe(2)
    expect(bucketIndex(-3)).toBe(0)
    expect(bucketHighestUs(bucketIndex(1e12))).toBeGreaterThanOrEqual(highestUs)
  })
})

/** Times over the whole range, more of them small. */
const random = seededRandom(11)
const times = Array.from({ length: 5000 }, () => Math.floor(highestUs ** random()))
const theirs = (highest?: number) => {
  const histogram = hdr.build({
    ...(highest === undefined ? { bitBucketSize: 32 } : { highestTrackableValue: highest }),
    numberOfSignificantValueDigits: 3,
  })
  for (const us of times) histogram.recordValue(us)
  return histogram
}
const ours = () => {
  const counts = new Float64Array(bucketCount)
  for (const us of times) counts[bucketIndex(us)]! += 1
  return counts
}

describe('the encoding', () => {
  it('is read by hdr-histogram-js as it was written', () => {
    const { data, count } = encodeCounts(ours())
    const decoded = hdr.decodeFromCompressedBase64(data, 64)
    expect(count).toBe(5000)
    expect(decoded.totalCount).toBe(5000)
    for (const percentile of [0.01, 1, 25, 50, 90, 99, 99.9, 100]) {
      expect(decoded.getValueAtPercentile(percentile)).toBe(
        theirs(highestUs).getValueAtPercentile(percentile),
      )
      expect(percentileOfCounts(ours(), percentile)).toBe(decoded.getValueAtPercentile(percentile))
    }
  })

  it.each([undefined, highestUs])('reads what hdr-histogram-js writes, highest value %s', (highest) => {
    const data = hdr.encodeIntoCompressedBase64(theirs(highest))
    const counts = decodeCounts({ unit: 'us', encoding: 'hdr-v2-deflate-base64', data, count: 5000 })
    const expected = ours()
    expect([...counts]).toEqual([...expected.subarray(0, counts.length)])
    expect(expected.subarray(counts.length).every((count) => count === 0)).toBe(true)
  })

  it('holds large counts, and nothing', () => {
    const large = Float64Array.of(0, 2 ** 40, 0, 0, 7)
    expect([...decodeCounts(encodeCounts(large))]).toEqual([...large])
    expect(decodeCounts(encodeCounts(new Float64Array(0)))).toHaveLength(0)
  })

  it('is refused when it is damaged or another', () => {
    const histogram = encodeCounts(ours())
    for (const data of ['', 'AAAA', histogram.data.slice(0, 200), histogram.data.replace('H', 'I')])
      expect(() => decodeCounts({ ...histogram, data })).toThrow()
    expect(() => decodeCounts({ ...histogram, encoding: 'other' as never })).toThrow('encoded as other')
  })
})

it('buckets meet', () => {
  for (const index of [0, 2047, 2048, 3071, 3072, bucketCount - 2])
    expect(bucketLowestUs(index + 1)).toBe(bucketHighestUs(index) + 1)
})
