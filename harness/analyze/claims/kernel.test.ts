/** C10 on journals of known truth, and what its verdict may say by chance at the limit itself. */
import { expect, it } from 'vitest'
import { seededRandom } from '../../protocol/random.js'
import { holm } from '../../stats/families.js'
import { syntheticJournal } from '../../testdata/synthetic-journal.js'
import { analyze } from '../analyze.js'
import { atMost, kernelTests, kernelVerdict, type KernelCosts } from './kernel.js'

/** What the application and the kernel use in truth, relative to the baseline, where both do L4. */
const claimOf = (ebpf: number, rules: number, more: object = {}) => {
  const journal = syntheticJournal({
    ...{
      experiments: ['latency'],
      durationMs: 4000,
      ratesPerSecond: [1000],
      invalidShare: 0,
      failedShare: 0,
    },
    arms: ['l7-per-node'],
    others: { nftables: ['l4-kernel'], ebpf: ['l4-kernel'] },
    effect: { 'ebpf/l4-kernel': { cpu: ebpf }, 'nftables/l4-kernel': { cpu: rules } },
    ...more,
  })
  return analyze(journal).claims.find(({ id }) => id === 'C10')
}

it('supports, refutes and leaves open by what was added to the host', () => {
  expect(claimOf(1.02, 1.6)).toMatchObject({ verdict: 'supported' })
  // As dear as the rules, though far from an L7 hop.
  expect(claimOf(1.6, 1.6)).toMatchObject({ verdict: 'refuted' })
  // Cheaper than half the rules, dearer than half an L7 hop.
  expect(claimOf(2.5, 9)).toMatchObject({ verdict: 'refuted' })
  const open = claimOf(1.02, 1.6, { rounds: 2 })
  expect(open).toMatchObject({ verdict: 'inconclusive' })
  expect(open?.next).toContain('rounds')
  expect(claimOf(1, 1, { others: { nftables: ['l4-kernel'] } })).toMatchObject({ verdict: 'no data' })
})

it('is left open by windows so short that the host’s ticks are more of a request than what is asked for', () => {
  // A tick of 10 ms at each edge is 50 µs of each of 400 requests, and half of what the rules add is 14.
  expect(claimOf(1.02, 1.6, { durationMs: 400 })).toMatchObject({ verdict: 'inconclusive' })
})

const rounds = 12
const runs = 200

/** Shares of verdicts where eBPF adds `share` of what rules and hop add in truth, in rounds that share what they were like. */
function verdicts(share: number) {
  const random = seededRandom(11)
  const normal = () => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random())
  const counts = { supported: 0, refuted: 0, inconclusive: 0, 'no data': 0 }
  for (let run = 0; run < runs; run++) {
    const common = Array.from({ length: rounds }, () => 400 * Math.exp(0.2 * normal()))
    const around = (addition: number) => common.map((of) => of + addition + 12 * normal())
    const costs: KernelCosts = {
      baseline: around(0),
      ebpf: around(100 * share),
      rules: around(100),
      hop: around(100),
    }
    const limits = { min: rounds, max: rounds, untilEffect: 0.05, budgetMinutes: 1 }
    const settings = { seed: run + 1, rounds: limits }
    counts[kernelVerdict(costs, holm(kernelTests(costs, settings)), settings)] += 1 / runs
  }
  return counts
}

it('at the limit of both few runs decide anything, and far from it nearly all do', () => {
  const byChance = 0.05 + 2 * Math.sqrt((0.05 * 0.95) / runs)
  const { supported, refuted } = verdicts(atMost)
  expect(supported).toBeLessThan(byChance)
  expect(refuted).toBeLessThan(byChance)
  expect(verdicts(0.1).supported).toBeGreaterThan(0.8)
  expect(verdicts(1).refuted).toBeGreaterThan(0.8)
})
