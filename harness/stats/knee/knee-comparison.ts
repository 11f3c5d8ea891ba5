/** Compares two knees that were searched apart: how many times more does one path carry than another? */
import { probit } from 'simple-statistics'
import { kneeQuantiles, type KneeProbe, type KneeSettings } from './knee.js'
import type { Bounded } from '../line.js'
import { power } from '../paired.js'

export const kneeComparisonMethod = 'posteriors of both searches, median and 95 % credible interval'

const level = 0.95
/** Equally likely values that stand for each posterior: all pairs of them stand for the difference and the ratio. */
const points = 199
const probabilities = Array.from({ length: points }, (_, index) => (index + 0.5) / points)

/** Both need a probe that passed and one that failed. The searches are taken as independent, which is wider than pairing would be. */
export function compareKnees(
  treated: readonly KneeProbe[],
  reference: readonly KneeProbe[],
  settings: KneeSettings,
) {
  const above = kneeQuantiles(treated, settings, probabilities)
  const below = kneeQuantiles(reference, settings, probabilities)
  const ratios = Float64Array.from(above.flatMap((a) => below.map((b) => a / b))).sort()
  const differences = Float64Array.from(above.flatMap((a) => below.map((b) => a - b))).sort()
  const less = ratios.filter((ratio) => ratio < 1).length
  const equal = ratios.filter((ratio) => ratio === 1).length
  const share = (less + equal / 2) / ratios.length
  const logs = Float64Array.from(ratios, Math.log)
  const mean = logs.reduce((sum, log) => sum + log, 0) / logs.length
  const spread = Math.sqrt(logs.reduce((sum, log) => sum + (log - mean) ** 2, 0) / logs.length)
  const middle = below[(points - 1) / 2] as number
  return {
    difference: rangeOf(differences),
    ratio: rangeOf(ratios),
    // Two-sided posterior probability that the knees lie the other way round, of no family; finitely many pairs cannot tell a chance below one of them.
    pValue: Math.max(1 / ratios.length, Math.min(1, 2 * Math.min(share, 1 - share))),
    /** Smallest true difference that a test at level `alpha` finds with 80 % power. */
    detectable: (alpha: number) => middle * Math.expm1((probit(1 - alpha / 2) + probit(power)) * spread),
  }
}

function rangeOf(sorted: Float64Array): Bounded {
  const at = (probability: number) => sorted[Math.round(probability * (sorted.length - 1))] as number
  return { value: at(0.5), low: at((1 - level) / 2), high: at((1 + level) / 2) }
}
