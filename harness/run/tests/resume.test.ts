import { expect, test } from 'vitest'
import { analyze } from '../../analyze/analyze.js'
import type { JournalEntry } from '../../model.js'
import { headerOf, plan, runFake } from './testing.js'

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
    const begun: JournalEntry[] = [headerOf(plan), ...trials.slice(0, 5 + states.length)]
    expect(analyze(begun).rounds.done).toBe(1)

    const second = await runFake({}, { held: begun })
    expect(second.trials[0]).toMatchObject({ index: 5, attempt: 1, state: 'ok' })
    expect(second.trials.map(({ index }) => index)).toEqual(plan.order.slice(5).map(({ index }) => index))
  },
)
