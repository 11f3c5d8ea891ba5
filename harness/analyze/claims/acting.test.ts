/** What the verdicts on acting experiments may say by chance, simulated at the limit itself, where chance is all there is. */
import { expect, it } from 'vitest'
import { seededRandom } from '../../protocol/random.js'
import { syntheticJournal, type SyntheticOptions } from '../../testdata/synthetic-journal.js'
import { cameUpBefore } from '../../testing/analysis.js'
import { analyze } from '../analyze.js'
import { comparePaired } from '../estimates.js'
import { limits, verdictOfC11 } from './acting.js'
import { decide, type Decision } from './decision.js'

const rounds = 9
const runs = 200
/** Of a round's p99, as a log ratio: rounds are independent, each pair shares what its round was like. */
const spread = 0.25

/** Shares of verdicts over simulated runs whose true ratio is `ratio`. */
function verdicts(ratio: number, limit: number, n = rounds): Record<Decision, number> {
  const random = seededRandom(7)
  const normal = () => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random())
  const counts = { supported: 0, refuted: 0, inconclusive: 0 }
  for (let run = 0; run < runs; run++) {
    const common = Array.from({ length: n }, () => Math.exp(0.5 * normal()))
    const reference = common.map((of) => of * Math.exp(spread * normal()))
    const treated = common.map((of) => of * ratio * Math.exp(spread * normal()))
    const settings = { seed: run + 1, rounds: { min: n, max: n, untilEffect: 0.05, budgetMinutes: 1 } }
    const estimate = comparePaired(treated, reference, settings, { unit: 'ms', cells: [] }).ratio
    counts[decide(estimate, limit)] += 1 / runs
  }
  return counts
}

/** Twice the standard error of a share of 0.05 in so many runs. */
const byChance = 0.05 + 2 * Math.sqrt((0.05 * 0.95) / runs)

it.each([limits.badlyIsolated, limits.highTail])('at a limit of %d few runs decide anything', (limit) => {
  const { supported, refuted } = verdicts(limit, limit)
  expect(supported).toBeLessThan(byChance)
  expect(refuted).toBeLessThan(byChance)
})

it('an effect of twice the limit is found, and so is none at all', () => {
  expect(verdicts(2 * limits.badlyIsolated, limits.badlyIsolated).supported).toBeGreaterThan(0.8)
  expect(verdicts(1, limits.highTail).refuted).toBeGreaterThan(0.8)
})

it('two rounds decide nothing, whatever they show', () => {
  expect(verdicts(10, limits.badlyIsolated, 2).inconclusive).toBeCloseTo(1)
})

/** A proxy on a JVM beside sidecars that run on none: its p99 and its memory, against theirs, in truth. */
const claimOfJvm = (tail: number, size: number, more: Partial<SyntheticOptions> = {}, roundsALife = 3) => {
  const journal = syntheticJournal({
    ...{ experiments: ['pauses'], durationMs: 400, invalidShare: 0, failedShare: 0 },
    arms: ['l7-per-node', 'l7-sidecar-to-sidecar'],
    others: { finagle: ['l7-per-node'] },
    runtimes: { finagle: 'jvm' },
    // A hop less than between sidecars: what one hop takes of 0.16 + 0.13 ms, and two of 0.16 + 0.26.
    effect: { 'finagle/l7-per-node': { latency: (tail * 0.42) / 0.29, memory: size } },
    ...more,
  })
  const isNew = (round: number, before: number | undefined) =>
    before !== undefined && round !== before && round % roundsALife === 0
  const anew = cameUpBefore(journal, (trial, before) => isNew(trial.round, before?.round))
  return analyze(anew).claims.find(({ id }) => id === 'C11')
}

it('C11 is decided by a JVM, where the run has one, by both of its halves', () => {
  expect(claimOfJvm(4, 4)).toMatchObject({ verdict: 'supported' })
  expect(claimOfJvm(4, 1)).toMatchObject({ verdict: 'refuted' })
  expect(claimOfJvm(1, 4)).toMatchObject({ verdict: 'refuted' })
  expect(claimOfJvm(4, 4)?.sentence).toContain('On finagle, a JVM,')
  const few = claimOfJvm(4, 4, { rounds: 2 })
  expect(few).toMatchObject({ verdict: 'inconclusive' })
  expect(few?.next).toContain('rounds')
})

// The interval lies far from the limit: it is not that which leaves it open.
it.each([
  [20, 4, 'one process'],
  [20, 1, 'one process'],
  [5, 4, '2 processes'],
])(
  'C11’s half on memory is open in lives of %d of ten rounds, where it was %d times',
  (life, size, lives) => {
    const claim = claimOfJvm(4, size, {}, life)
    expect(claim).toMatchObject({ verdict: 'inconclusive' })
    expect(claim?.sentence).toContain(`by rounds of ${lives} of each, which do not tell what another takes`)
    expect(claim?.next).toContain('--blocks 3')
  },
)

it('C11 is refuted by its tail alone, which is another in each round, whatever is known of memory', () => {
  expect(claimOfJvm(1, 4, {}, 20)).toMatchObject({ verdict: 'refuted' })
})

it('C11 without a JVM is judged by pauses that are injected', () => {
  const injected = claimOfJvm(4, 4, { others: {}, effect: {} })
  expect(injected?.sentence).toContain('On reference')
  expect(claimOfJvm(4, 4, { runtimes: {} })?.sentence).not.toContain('a JVM')
})

it('C11’s halves refute alone and carry together', () => {
  const at = (low: number, high: number) => ({ low, high, n: rounds })
  const [above, below, across] = [at(2.5, 3), at(1, 1.5), at(1.5, 2.5)]
  expect(verdictOfC11(above, above)).toBe('supported')
  expect(verdictOfC11(below, above)).toBe('refuted')
  expect(verdictOfC11(across, below)).toBe('refuted')
  expect(verdictOfC11(across, above)).toBe('inconclusive')
})
