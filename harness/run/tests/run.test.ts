import { expect, test } from 'vitest'
import { createDisplay } from '../display.js'
import type { Trial } from '../../model.js'
import { createFake } from '../../testing/fake-platform.js'
import { armOf, plan, runFake } from './testing.js'

test('every planned trial is in the journal, in order, with its bill and its proof', async () => {
  const { outcome, trials, written, fake } = await runFake()
  expect(outcome).toMatchObject({ outcome: 'complete', cleanupProblems: [] })
  expect(trials.map(({ index }) => index)).toEqual(plan.order.map(({ index }) => index))
  expect(trials.every(({ state }) => state === 'ok')).toBe(true)
  const l7 = trials.find((trial) => armOf(trial) === 'reference/l7-sidecar-to-sidecar')
  expect(l7?.proof.filter(({ name }) => name.startsWith('requests at')).map(({ actual }) => actual)).toEqual([
    '110',
    '110',
    '110',
  ])
  expect(l7?.usage?.components.find(({ component }) => component === 'echo')?.cpuNs).toBe(110 * 20_000)
  expect(written.at(-1)).toMatchObject({ type: 'end', outcome: 'complete' })
  expect(fake.undone).toEqual(['reference', 'none', 'local'])
})

test('what cannot be taken down is kept, and told to the person who waits', async () => {
  const fake = createFake()
  const create: typeof fake.platform.create = (request, scope, progress) => {
    scope.defer('delete cluster c', () => Promise.reject(new Error('it does not end')))
    return fake.platform.create(request, scope, progress)
  }
  const said: string[] = []
  const { written } = await runFake(
    {},
    {
      platform: { ...fake.platform, create },
      meshes: fake.meshes,
      display: createDisplay({ write: (text) => said.push(text) }),
    },
  )
  const problem = 'could not clean up: delete cluster c: it does not end'
  expect(said.join('')).toContain(`! ${problem}`)
  expect(JSON.stringify(written)).toContain(problem)
})

test('a bypassed hop fails its trials with the evidence', async () => {
  const { trials } = await runFake({ bypassed: (component) => component.name.endsWith('waypoint') })
  const waypoint = trials.filter((trial) => armOf(trial) === 'reference/l4-l7-l4')
  expect(waypoint.map(({ state }) => state)).toEqual(['failed', 'failed', 'failed', 'failed'])
  expect(waypoint[0]?.error).toEqual({
    kind: 'proof-failed',
    message: 'requests at waypoint: expected 110, saw 0',
  })
  expect(trials.filter(({ state }) => state === 'ok')).toHaveLength(16)
})

test('a trial is invalid of which a part of the bill could not be read, since its arm would look cheaper', async () => {
  const tunnel = 'reference/l4-only/client-tunnel'
  const first = plan.order.findIndex(({ cell }) => cell.includes('|reference/l4-only|'))
  const { trials } = await runFake({
    unread: (component, trial) => component === tunnel && trial <= first,
  })
  const reason = `the usage of ${tunnel} could be read at one edge of the window alone`
  const invalid = trials.filter(({ state }) => state !== 'ok')
  // Of the arms before it a part is missing that is not theirs.
  expect(invalid.map(({ index, attempt, state, reasons }) => [index, attempt, state, reasons])).toEqual([
    [first, 0, 'invalid', [reason]],
  ])
})

test('traffic that leaks into another arm is seen', async () => {
  const off = ({ proof }: Trial) => proof.find(({ name }) => name === 'hops off the path stand still')
  const clean = await runFake()
  expect(clean.trials.every((trial) => off(trial)?.ok)).toBe(true)

  const stray = 'reference/l4-l7-l4/waypoint'
  const { trials } = await runFake({
    leaksInto: (arm) => (arm.id === 'reference/l4-only' ? stray : undefined),
  })
  const leaking = trials.filter((trial) => armOf(trial) === 'reference/l4-only')
  for (const trial of leaking) {
    expect(trial).toMatchObject({ state: 'failed', error: { kind: 'proof-failed' } })
    expect(off(trial)).toMatchObject({ ok: false, actual: `traffic at ${stray}` })
  }
  expect(trials.filter(({ state }) => state === 'failed')).toEqual(leaking)
})

test('a trial beyond its limits is invalid with the reason, and run once more', async () => {
  const { trials } = await runFake({ load: (_arm, trial) => (trial === 1 ? { unsent: 7 } : {}) })
  expect(trials[1]).toMatchObject({ state: 'invalid', reasons: ['7 requests were due but never sent'] })
  expect(trials[2]).toMatchObject({ state: 'ok', attempt: 1 })
})

test('a run whose first two rounds are wholly invalid ends, with the top reason', async () => {
  const { outcome, trials } = await runFake({ load: () => ({ unsent: 7 }) })
  expect(outcome).toMatchObject({
    outcome: 'failed',
    message: expect.stringMatching(
      /none of the 20 trials of the first 2 rounds is valid; 20 times: 7 requests were due but never sent\. What to do: lower the rate/,
    ) as string,
  })
  expect(new Set(trials.map(({ round }) => round))).toEqual(new Set([0, 1]))
})

test('a trial in which Meshbench stood still is invalid, names the gap, and is run once more', async () => {
  let asleepMs = 0
  const clocks = { monotonicMs: () => performance.now(), wallMs: () => Date.now() + asleepMs }
  const { trials } = await runFake(
    { onTrial: (_arm, trial) => void (asleepMs += trial === 3 ? 60_000 : 0) },
    { clocks },
  )
  const [invalid, ...others] = trials.filter(({ state }) => state !== 'ok')
  expect(others).toEqual([])
  expect(invalid?.reasons[0]).toMatch(/^Meshbench stood still for (59|60)\.\d s \(stopped, asleep/)
  expect(trials[trials.indexOf(invalid as Trial) + 1]).toMatchObject({ state: 'ok', attempt: 1 })
})

test('an arm that does not come up is left out with the reason; the others are measured', async () => {
  const { trials, written } = await runFake({ failsToRaise: ({ id }) => id === 'reference/l4-only' })
  const environment = written.find((entry) => entry.type === 'environment')
  expect(environment?.failures).toEqual({
    'reference/l4-only': { kind: 'not-ready', message: 'it would not start' },
  })
  expect(trials.filter(({ state }) => state === 'failed')).toHaveLength(4)
})
