/** What the verdicts on acting experiments may say by chance, simulated at the limit itself, where chance is all there is. */
import { expect, it } from 'vitest'
import { comparePaired } from '../estimates.js'
import { seededRandom } from '../../protocol/random.js'
import { limits } from './acting.js'
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
