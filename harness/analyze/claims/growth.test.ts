/** What the verdict on growth may say by chance, simulated: processes of one kind differ, and a line has to tell it from that. */
import { expect, it } from 'vitest'
import { seededRandom } from '../../protocol/random.js'
import { bounded, fitLine, slopeOf } from '../../stats/line.js'
import { comparePaired } from '../estimates.js'
import { growthLimits, overtaking, verdictOfC12, verdictOfC4 } from './growth.js'

const runs = 400
const replicas = [1, 2, 4, 8]
/** By how much processes of one program differ, MiB: more than Node's do. */
const spreadMib = 3
const perReplica = 80

/** Shares of verdicts over runs in which a replica adds so many MiB on each side, and so many ms of CPU to sidecars. */
function verdicts(own: number, shared: number, cpuMs: number, sharedIs: 'own' | 'shared' = 'shared') {
  const random = seededRandom(11)
  const normal = () => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random())
  const slope = (perUnit: number, of: 'own' | 'shared') => {
    // What a sidecar has by chance stays in all steps that it is part of; what is shared is the same in all of them.
    const processes = Array.from({ length: 8 }, () => spreadMib * normal())
    const line = fitLine(
      replicas.map((x) => ({
        x,
        y:
          60 +
          perUnit * x +
          (of === 'shared' ? spreadMib * normal() : processes.slice(0, x).reduce((sum, mib) => sum + mib, 0)),
      })),
    )
    if (!line) throw new Error('no line')
    return { ...slopeOf(line), n: 6, worstShare: line.worstShare }
  }
  const counts = { supported: 0, refuted: 0, inconclusive: 0 }
  for (let run = 0; run < runs; run++) {
    const ownSlope = slope(own, 'own')
    // A mean over six rounds.
    const cpu = bounded(cpuMs + 0.4 * normal(), 0.4, 5)
    const verdict = verdictOfC4({
      ownSlope,
      sharedSlope: slope(shared, sharedIs),
      ownCpu: { ...cpu, n: 6 },
      worstShare: ownSlope.worstShare,
    })
    counts[verdict] += 1 / runs
  }
  return counts
}

/** Twice the standard error of a share of 0.05 in so many runs. */
const byChance = 0.05 + 2 * Math.sqrt((0.05 * 0.95) / runs)

it.each(['shared', 'own'] as const)(
  'a mesh whose growth is at the limit is decided by chance alone, where deviations are those of what is %s',
  (sharedIs) => {
    const { supported, refuted } = verdicts(perReplica, growthLimits.flat * perReplica, 2, sharedIs)
    expect(supported).toBeLessThan(byChance)
    expect(refuted).toBeLessThan(byChance)
  },
)

/** Shares of verdicts over runs of six rounds in which costs without sidecars are so much of those with them. */
function costVerdicts(ratio: number) {
  const random = seededRandom(5)
  const normal = () => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random())
  const rounds = { min: 6, max: 6 }
  const counts = { supported: 0, refuted: 0, inconclusive: 0 }
  for (let run = 0; run < runs; run++) {
    const cost = (of: number) => Array.from({ length: rounds.min }, () => of * (1 + 0.05 * normal()))
    const ratios = ['rest', 'load'].map(
      () => comparePaired(cost(ratio), cost(1), { seed: run, rounds }, { unit: 'currency', cells: [] }).ratio,
    )
    counts[verdictOfC12(ratios)] += 1 / runs
  }
  return counts
}

it('“far fewer” is decided by chance alone at its limit, and found where it is so or is not', () => {
  const { supported, refuted } = costVerdicts(growthLimits.farFewer)
  expect(supported).toBeLessThan(byChance)
  expect(refuted).toBeLessThan(byChance)
  expect(costVerdicts(0.8 * growthLimits.farFewer).supported).toBeGreaterThan(0.8)
  expect(costVerdicts(1.2 * growthLimits.farFewer).refuted).toBeGreaterThan(0.8)
})

it('a share of what sidecars add is known no better than that', () => {
  const at = (value: number, half: number) => ({ value, low: value - half, high: value + half, n: 6 })
  const verdict = (half: number) =>
    verdictOfC4({ ownSlope: at(80, half), sharedSlope: at(5.5, 1.5), ownCpu: at(2, 1), worstShare: 0 })
  expect(verdict(8)).toBe('supported')
  // A tenth of 80 is more than 7, a tenth of what it may be as well is not.
  expect(verdict(70)).toBe('inconclusive')
})

it('CPU that does not grow is not taken for growth', () => {
  expect(verdicts(perReplica, 0, 0).supported).toBeLessThan(byChance)
})

it('sidecars that grow beside what does not are found, and so is a mesh that grows as they do', () => {
  expect(verdicts(perReplica, 0, 2).supported).toBeGreaterThan(0.6)
  expect(verdicts(perReplica, perReplica, 2).refuted).toBeGreaterThan(0.8)
})

it('the count from which on sidecars take more is told where they do so at some count, and nowhere else', () => {
  const line = (intercept: number, slope: number) => {
    const fitted = fitLine(replicas.map((x) => ({ x, y: intercept + slope * x + 0.01 * (x % 2) })))
    if (!fitted) throw new Error('no line')
    return fitted
  }
  expect(overtaking(line(0, 80), line(160, 0))?.value).toBeCloseTo(2, 1)
  // What is shared grows faster: from there on sidecars take less.
  expect(overtaking(line(160, 0), line(0, 80))).toBeUndefined()
  expect(overtaking(line(160, 80), line(0, 0))).toBeUndefined()
})
