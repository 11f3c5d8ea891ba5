/** A server that stands still: open loop charges every request that falls due meanwhile, as arithmetic says. */
import { countAbove, maxUs, percentileUs } from '../../load/histogram.js'
import { median } from '../../protocol/averages.js'
import { type Answer, tolerance } from './check.js'
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
 * One for each request that can be waiting: the generator goes on sending while the server stands still. With fewer it would
 * fall asleep, too, and what waking it costs (milliseconds, on a virtual machine) would hide the answer.
 */
const connections = 256
/** As many requests as a freeze holds up, all at once: how fast they leave, two processes that had slept find out anew each time. */
const backlogRequests = (freezeMs * ratePerSecond) / 1000
const backlog = { ratePerSecond: backlogRequests * 1000, connections, warmupMs: 200, durationMs: 1 }
const backlogs = 9

/**
 * The response time, in ms, that `percentile` of all requests do not exceed: the request that starts the freeze waits for
 * all of it, and each that is due one interval later waits one interval less, but for the time in which those before it
 * leave, `drainPerSecond` at a time.
 */
export function frozenPercentileMs(percentile: number, requests: number, drainPerSecond = Infinity): number {
  const slower = requests - Math.ceil((percentile / 100) * requests - 1e-6)
  return freezeMs - slower * (1000 / ratePerSecond - 1000 / drainPerSecond)
}

/** How many requests wait for longer than `lateMs`. */
function frozenLate(drainPerSecond: number): number {
  return (freezeMs - lateMs) / (1000 / ratePerSecond - 1000 / drainPerSecond)
}

/** How fast a backlog as a freeze leaves it is worked off, in requests per second. */
async function measureDrain(rig: Rig): Promise<number> {
  const plain = await rig.echo()
  const drains: number[] = []
  for (let repeat = 0; repeat < backlogs; repeat++) {
    const { result } = await rig.load('open-loop', backlog, plain)
    drains.push((result.ok / result.windowMs) * 1000)
  }
  await plain.kill()
  return median(drains)
}

export async function checkFreeze(rig: Rig): Promise<Answer[]> {
  const drainPerSecond = await measureDrain(rig)
  const runs: LoadRun[] = []
  for (let repeat = 0; repeat < repeats; repeat++) {
    const server = await rig.echo({ freeze: { afterRequests: freezeAfterRequests, durationMs: freezeMs } })
    runs.push(await rig.load('open-loop', { ratePerSecond, connections, warmupMs, durationMs }, server))
    await server.kill()
  }
  const measure = (read: (histogram: NonNullable<LoadRun['result']['response']>) => number): number =>
    median(runs.map(({ result }) => (result.response ? read(result.response) : Number.NaN)))
  const requests = (ratePerSecond * durationMs) / 1000
  const answer = (what: string, unit: string, expected: number, measured: number): Answer => {
    return { check: 'freeze', what, unit, expected, measured, tolerance: tolerance(expected, 0.05) }
  }
  return [
    {
      check: 'freeze',
      what: `a backlog of ${backlogRequests} leaves at this rate, median of ${backlogs}`,
      unit: 'req/s',
      expected: 0,
      measured: drainPerSecond,
      rule: 'context',
    },
    ...[99, 99.9].map((percentile) =>
      answer(
        `${freezeMs} ms at ${ratePerSecond} req/s: p${percentile}, median of ${repeats}`,
        'ms',
        frozenPercentileMs(percentile, requests, drainPerSecond),
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
      frozenLate(drainPerSecond),
      measure((histogram) => countAbove(histogram, lateMs * 1000)),
    ),
  ]
}
