/** Whether a run drifted, and by how much: rank statistics, since drift need not be a straight line. */
import { errorFunction, median } from 'simple-statistics'

/**
 * Mann–Kendall test (Kendall 1975, with the correction for ties): two-sided p-value of "there is no trend". Assumes
 * that neighbours are independent; where they are not it warns too often, which is the safer side for a warning.
 */
export function mannKendall(values: readonly number[]): number {
  const n = values.length
  if (n < 4) return 1
  let score = 0
  for (let i = 0; i < n; i++)
    for (let j = i + 1; j < n; j++) score += Math.sign((values[j] as number) - (values[i] as number))
  const ties = new Map<number, number>()
  for (const value of values) ties.set(value, (ties.get(value) ?? 0) + 1)
  const term = (count: number) => count * (count - 1) * (2 * count + 5)
  const variance = (term(n) - [...ties.values()].reduce((sum, count) => sum + term(count), 0)) / 18
  if (variance <= 0) return 1
  const z = (Math.abs(score) - 1) / Math.sqrt(variance)
  return z <= 0 ? 1 : 1 - errorFunction(z / Math.SQRT2)
}

/** Theil–Sen slope: the median of all pairwise slopes, in value per step. */
export function theilSen(values: readonly number[]): number {
  const slopes: number[] = []
  for (let i = 0; i < values.length; i++)
    for (let j = i + 1; j < values.length; j++)
      slopes.push(((values[j] as number) - (values[i] as number)) / (j - i))
  return slopes.length === 0 ? 0 : median(slopes)
}

/** Lag-1 autocorrelation; 0 for fewer than three values or none that differ. */
export function autocorrelation(values: readonly number[]): number {
  const n = values.length
  if (n < 3) return 0
  const mean = values.reduce((sum, value) => sum + value, 0) / n
  let above = 0
  let below = 0
  values.forEach((value, index) => {
    below += (value - mean) ** 2
    if (index > 0) above += (value - mean) * ((values[index - 1] as number) - mean)
  })
  return below === 0 ? 0 : above / below
}

/** Distance from the median in robust standard deviations (1.4826 × MAD); all 0 where most values are equal. */
export function robustScores(values: readonly number[]): number[] {
  if (values.length < 3) return values.map(() => 0)
  const middle = median([...values])
  const spread = 1.4826 * median(values.map((value) => Math.abs(value - middle)))
  return values.map((value) => (spread === 0 ? 0 : (value - middle) / spread))
}
