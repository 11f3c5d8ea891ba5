/** A neighbour whose requests each burn a known CPU in the hop that it shares: the bill of that hop rises by as much. */
import { neighbourLoads } from '../../../scenarios/experiments/isolation.js'
import { billOf } from '../../analyze/readings.js'
import type { Trial } from '../../model.js'
import { halfWidth, lying, tolerance, type Answer } from './check.js'
import { measureRun, pairedDifferences } from './whole-run.js'

const rounds = 10
const burnUs = 1000
/** Both builds burn, since a burn leaves the caches cold for what comes after it; one burns `burnUs` longer. */
const bothBurnUs = 1000
const neighbour = { ratePerSecond: 200, payloadBytes: 1024 }

/**
 * The hop burns at every request, the victim's too: what a busy neighbour adds to a quiet one's is the neighbour's own, and
 * what it adds beside the same arm without the burn is the burn. The null is the neighbour on hops of its own.
 */
export async function checkNeighbour(): Promise<Answer[]> {
  const settings = { ratePerSecond: 50, connections: 8, neighbour, warmupMs: 300, durationMs: 2000 }
  const burning = (cpuUs: number) => `set:proxy.filters.burn.cpuUs=${cpuUs}`
  const variants = [`plain=${burning(bothBurnUs)}`, `burn=${burning(bothBurnUs + burnUs)}`]
  const arms = { reference: ['l7-per-node'] }
  const { run, trials } = await measureRun('isolation', arms, settings, { rounds, variants })
  /** µs a request of the neighbour's, had it sent all of them to this hop. */
  const read = (trial: Trial): number | undefined => {
    const bill = billOf(run, trial)
    const windowMs = trial.usage?.windowMs ?? 0
    return bill && bill.hopsNs / 1000 / ((windowMs * neighbour.ratePerSecond) / 1000)
  }
  /** What the burn costs in a load, by the rounds in which both builds were measured. */
  const burnt = (load: string) => pairedDifferences(trials, load, ['burn', 'plain'], read)
  const alone = burnt(neighbourLoads.none)
  const added = (load: string): readonly number[] =>
    [...burnt(load)].flatMap(([round, value]) => {
      const own = alone.get(round)
      return own === undefined ? [] : [value - own]
    })
  const [sharing, apart] = [added(neighbourLoads.sharing), added(neighbourLoads.apart)]
  return [
    {
      check: 'isolation',
      what: `a neighbour on the same hop, ${burnUs} µs of CPU more in each of its requests: what its hop is charged beyond`,
      unit: 'µs',
      expected: burnUs,
      measured: lying(sharing),
      // Its interval covers the truth; how wide that may be is asked for below.
      tolerance: tolerance(burnUs, 0.05, halfWidth(sharing)),
    },
    {
      check: 'isolation',
      what: 'half of the 95 % interval of that, a fifth of the truth at most',
      unit: 'µs',
      expected: burnUs / 5,
      measured: halfWidth(sharing),
      rule: 'atMost',
    },
    {
      check: 'isolation',
      what: 'the same neighbour on hops of its own: the victim’s hop is charged nothing of it',
      unit: 'µs',
      expected: 0,
      measured: lying(apart),
      tolerance: tolerance(burnUs, 0.05),
    },
  ]
}
