/** One request in a thousand is slow: it shows at its percentile, and nowhere below it. */
import { countAbove, percentileUs } from '../../load/histogram.js'
import { type Answer, tolerance } from './check.js'
import type { Rig } from './rig.js'

const delayMs = 50
const every = 1000
const spec = { ratePerSecond: 2000, warmupMs: 0, durationMs: 5000 }

export async function checkSlow(rig: Rig): Promise<Answer[]> {
  const server = await rig.echo({ slow: { every, delayMs } })
  const { result } = await rig.load('open-loop', spec, server)
  await server.kill()
  const { service } = result
  if (!service) throw new Error('the engine recorded no service times')
  const slow = (spec.ratePerSecond * spec.durationMs) / 1000 / every
  const base = { check: 'slow', unit: 'ms' }
  return [
    {
      ...base,
      what: `1 ‰ slower by ${delayMs} ms: p99.95 is theirs`,
      expected: delayMs,
      measured: percentileUs(service, 99.95) / 1000,
      tolerance: tolerance(delayMs, 0.05),
    },
    {
      ...base,
      what: 'p99.85 is not',
      expected: delayMs / 2,
      measured: percentileUs(service, 99.85) / 1000,
      rule: 'atMost',
    },
    {
      ...base,
      unit: 'requests',
      what: `requests that took ${delayMs} ms or more`,
      expected: slow,
      measured: countAbove(service, delayMs * 1000 - 50),
      tolerance: tolerance(slow, 0.05),
    },
  ]
}
