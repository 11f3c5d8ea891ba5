import { expect, test } from 'vitest'
import { analyze } from '../analyze/analyze.js'
import { catalogue } from '../cli/catalogue.js'
import { resolveConfig } from '../config/resolve-config.js'
import { createDisplay } from './display.js'
import type { Arm, JournalEntry, Plan, RunHeader, Trial } from '../model.js'
import { makePlan } from '../plan/plan.js'
import { RunJournal } from './journal.js'
import { executePlan, type RunOptions } from './run.js'
import { precisionReached } from '../analyze/precision.js'
import { histogramOf, percentileUs } from '../load/histogram.js'
import { seededRandom } from '../protocol/random.js'
import { createFake, type FakeScript } from '../testing/fake-platform.js'

const plan = makePlan(
  resolveConfig({
    arms: { reference: ['l4-only', 'l7-sidecar-to-sidecar', 'l4-l7-l4'] },
    experiments: { latency: {} },
    rounds: { min: 4, max: 4 },
  }),
  catalogue,
)

async function runFake(
  script: FakeScript = {},
  { held = [], ...options }: Partial<RunOptions> & { held?: readonly JournalEntry[] } = {},
) {
  const fake = createFake(script)
  const written: JournalEntry[] = []
  const outcome = await executePlan({
    plan,
    runId: 'fake',
    platform: fake.platform,
    meshes: fake.meshes,
    journal: new RunJournal((entry) => void written.push(entry), held),
    display: createDisplay({ write: () => true }, { quiet: true }),
    signal: new AbortController().signal,
    precisionReached: () => false,
    ...options,
  })
  const trials = written.filter((entry): entry is Trial => entry.type === 'trial')
  return { outcome, written, trials, fake }
}

const armOf = (trial: Trial, from: Plan = plan) => from.cells.find(({ id }) => id === trial.cell)?.arm

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

test('an interrupt keeps what was measured, and a resumed run completes it', async () => {
  const controller = new AbortController()
  const first = await runFake(
    { onTrial: (_arm, trial) => void (trial === 6 && controller.abort(new Error('interrupted'))) },
    { signal: controller.signal },
  )
  expect(first.outcome.outcome).toBe('interrupted')
  expect(first.trials.at(-1)).toMatchObject({ state: 'failed', error: { kind: 'interrupted' } })
  expect(first.fake.undone).toContain('local')

  const second = await runFake({}, { held: first.written })
  const measured = [...first.trials, ...second.trials].filter(({ state }) => state === 'ok')
  expect(measured.map(({ index }) => index).sort((a, b) => a - b)).toEqual(
    plan.order.map(({ index }) => index),
  )
  expect(second.outcome.outcome).toBe('complete')
})

test('a run that goes on is refused where a hop is another binary, by version or bytes alone, with what differs', async () => {
  const facts = (value: string) => [
    { name: 'haproxy binary', value, program: true as const },
    { name: 'started at', value },
  ]
  const controller = new AbortController()
  const first = await runFake(
    {
      facts: facts('2.8.1, sha256 aa'),
      onTrial: (_arm, trial) => void (trial === 6 && controller.abort(new Error('interrupted'))),
    },
    { signal: controller.signal },
  )
  for (const other of ['3.0.0, sha256 aa', '2.8.1, sha256 bb'])
    await expect(runFake({ facts: facts(other) }, { held: first.written })).rejects.toMatchObject({
      message: expect.stringMatching(
        new RegExp(`: haproxy binary is ${other}, was 2.8.1, sha256 aa$`),
      ) as string,
      exitCode: 2,
    })
  const same = await runFake({ facts: facts('2.8.1, sha256 aa') }, { held: first.written })
  expect(same.outcome.outcome).toBe('complete')
})

test.each([
  ['in its second attempt', ['invalid', 'interrupted']],
  ['between its attempts', ['invalid']],
])(
  'a trial that was invalid and then interrupted, %s, is measured by a resumed run',
  async (_when, states) => {
    const controller = new AbortController()
    const { written } = await runFake(
      {
        load: (_arm, trial) => (trial === 5 ? { unsent: 7 } : {}),
        onTrial: (_arm, trial) => void (trial === 6 && controller.abort(new Error('interrupted'))),
      },
      { signal: controller.signal },
    )
    const trials = written.filter((entry) => entry.type === 'trial')
    expect(trials.slice(5).map(({ index, error, state }) => [index, error?.kind ?? state])).toEqual([
      [5, 'invalid'],
      [5, 'interrupted'],
    ])
    const begun: JournalEntry[] = [{ ...header, plan }, ...trials.slice(0, 5 + states.length)]
    expect(analyze(begun).rounds.done).toBe(1)

    const second = await runFake({}, { held: begun })
    expect(second.trials[0]).toMatchObject({ index: 5, attempt: 1, state: 'ok' })
    expect(second.trials.map(({ index }) => index)).toEqual(plan.order.slice(5).map(({ index }) => index))
  },
)

test('a run stops when it is as precise as wanted', async () => {
  const adaptive = makePlan({ ...plan.config, rounds: { ...plan.config.rounds, min: 2, max: 4 } }, catalogue)
  const { outcome, trials } = await runFake({}, { plan: adaptive, precisionReached: () => true })
  expect(outcome.outcome).toBe('precise')
  expect(Math.max(...trials.map(({ round }) => round))).toBe(1)
})

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
const header = {
  type: 'run',
  schema: 1,
  runId: 'fake',
  version: '0',
  startedAt: new Date(0).toISOString(),
  command: [],
  plan: untilPrecise,
  host: {},
} as unknown as RunHeader
const judged = {
  plan: untilPrecise,
  held: [header],
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
    { ...catalogue, environmentsOf: () => 'per-mesh' },
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
  const stays = written.flatMap((entry) =>
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
      { ...catalogue, environmentsOf: () => 'per-mesh' },
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
