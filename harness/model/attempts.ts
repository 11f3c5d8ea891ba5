/** Which planned trials are measured and which are still to be: told by the attempts that a journal has. Pure. */
import { generatorLossSchema } from './running/faults.js'
import type { Trial } from '../model.js'

/** A trial is run once, and once more when that attempt could not be believed through no fault of the arm. */
const attempts = 2

export function isInterrupted({ error }: Trial): boolean {
  return error?.kind === 'interrupted'
}

/** An attempt that was invalid, or whose generator died, is followed by another, once. */
export function isRepeated({ attempt, state, error }: Trial): boolean {
  const isUnbelievable =
    state === 'invalid' || (state === 'failed' && generatorLossSchema.safeParse(error?.kind).success)
  return isUnbelievable && attempt + 1 < attempts
}

/** Indices of the trials that nothing is left to do for, however they ended. */
export function settledTrials(trials: readonly Trial[]): ReadonlySet<number> {
  return new Set(
    trials.filter((trial) => !isInterrupted(trial) && !isRepeated(trial)).map(({ index }) => index),
  )
}

/** Number of the attempt that a trial comes to next: an interrupted one is made again under its number. */
export function nextAttempt(index: number, trials: readonly Trial[]): number {
  const made = trials.filter((trial) => trial.index === index && !isInterrupted(trial))
  return Math.max(0, ...made.map(({ attempt }) => attempt + 1))
}
