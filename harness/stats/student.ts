/** Student's t distribution and bounds of a counted share, which simple-statistics does not have. */
import { gammaln } from 'simple-statistics'

/** Two-sided tail probability P(|T| > |t|) with `df` degrees of freedom. */
export function studentTwoSidedP(t: number, df: number): number {
  if (!Number.isFinite(t)) return 0
  return Math.min(1, incompleteBeta(df / (df + t * t), df / 2, 0.5))
}

const quantiles = new Map<string, number>()

/** The t with P(T < t) = `probability`. Bisection on the tail, remembered: a run asks for few of them very often. */
export function studentQuantile(probability: number, df: number): number {
  if (probability === 0.5) return 0
  if (probability < 0.5) return -studentQuantile(1 - probability, df)
  const key = `${probability} ${df}`
  const known = quantiles.get(key)
  if (known !== undefined) return known
  const tail = 2 * (1 - probability)
  let low = 0
  let high = 2
  while (studentTwoSidedP(high, df) > tail && high < 1e12) high *= 2
  for (let step = 0; step < 80; step++) {
    const middle = (low + high) / 2
    if (studentTwoSidedP(middle, df) > tail) low = middle
    else high = middle
  }
  const value = (low + high) / 2
  quantiles.set(key, value)
  return value
}

/**
 * Bounds of a share of which `hits` of `things` were counted, each thing by itself (Clopper & Pearson 1934): where all agree
 * there is no spread to judge by, and how many of them there were says how sure that is.
 */
export function shareBounds(hits: number, things: number, level: number): { low: number; high: number } {
  const tail = (1 - level) / 2
  // P(at least k of n) at a share p is the incomplete beta function I_p(k, n − k + 1) (DLMF 8.17.5).
  const atLeast = (share: number, k: number) => incompleteBeta(share, k, things - k + 1)
  const solve = (isAbove: (share: number) => boolean) => {
    let [low, high] = [0, 1]
    for (let step = 0; step < 50; step++) {
      const middle = (low + high) / 2
      if (isAbove(middle)) high = middle
      else low = middle
    }
    return (low + high) / 2
  }
  return {
    low: hits <= 0 ? 0 : solve((share) => atLeast(share, hits) > tail),
    high: hits >= things ? 1 : solve((share) => 1 - atLeast(share, hits + 1) < tail),
  }
}

/** Regularised incomplete beta function by Lentz's continued fraction (DLMF 8.17.22). */
function incompleteBeta(x: number, a: number, b: number): number {
  if (x <= 0) return 0
  if (x >= 1) return 1
  const front = Math.exp(gammaln(a + b) - gammaln(a) - gammaln(b) + a * Math.log(x) + b * Math.log1p(-x))
  return x < (a + 1) / (a + b + 2)
    ? (front * betaFraction(x, a, b)) / a
    : 1 - (front * betaFraction(1 - x, b, a)) / b
}

function betaFraction(x: number, a: number, b: number): number {
  const tiny = 1e-300
  let c = 1
  let d = 1 - ((a + b) * x) / (a + 1)
  d = 1 / (Math.abs(d) < tiny ? tiny : d)
  let result = d
  for (let m = 1; m <= 300; m++) {
    for (const numerator of [
      (m * (b - m) * x) / ((a + 2 * m - 1) * (a + 2 * m)),
      (-(a + m) * (a + b + m) * x) / ((a + 2 * m) * (a + 2 * m + 1)),
    ]) {
      d = 1 + numerator * d
      d = 1 / (Math.abs(d) < tiny ? tiny : d)
      c = 1 + numerator / c
      if (Math.abs(c) < tiny) c = tiny
      result *= d * c
    }
    if (Math.abs(d * c - 1) < 1e-14) break
  }
  return result
}
