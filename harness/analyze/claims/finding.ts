/** What the rules of claims have in common. */
import type { ClaimAnalysis, ClaimId } from '../../model.js'

/** A claim that a run has data on, before the correction for several claims. */
export interface Finding {
  readonly id: ClaimId
  /** p-values of the tests that decide it; none where an interval does. */
  readonly pValues: readonly number[]
  conclude(adjusted: readonly number[]): Omit<ClaimAnalysis, 'id' | 'claim'>
}
