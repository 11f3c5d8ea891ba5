/** How often quiet runs of many loads are said to differ from themselves. */
import { expect, it } from 'vitest'
import { syntheticJournal } from '../../testdata/synthetic-journal.js'
import { cellGroups, indexJournal } from '../readings.js'
import { noiseFloors } from './noise.js'

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
