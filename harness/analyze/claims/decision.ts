/** How an interval decides: on one side of a limit, or not. */
import type { Estimate } from '../../model.js'
import { fewestFirm } from '../estimates.js'

export type Decision = 'supported' | 'refuted' | 'inconclusive'

/** What of an estimate decides. */
export type Bounds = Pick<Estimate, 'low' | 'high' | 'n'>

export type Located = Bounds & Pick<Estimate, 'value'>

/** Whether a value is beyond the limit, within it, or not known; few rounds decide nothing. */
export function decide({ low, high, n }: Bounds, limit: number): Decision {
  if (n < fewestFirm) return 'inconclusive'
  return low > limit ? 'supported' : high < limit ? 'refuted' : 'inconclusive'
}

/**
 * By how much a value exceeds a share of another that was measured apart from it, with what both may be off: the square root
 * of the squares of what they may be off towards that side (MOVER; Zou & Donner 2008).
 */
export function lessShareOf(value: Located, share: number, other: Located): Located {
  const middle = value.value - share * other.value
  return {
    value: middle,
    low: middle - Math.hypot(value.value - value.low, share * (other.high - other.value)),
    high: middle + Math.hypot(value.high - value.value, share * (other.value - other.low)),
    n: Math.min(value.n, other.n),
  }
}
