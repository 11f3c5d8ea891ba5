/** How often quiet runs of many loads are said to differ from themselves. */
import { expect, it } from 'vitest'
import { syntheticJournal } from '../../testdata/synthetic-journal.js'
import { analyze } from '../analyze.js'
import { cellGroups, indexJournal } from '../readings.js'
import { noiseFloors } from './noise.js'

it('says nothing of a p99 that no trial’s requests reach, as of no other arm', () => {
  const options = {
    rounds: 4,
    arms: ['l4-only'],
    experiments: ['latency'],
    invalidShare: 0,
    failedShare: 0,
  } as const
  const floorAt = (rate: number) =>
    analyze(syntheticJournal({ ...options, durationMs: 250, ratesPerSecond: [rate] })).noise[0]
  expect(floorAt(200)).toMatchObject({ latencyP50: { n: 4 } })
  expect(floorAt(200)).not.toHaveProperty('latencyP99')
  expect(floorAt(200)?.visible).not.toHaveProperty('latencyP99')
  expect(floorAt(400)).toHaveProperty('latencyP99')
})

it('calls at most one quiet run in twenty one whose baseline differs, however many loads it has', () => {
  const runs = 60
  const ratesPerSecond = [100, 200, 300, 400, 500, 600, 700, 800]
  const differing = Array.from({ length: runs }, (_, index) => {
    const options = { seed: index + 1, rounds: 8, arms: ['l4-only'], experiments: ['latency'] as const }
    const run = indexJournal(
      syntheticJournal({ ...options, ratesPerSecond, durationMs: 200, invalidShare: 0, failedShare: 0 }),
    )
    const { seed, rounds } = run.plan.config
    const floors = noiseFloors(run, cellGroups(run), { seed, rounds })
    expect(floors).toHaveLength(ratesPerSecond.length)
    return floors.some(({ differs }) => differs)
  }).filter(Boolean).length
  // Two standard errors above 5 %; a family for each load would say it of a third of the runs.
  expect(differing / runs).toBeLessThan(0.05 + 2 * Math.sqrt((0.05 * 0.95) / runs))
}, 60_000)
