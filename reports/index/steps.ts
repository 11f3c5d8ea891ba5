/**
 * Finds where a series of runs changed its level: the likelihood-ratio test for one shift in the mean of a normal
 * sequence (K. J. Worsley, On the likelihood ratio test for a shift in location of normal populations, JASA 74, 1979,
 * 365–367), repeated on both sides of what it finds (binary segmentation; L. Ju. Vostrikova, 1981).
 *
 * The critical value of each length is simulated, so that a series without a step is called one with a probability of
 * `falseAlarms`; steps.test.ts counts them, for tails heavier than the normal's too.
 */
import { mean } from '../../harness/protocol/averages.js'
import { seededRandom } from '../../harness/protocol/random.js'

export const falseAlarms = 0.01
/** Shorter series have too few degrees of freedom to tell a step from noise. */
const fewestRuns = 6
const simulations = 4000
/** Logarithms of ratios that differ by less are the same figure. */
const rounding = 1e-12

export interface Step {
  /** Index of the first value after the step. */
  readonly at: number
  /** Mean after the step less mean before it. */
  readonly size: number
}

/** Steps of a series in order; give logarithms where ratios are meant. */
export function findSteps(values: readonly number[], offset = 0): Step[] {
  if (values.length < fewestRuns) return []
  const { at, statistic } = largestShift(values)
  if (statistic <= criticalValue(values.length)) return []
  const [before, after] = [values.slice(0, at), values.slice(at)]
  return [
    ...findSteps(before, offset),
    { at: offset + at, size: mean(after) - mean(before) },
    ...findSteps(after, offset + at),
  ]
}

/** Worsley's statistic: the largest two-sample t over all places where the series may be cut. */
function largestShift(values: readonly number[]): { readonly at: number; readonly statistic: number } {
  const n = values.length
  const centre = mean(values)
  const total = values.reduce((sum, value) => sum + (value - centre) ** 2, 0)
  // Differences in the last digits that a number has are no movement.
  if (total < n * rounding ** 2) return { at: 1, statistic: 0 }
  let best = { at: 1, between: -1 }
  let sum = 0
  for (let at = 1; at < n; at++) {
    sum += (values[at - 1] ?? 0) - centre
    // Sum of squares between the two parts; what is left of the total lies within them.
    const between = sum ** 2 * (n / (at * (n - at)))
    if (between > best.between) best = { at, between }
  }
  const within = Math.max(total - best.between, 0)
  return {
    at: best.at,
    statistic: within === 0 ? Infinity : Math.sqrt(((n - 2) * best.between) / within),
  }
}

const critical = new Map<number, number>()

function criticalValue(n: number): number {
  const known = critical.get(n)
  if (known !== undefined) return known
  const random = seededRandom(n)
  const found = Array.from(
    { length: simulations },
    () => largestShift(Array.from({ length: n }, () => gaussian(random))).statistic,
  ).sort((a, b) => a - b)
  const value = found[Math.ceil(simulations * (1 - falseAlarms))] ?? Infinity
  critical.set(n, value)
  return value
}

/** Box and Muller's. */
function gaussian(random: () => number): number {
  return Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random())
}
