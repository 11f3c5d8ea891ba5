/** What the verdict on growth may say by chance, simulated: processes of one kind differ, and a line has to tell it from that. */
import { expect, it } from 'vitest'
import { seededRandom } from '../../protocol/random.js'
import { bounded, fitLine } from '../../stats/line.js'
import { growthLimits, verdictOfC4 } from './growth.js'

const runs = 400
const replicas = [1, 2, 4, 8]
/** By how much processes of one program differ, MiB: more than Node's do. */
const spreadMib = 3
const perReplica = 80

/** Shares of verdicts over runs in which a replica adds so many MiB on each side, and so many ms of CPU to sidecars. */
function verdicts(own: number, shared: number, cpuMs: number) {
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
    return { ...bounded(line.slope, line.slopeSe, line.df), n: 6, worstShare: line.worstShare }
  }
  const counts = { supported: 0, refuted: 0, inconclusive: 0 }
  for (let run = 0; run < runs; run++) {
    const ownSlope = slope(own, 'own')
    // A mean over six rounds.
    const cpu = bounded(cpuMs + 0.4 * normal(), 0.4, 5)
    const verdict = verdictOfC4({
      ownSlope,
      sharedSlope: slope(shared, 'shared'),
      ownCpu: { ...cpu, n: 6 },
      worstShare: ownSlope.worstShare,
    })
    counts[verdict] += 1 / runs
  }
  return counts
}

/** Twice the standard error of a share of 0.05 in so many runs. */
const byChance = 0.05 + 2 * Math.sqrt((0.05 * 0.95) / runs)

it('a mesh whose growth is at the limit is decided by chance alone', () => {
  const { supported, refuted } = verdicts(perReplica, growthLimits.flat * perReplica, 2)
  expect(supported).toBeLessThan(byChance)
  expect(refuted).toBeLessThan(byChance)
})

it('CPU that does not grow is not taken for growth', () => {
  expect(verdicts(perReplica, 0, 0).supported).toBeLessThan(byChance)
})

it('sidecars that grow beside what does not are found, and so is a mesh that grows as they do', () => {
  expect(verdicts(perReplica, 0, 2).supported).toBeGreaterThan(0.6)
  expect(verdicts(perReplica, perReplica, 2).refuted).toBeGreaterThan(0.8)
})
