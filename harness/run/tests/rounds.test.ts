import { expect, test } from 'vitest'
import { catalogue } from '../../cli/catalogue.js'
import { catalogueOn } from '../../testing/catalogue.js'
import { resolveConfig } from '../../config/resolve-config.js'
import type { JournalEntry } from '../../model.js'
import { makePlan } from '../../plan/plan.js'
import { type RunOptions } from '../run.js'
import { precisionReached } from '../../analyze/precision.js'
import { histogramOf } from '../../load/histogram.js'
import { seededRandom } from '../../protocol/random.js'
import { type FakeScript } from '../../testing/fake-platform.js'
import { headerOf, plan, runFake } from './testing.js'

test('a run stops when it is as precise as wanted', async () => {
  const adaptive = makePlan({ ...plan.config, rounds: { ...plan.config.rounds, min: 2, max: 4 } }, catalogue)
  const { outcome, trials } = await runFake({}, { plan: adaptive, precisionReached: () => true })
  expect(outcome.outcome).toBe('precise')
  expect(Math.max(...trials.map(({ round }) => round))).toBe(1)
})

const untilPrecise = makePlan(
  resolveConfig({
    arms: { reference: ['l4-only'] },
    experiments: { latency: {} },
    rounds: { min: 8, max: 20, untilEffect: 0.05 },
  }),
  catalogue,
)
/** Latencies that spread by this share about their truth. */
function spreading(share: number): FakeScript {
  const random = seededRandom(7)
  return {
    load: ({ path }) => {
      const us = Math.round((path === 'l4-only' ? 800 : 500) * (1 + share * (2 * random() - 1)))
      return { response: histogramOf([{ us, count: 100 }]) }
    },
  }
}

const judged = {
  plan: untilPrecise,
  held: [headerOf(untilPrecise)],
  precisionReached: (entries: readonly JournalEntry[]) => precisionReached(entries, untilPrecise.config),
}

test('rounds end at the first look at which every comparison is as precise as wanted', async () => {
  const { outcome, trials } = await runFake(spreading(0.02), judged)
  expect(outcome.outcome).toBe('precise')
  expect(Math.max(...trials.map(({ round }) => round)) + 1).toBe(8)
})

test('rounds go on when the comparisons stay imprecise, to the last that was planned', async () => {
  const { outcome, trials } = await runFake(spreading(0.6), judged)
  expect(outcome.outcome).toBe('complete')
  expect(trials.length).toBe(untilPrecise.order.length)
})

test('the full profile goes on until it is precise, within a budget', () => {
  const { rounds } = resolveConfig({ arms: { reference: ['l4-only'] } }, { profile: 'full' })
  expect(rounds.max).toBeGreaterThan(rounds.min)
  expect(rounds.untilEffect).toBeLessThanOrEqual(0.02)
  expect(rounds.budgetMinutes).toBeGreaterThan(0)
})

test('with blocks, environments come up again for each turn, and what is done is not measured again', async () => {
  const blocked = makePlan(
    resolveConfig({
      arms: { reference: ['l4-only'], haproxy: ['l7-per-node'] },
      experiments: { latency: {} },
      rounds: { min: 4, max: 4, blocks: 2 },
      seed: 3,
    }),
    catalogueOn({ environments: 'per-mesh' }),
  )
  const { outcome, written, trials } = await runFake({}, { plan: blocked })
  expect(outcome.outcome).toBe('complete')
  expect(trials.map(({ index }) => index)).toEqual(blocked.order.map(({ index }) => index))
  const visited = written.flatMap((entry) => (entry.type === 'environment' ? [entry.environment] : []))
  expect(visited.length).toBeGreaterThan(2)
  const half = written.slice(
    0,
    written.findLastIndex((entry) => entry.type === 'environment'),
  )
  const resumed = await runFake({}, { plan: blocked, held: half })
  expect(resumed.written.filter(({ type }) => type === 'environment')).toHaveLength(1)
})

test('with blocks, an environment that is the only one comes up anew for each, and no round is cut', async () => {
  const blocked = makePlan(
    resolveConfig({
      arms: { reference: ['l4-only'] },
      experiments: { latency: {} },
      rounds: { min: 4, max: 4, blocks: 2 },
    }),
    catalogue,
  )
  const { outcome, written } = await runFake({}, { plan: blocked })
  expect(outcome.outcome).toBe('complete')
  const stays = written.flatMap((entry): readonly (string | number)[] =>
    entry.type === 'environment' ? ['up'] : entry.type === 'trial' ? [entry.round] : [],
  )
  expect(stays.filter((entry, index) => entry !== stays[index - 1])).toEqual(['up', 0, 1, 'up', 2, 3])
})

test('where each turn is as short as a round, a run ends by budget, precision or hopelessness all the same', async () => {
  const planOf = (budgetMinutes: number) =>
    makePlan(
      resolveConfig({
        arms: { reference: ['l4-only'], haproxy: ['l7-per-node'] },
        experiments: { latency: {} },
        rounds: { min: 2, max: 4, blocks: 4, budgetMinutes },
      }),
      catalogueOn({ environments: 'per-mesh' }),
    )
  const endOf = async (script: FakeScript, options: Partial<RunOptions>) => {
    const { outcome, trials } = await runFake(script, options)
    // The fake has no haproxy: its arm fails, and what it ends by is its own.
    const own = trials.filter(({ cell }) => cell.includes('|reference/'))
    return [outcome.outcome, new Set(own.map(({ round }) => round)).size]
  }
  expect(await endOf({}, { plan: planOf(1e-6) })).toEqual(['budget', 2])
  expect(await endOf({}, { plan: planOf(60), precisionReached: () => true })).toEqual(['precise', 2])
  expect(await endOf({ load: () => ({ unsent: 7 }) }, { plan: planOf(60) })).toEqual(['failed', 2])
  expect(await endOf({}, { plan: planOf(60) })).toEqual(['complete', 4])
})
