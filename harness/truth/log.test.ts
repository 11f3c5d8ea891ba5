import { describe, expect, it } from 'vitest'
import {
  arrivalsOf,
  countFate,
  latenesses,
  parseLog,
  percentileOf,
  rateOf,
  responseTimes,
  serviceTimes,
  withoutFirst,
} from './log.js'

const base = 1_795_857_514_000_000_000n

/** A record as server.c writes it; times in µs from the base, 0 for none. */
function record(
  kind: number,
  fields: { arrivedUs?: number; sentUs?: number; index?: number; fate?: number; connection?: number },
): Buffer {
  const bytes = Buffer.alloc(48)
  const { arrivedUs = 0, sentUs, index = 0, fate = 0, connection = 1 } = fields
  bytes.writeUInt32LE(kind, 0)
  bytes.writeUInt32LE(connection, 4)
  bytes.writeBigUInt64LE(base + BigInt(arrivedUs * 1000), 8)
  bytes.writeBigUInt64LE(sentUs === undefined ? 0n : base + BigInt(sentUs * 1000), 24)
  bytes.writeUInt32LE(index, 32)
  bytes.writeUInt32LE(fate, 36)
  return bytes
}
const [request, opened, closed] = [0, 1, 2]
const logOf = (...records: Buffer[]) => parseLog(Buffer.concat([record(opened, {}), ...records]))

describe('the server’s log', () => {
  it('is read to the last request, with the fate of each', () => {
    const log = logOf(
      record(request, { arrivedUs: 1000, sentUs: 1200 }),
      record(request, { arrivedUs: 3000, index: 1, fate: 4 }),
      record(closed, { arrivedUs: 3100, fate: 1 }),
    )
    expect(log.requests).toEqual([
      { connection: 1, index: 0, arrivedUs: 1000, sentUs: 1200, fate: 'whole' },
      { connection: 1, index: 1, arrivedUs: 3000, sentUs: undefined, fate: 'lost' },
    ])
    expect([log.connectionsOpened, log.cutOff, countFate(log, 'lost')]).toEqual([1, 1, 1])
    expect(serviceTimes(log)).toEqual([200])
    expect(() => parseLog(Buffer.alloc(47))).toThrow(/cut short/)
    expect(parseLog(Buffer.alloc(0)).requests).toEqual([])
  })

  it('leaves out what came first, in whatever order it was read', () => {
    const log = logOf(
      record(request, { arrivedUs: 3000, sentUs: 3300 }),
      record(request, { arrivedUs: 1000, sentUs: 1200 }),
      record(request, { arrivedUs: 2000, sentUs: 2200 }),
    )
    expect(withoutFirst(log, 2).requests.map(({ arrivedUs }) => arrivedUs)).toEqual([3000])
    expect(withoutFirst(log, 0)).toBe(log)
  })

  it('charges what was due in a freeze, whoever sent it late', () => {
    // 1 000/s; the server stands still from 2 to 7 ms, and the one connection sends nothing meanwhile.
    const replies = [0, 1, 7, 7.1, 7.2, 7.3, 7.4, 7.5, 8]
    const log = logOf(
      ...replies.map((ms, index) =>
        record(request, { arrivedUs: ms === 7 ? 2000 : ms * 1000, sentUs: ms * 1000 + 10, index }),
      ),
    )
    expect(percentileOf(serviceTimes(log), 50)).toBe(10)
    expect(responseTimes(log, 1000).map(Math.round)).toEqual([10, 10, 5010, 4110, 3210, 2310, 1410, 510, 10])
  })

  it('tells rate and bursts by arrival, in whatever order they were read', () => {
    const times = [0, 10, 20, 5000, 2000]
    const log = logOf(
      ...times.map((arrivedUs, index) => record(request, { arrivedUs, sentUs: arrivedUs, index })),
    )
    expect(rateOf(log)).toBeCloseTo(800)
    expect(arrivalsOf(log)).toEqual({ burstShare: 0.5, largestBurst: 3 })
    expect(rateOf(logOf())).toBe(0)
  })

  it('tells how late a request came, however the first one did', () => {
    const arrivals = [900, 2000, 4000, 6700, 8000, 10_000]
    const log = logOf(...arrivals.map((arrivedUs, index) => record(request, { arrivedUs, index })))
    expect(latenesses(log, 500)).toEqual([900, 0, 0, 700, 0, 0])
  })
})
