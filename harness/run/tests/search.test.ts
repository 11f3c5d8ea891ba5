import { expect, test } from 'vitest'
import { catalogue } from '../../cli/catalogue.js'
import { resolveConfig } from '../../config/resolve-config.js'
import type { Trial } from '../../model.js'
import { makePlan } from '../../plan/plan.js'
import { histogramOf, percentileUs } from '../../load/histogram.js'
import { type FakeScript } from '../../testing/fake-platform.js'
import { armOf, runFake } from './testing.js'

const searching = makePlan(
  resolveConfig({
    arms: { reference: ['l4-only', 'l7-sidecar-to-sidecar'] },
    experiments: { capacity: { precision: 0.1, maxProbes: 14 } },
    rounds: { min: 2, max: 2 },
  }),
  catalogue,
)
const knees: Readonly<Record<string, number>> = { l4: 9_000, l7: 3_100, ba: 14_000 }
/** p99 is 1 ms up to an arm's knee and 100 ms beyond. */
const breaksAtItsKnee: FakeScript = {
  load: ({ path }, _trial, { ratePerSecond = 0 }) => {
    const us = ratePerSecond <= (knees[path.slice(0, 2)] ?? 0) ? 1_000 : 100_000
    return { response: histogramOf([{ us, count: 100 }]) }
  },
}
const probesOf = (trials: readonly Trial[]) => trials.map(({ cell, ratePerSecond }) => [cell, ratePerSecond])

test('a search gives each trial a rate of its own and ends when the knee is known', async () => {
  const { trials, outcome } = await runFake(breaksAtItsKnee, { plan: searching })
  expect(outcome.outcome).toBe('complete')
  expect(trials.every(({ state }) => state === 'ok')).toBe(true)
  expect(trials.length).toBeLessThan(searching.order.length)
  const l7 = trials.filter((trial) => armOf(trial, searching) === 'reference/l7-sidecar-to-sidecar')
  expect(l7.slice(0, 3).map(({ ratePerSecond }) => ratePerSecond)).toEqual([2000, 4000, 3220])
  // Rounds hold every arm that still searches, so that drift hits all of them.
  expect(new Set(trials.slice(0, 4).map(({ cell }) => cell)).size).toBe(4)
  const failures = trials.filter(({ load }) => load?.response && percentileUs(load.response, 99) > 10_000)
  expect(failures.length).toBeGreaterThan(4)
})

test('a search that was interrupted goes on where it was', async () => {
  const whole = await runFake(breaksAtItsKnee, { plan: searching })
  const controller = new AbortController()
  const first = await runFake(
    {
      ...breaksAtItsKnee,
      onTrial: (_arm, trial) => void (trial === 9 && controller.abort(new Error('interrupted'))),
    },
    { plan: searching, signal: controller.signal },
  )
  const second = await runFake(breaksAtItsKnee, { plan: searching, held: first.written })
  const measured = [...first.trials, ...second.trials].filter(({ state }) => state === 'ok')
  expect(probesOf(measured)).toEqual(probesOf(whole.trials))
})

test('a path that answers with errors fails its trials of a search, and is still measured', async () => {
  const { trials } = await runFake(
    {
      load: (_arm, _trial, { ratePerSecond = 0 }) =>
        ratePerSecond > 1500 ? { ok: 90, errors: { timeout: 10 }, unsent: 3 } : {},
    },
    { plan: searching },
  )
  expect(trials.every(({ state }) => state === 'ok')).toBe(true)
  expect(Math.min(...trials.map(({ ratePerSecond = 0 }) => ratePerSecond))).toBe(1000)
})
