/** What the rules of claims have in common. */
import type { ClaimAnalysis, ClaimId, Estimate } from '../../model.js'
import { alpha, fewestFirm, type PairedResult } from '../estimates.js'
import { figure, moreRounds } from '../words.js'

/** A claim that a run has data on, before the correction for several claims. */
export interface Finding {
  readonly id: ClaimId
  /** p-values of the tests that decide it; none where an interval does. */
  readonly pValues: readonly number[]
  conclude(adjusted: readonly number[]): Omit<ClaimAnalysis, 'id' | 'claim'>
}

/** The smallest difference between the two sides that this run would have found. */
export function couldSee({ difference, detectable }: PairedResult, unit: string): string {
  return difference.n < fewestFirm
    ? ''
    : ` The smallest difference that this run could have seen is ${figure(detectable(alpha))} ${unit}.`
}

/** Rounds that would decide the least decided of several differences. */
export function nextOf(differences: readonly Estimate[]): string {
  const worst = [...differences].sort((a, b) => ratioOf(b) - ratioOf(a))[0]
  return worst
    ? moreRounds(worst.n, (worst.high - worst.low) / 2, Math.abs(worst.value) * 0.8)
    : 'more rounds'
}

function ratioOf({ value, low, high }: Estimate): number {
  return (high - low) / Math.max(Math.abs(value), Number.MIN_VALUE)
}
