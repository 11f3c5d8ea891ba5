/** Chooses why a trial failed: a death wins over what follows from it, even when it is noticed later. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { TrialError } from '../model.js'

/** How often deaths are looked for once something went wrong. */
const lookIntervalMs = 25

export interface Patience {
  /** How long a death that has happened may take to be noticed. */
  readonly withinMs: number
  /** Whoever interrupts a run does not wait for reasons. */
  readonly signal: AbortSignal
}

/**
 * The death that `look` tells of, waited for no longer than it takes to be noticed. What a dead hop does to others, such
 * as a refused connection or a counter that cannot be read, is often seen before its own end is.
 */
export async function awaitDeath(
  look: () => TrialError | undefined,
  { withinMs, signal }: Patience,
): Promise<TrialError | undefined> {
  const deadline = performance.now() + withinMs
  for (;;) {
    const death = look()
    if (death || signal.aborted || performance.now() >= deadline) return death
    await sleep(lookIntervalMs, undefined, { signal }).catch(() => undefined)
  }
}

/** Why a trial failed whose failure was first seen as `symptom`. */
export async function causeOf(
  symptom: TrialError,
  look: () => TrialError | undefined,
  patience: Patience,
): Promise<TrialError> {
  // An interrupt ends the generator itself: it needs no other cause.
  if (symptom.kind === 'interrupted') return symptom
  return (await awaitDeath(look, patience)) ?? symptom
}
