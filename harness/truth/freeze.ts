/** A server that stands still: open loop charges every request that falls due meanwhile, as arithmetic says. */
import { countAbove, maxUs, percentileUs } from '../load/histogram.js'
import { type Answer, median, tolerance } from './check.js'
import type { LoadRun, Rig } from './rig.js'

const repeats = 3
export const freezeMs = 200
const ratePerSecond = 1000
const durationMs = 5000
const warmupMs = 300
/** A request is late when it took longer than half the freeze. */
const lateMs = freezeMs / 2
export const freezeAfterRequests = 2500

/**
 * The response time, in ms, that `percentile` of all requests do not exceed: the request that starts the freeze waits for
 * all of it, and each that is due one interval later waits one interval less.
 */
export function frozenPercentileMs(percentile: number, requests: number): number {
  const slower = requests - Math.ceil((percentile / 100) * requests - 1e-6)
  return freezeMs - (slower * 1000) / ratePerSecond
}

export async function checkFreeze(rig: Rig): Promise<Answer[]> {
  const runs: LoadRun[] = []
  for (let repeat = 0; repeat < repeats; repeat++) {
    const server = await rig.echo({ freeze: { afterRequests: freezeAfterRequests, durationMs: freezeMs } })
    runs.push(await rig.load('open-loop', { ratePerSecond, warmupMs, durationMs }, server))
    await server.kill()
  }
  const measure = (read: (histogram: NonNullable<LoadRun['result']['response']>) => number): number =>
    median(runs.map(({ result }) => (result.response ? read(result.response) : Number.NaN)))
  const requests = (ratePerSecond * durationMs) / 1000
  const answer = (what: string, unit: string, expected: number, measured: number): Answer => ({
    check: 'freeze',
    what,
    unit,
    expected,
    measured,
    tolerance: tolerance(expected, 0.05),
    rule: 'near',
  })
  return [
    ...[99, 99.9].map((percentile) =>
      answer(
        `${freezeMs} ms at ${ratePerSecond} req/s: p${percentile}, median of ${repeats}`,
        'ms',
        frozenPercentileMs(percentile, requests),
        measure((histogram) => percentileUs(histogram, percentile) / 1000),
      ),
    ),
    answer(
      'max',
      'ms',
      freezeMs,
      measure((histogram) => maxUs(histogram) / 1000),
    ),
    answer(
      `requests that took more than ${lateMs} ms`,
      'requests',
      ((freezeMs - lateMs) * ratePerSecond) / 1000,
      measure((histogram) => countAbove(histogram, lateMs * 1000)),
    ),
  ]
}
