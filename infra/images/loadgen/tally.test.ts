import { describe, expect, it } from 'vitest'
import { percentileOfCounts } from '../../../harness/protocol/histogram.js'
import { Tally, errorsOf, mergeCounts, percentileUs, record } from './tally.js'

describe('a tally', () => {
  it('adds up over senders and finds percentiles in the sum', () => {
    const tallies = [new Tally(), new Tally()]
    for (let us = 1; us <= 1000; us++) record((tallies[us % 2] as Tally).service, us)
    const counts = mergeCounts(tallies, 'service')
    expect(percentileOfCounts(counts, 50)).toBe(500)
    expect(percentileOfCounts(counts, 99.9)).toBe(999)
    expect(percentileOfCounts(counts, 100)).toBe(1000)
    expect(percentileOfCounts(new Float64Array(10), 50)).toBeUndefined()
  })

  it('tells the percentile of what was answered so far, as the merged counts do', () => {
    const tallies = [new Tally(), new Tally()]
    expect(percentileUs(tallies, 'response', 99)).toBeUndefined()
    for (let us = 1; us <= 1000; us++) {
      const tally = tallies[us % 2] as Tally
      record(tally.response, us * 10)
      tally.add('ok')
    }
    for (const percentile of [1, 50, 99, 99.9, 100])
      expect(percentileUs(tallies, 'response', percentile)).toBe(
        percentileOfCounts(mergeCounts(tallies, 'response'), percentile),
      )
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
    expect(percentileOfCounts(mergeCounts([reader], 'sendLag'), 50)).toBe(7)
    writer.startPhase()
    expect(reader.get('sent')).toBe(0)
    expect(reader.get('connectionsOpened')).toBe(3)
    expect(percentileOfCounts(mergeCounts([reader], 'sendLag'), 50)).toBeUndefined()
  })
})
