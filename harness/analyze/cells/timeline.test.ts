/** What is drawn of a slice in which not every round had a request. */
import { expect, test } from 'vitest'
import type { Trial } from '../../model.js'
import { timelineOf } from './timeline.js'

test('a round without an answer in a slice says nothing of how long answers took', () => {
  const trialOf = (ok: readonly number[], failed: readonly number[], meanUs: readonly number[]) =>
    ({ load: { slices: { ms: 5, workloads: [{ ok, failed, meanUs, maxUs: meanUs }] } } }) as unknown as Trial
  const trials = [
    trialOf([1, 0, 0], [0, 1, 0], [4000, 0, 0]),
    trialOf([0, 0, 1], [0, 1, 0], [0, 0, 2000]),
    trialOf([0, 0, 1], [0, 1, 0], [0, 0, 3000]),
  ]
  expect(timelineOf(trials)?.workloads).toEqual([{ meanMs: [4, 0, 2.5], failed: [0, 3, 0] }])
})
