/** How an interval decides: on one side of a limit, or not. */
import type { Estimate } from '../../model.js'
import { fewestFirm } from '../estimates.js'

export type Decision = 'supported' | 'refuted' | 'inconclusive'

/** What of an estimate decides. */
export type Bounds = Pick<Estimate, 'low' | 'high' | 'n'>

/** Whether a value is beyond the limit, within it, or not known; few rounds decide nothing. */
export function decide({ low, high, n }: Bounds, limit: number): Decision {
  if (n < fewestFirm) return 'inconclusive'
  return low > limit ? 'supported' : high < limit ? 'refuted' : 'inconclusive'
}
