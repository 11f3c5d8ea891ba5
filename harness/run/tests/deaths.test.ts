import { expect, test } from 'vitest'
import type { Arm } from '../../model.js'
import { armOf, plan, runFake } from './testing.js'

test('a hop that dies fails its trial and those that follow; the others go on', async () => {
  const victim = 'reference/l4-only/client-tunnel'
  const { trials, outcome } = await runFake({
    dies: (arm, trial) => (arm.id === 'reference/l4-only' && trial > 5 ? victim : undefined),
  })
  const failed = trials.filter(({ state }) => state === 'failed')
  expect(new Set(failed.map((trial) => armOf(trial)))).toEqual(new Set(['reference/l4-only']))
  expect(failed[0]?.error).toMatchObject({ kind: 'hop-died', message: `${victim} was ended by SIGKILL` })
  expect(trials.filter(({ state }) => state === 'ok').length + failed.length).toBe(plan.order.length)
  expect(outcome.outcome).toBe('complete')
})

test('a hop that was replaced fails the trial that it died in, and no other', async () => {
  let deaths = 0
  const { trials } = await runFake({
    comesBack: true,
    dies: (arm) =>
      arm.id === 'reference/l4-only' && deaths++ === 0 ? 'reference/l4-only/client-tunnel' : undefined,
  })
  const failed = trials.filter(({ state }) => state === 'failed')
  expect(failed.map((trial) => [armOf(trial), trial.error?.kind])).toEqual([
    ['reference/l4-only', 'hop-died'],
  ])
  expect(trials).toHaveLength(plan.order.length)
})

test.each(['dies', 'diesLate'] as const)(
  'a hop whose death is noticed after what follows from it is still the reason (%s)',
  async (dies) => {
    const victim = 'reference/l4-l7-l4/waypoint'
    const { trials } = await runFake({
      [dies]: (arm: Arm, trial: number) =>
        arm.id === 'reference/l4-l7-l4' && trial > 5 ? victim : undefined,
      looksBeforeNotice: 6,
    })
    const failed = trials.filter(({ state }) => state === 'failed')
    expect(failed.length).toBeGreaterThan(1)
    expect(new Set(failed.map(({ error }) => error?.message))).toEqual(
      new Set([`${victim} was ended by SIGKILL`]),
    )
    expect(new Set(failed.map((trial) => armOf(trial)))).toEqual(new Set(['reference/l4-l7-l4']))
  },
)

test('when the server dies nothing is left to measure, and the run says so', async () => {
  const { outcome, trials, written } = await runFake({
    dies: (_arm, trial) => (trial === 3 ? 'echo' : undefined),
  })
  expect(outcome.outcome).toBe('failed')
  expect(outcome.message).toContain('echo was ended by SIGKILL')
  expect(trials).toHaveLength(4)
  expect(written.at(-1)).toMatchObject({ type: 'end', outcome: 'failed' })
})

test('a generator that dies fails its trial, which is run once more', async () => {
  const { trials } = await runFake({ generatorDies: (_arm, trial) => trial === 2 })
  expect(trials).toHaveLength(plan.order.length + 1)
  expect(trials[2]).toMatchObject({
    state: 'failed',
    attempt: 0,
    error: { kind: 'generator-died', detail: 'last words' },
  })
  expect(trials[3]).toMatchObject({ state: 'ok', attempt: 1, index: trials[2]?.index })
})
