/** One window of a load on a subject, and the CPU that each of its hops used in it. */
import { cpuNs } from '../counters.js'
import type { Round } from '../tables.js'
import type { Load } from './families.js'
import type { RunningSubject } from './subject.js'

export async function measure(load: Load, running: RunningSubject, seconds: number): Promise<Round> {
  const edges: number[][] = []
  const outcome = await load.driver(running.entry, seconds, () => {
    edges.push(running.hops.map(({ pid }) => cpuNs(pid)))
  })
  const [before = [], after = []] = edges
  const { unitsPerRequest = 1 } = load
  const units = outcome.requests * unitsPerRequest
  return {
    hopCpuUs: after.map((ns, i) => (ns - (before[i] as number)) / 1000 / units),
    requestsPerSecond: outcome.requestsPerSecond * unitsPerRequest,
    errors: outcome.errors,
  }
}
