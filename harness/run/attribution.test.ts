import { expect, test } from 'vitest'
import { awaitDeath, causeOf } from './attribution.js'
import type { TrialError } from '../model.js'

const death: TrialError = { kind: 'hop-died', message: 'the proxy was ended by SIGKILL' }
const never = new AbortController().signal

/** Tells of the death at this look, the first being 1, and counts the looks. */
function noticedAt(look: number) {
  const seen = { looks: 0 }
  return { seen, look: () => (++seen.looks >= look ? death : undefined) }
}

test.each(['generator-died', 'connect', 'generator-output', 'generator-stuck', 'proof-failed'] as const)(
  'a death wins over %s, at once and when it is noticed later',
  async (kind) => {
    const symptom = { kind, message: 'seen first' }
    for (const look of [1, 4])
      expect(await causeOf(symptom, noticedAt(look).look, { withinMs: 60_000, signal: never })).toBe(death)
  },
)

test('without a death what was seen is the cause, once a death would have been noticed', async () => {
  const symptom = { kind: 'generator-died', message: 'exited with code 1' } as const
  const { seen, look } = noticedAt(Infinity)
  expect(await causeOf(symptom, look, { withinMs: 60, signal: never })).toBe(symptom)
  expect(seen.looks).toBeGreaterThan(1)
  expect(await awaitDeath(look, { withinMs: 0, signal: never })).toBeUndefined()
})

test('an interrupt is its own cause, and ends the wait for another', async () => {
  const { seen, look } = noticedAt(1)
  const interrupted = { kind: 'interrupted', message: 'interrupted' } as const
  expect(await causeOf(interrupted, look, { withinMs: 60_000, signal: never })).toBe(interrupted)
  expect(seen.looks).toBe(0)

  const controller = new AbortController()
  const symptom = { kind: 'connect', message: 'refused' } as const
  const waiting = causeOf(symptom, () => undefined, { withinMs: 60_000, signal: controller.signal })
  controller.abort()
  expect(await waiting).toBe(symptom)
})
