import { build, decodeFromCompressedBase64 } from 'hdr-histogram-js'
import { describe, expect, it } from 'vitest'
import {
  Tally,
  bucketHighestUs,
  bucketIndex,
  encodeCounts,
  errorsOf,
  mergeCounts,
  percentileOf,
  record,
} from './tally.js'

describe('buckets', () => {
  it('hold every value within one part in a thousand', () => {
    for (const us of [0, 1, 999, 2047, 2048, 2049, 4095, 4096, 123_456, 999_999_999, 2 ** 31 - 1]) {
      const highest = bucketHighestUs(bucketIndex(us))
      expect(highest).toBeGreaterThanOrEqual(us)
      expect(highest - us).toBeLessThanOrEqual(us / 1000)
    }
  })

  it('follow one another without a gap', () => {
    const gaps: number[] = []
    for (let index = 1; index < 22 * 1024; index++) {
      if (bucketIndex(bucketHighestUs(index - 1) + 1) !== index) gaps.push(index)
    }
    expect(gaps).toEqual([])
  })

  it('round to whole µs, and bound what is out of range', () => {
    expect(bucketIndex(1.5)).toBe(2)
    expect(bucketIndex(-3)).toBe(0)
    expect(bucketHighestUs(bucketIndex(1e12))).toBe(2 ** 31 - 1)
  })

  it('are those of an HDR histogram', () => {
    const ours = new Tally()
    const theirs = build({
      lowestDiscernibleValue: 1,
      highestTrackableValue: 2 ** 31 - 1,
      numberOfSignificantValueDigits: 3,
    })
    for (let i = 0; i < 5000; i++) {
      const us = Math.floor(1.0037 ** i)
      if (us > 2 ** 31 - 1) break
      record(ours.response, us)
      theirs.recordValue(us)
    }
    const counts = mergeCounts([ours], 'response')
    const decoded = decodeFromCompressedBase64(encodeCounts(counts).data, 64)
    for (const percentile of [1, 25, 50, 90, 99, 99.9, 100]) {
      expect(decoded.getValueAtPercentile(percentile)).toBe(theirs.getValueAtPercentile(percentile))
    }
    expect(decoded.totalCount).toBe(theirs.totalCount)
  })
})

describe('a tally', () => {
  it('adds up over senders and finds percentiles in the sum', () => {
    const tallies = [new Tally(), new Tally()]
    for (let us = 1; us <= 1000; us++) record((tallies[us % 2] as Tally).service, us)
    const counts = mergeCounts(tallies, 'service')
    expect(percentileOf(counts, 50)).toBe(500)
    expect(percentileOf(counts, 99.9)).toBe(999)
    expect(percentileOf(counts, 100)).toBe(1000)
    expect(percentileOf(new Float64Array(10), 50)).toBeUndefined()
    expect(encodeCounts(counts).count).toBe(1000)
  })

  it('is seen through its memory, and keeps only the connections from phase to phase', () => {
    const writer = new Tally()
    const reader = new Tally(writer.memory)
    writer.add('sent')
    writer.add('timeout', 2)
    writer.add('connectionsOpened', 3)
    record(writer.sendLag, 7)
    expect(reader.get('sent')).toBe(1)
    expect(errorsOf([reader, reader])).toEqual({ timeout: 4 })
    expect(percentileOf(mergeCounts([reader], 'sendLag'), 50)).toBe(7)
    writer.startPhase()
    expect(reader.get('sent')).toBe(0)
    expect(reader.get('connectionsOpened')).toBe(3)
    expect(percentileOf(mergeCounts([reader], 'sendLag'), 50)).toBeUndefined()
  })
})
