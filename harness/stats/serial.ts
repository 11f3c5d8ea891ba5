/** Whether rounds resemble the rounds before them, and how many independent ones they are then worth. */
import { errorFunction } from 'simple-statistics'
import { autocorrelation } from './trend.js'

/** Of fewer rounds a correlation is known too badly: that of six has a standard error of 0.4. */
const fewestRounds = 8
/** One series in a hundred without any memory is taken for one with it. */
const level = 0.01
/** A correlation beyond this leaves so few independent rounds that their number is a guess. */
const largest = 0.9
/** Never fewer: chance alone finds a memory now and then. */
const fewestIndependent = 3

/**
 * Bartels' rank version of von Neumann's ratio test (Bartels 1982): p-value of "neighbours differ as much as any two",
 * against neighbours that resemble each other. 1 of fewer than four values, and where none differ.
 */
export function rankVonNeumann(values: readonly number[]): number {
  const n = values.length
  if (n < 4) return 1
  const ranks = midRanks(values)
  const middle = (n + 1) / 2
  let steps = 0
  let spread = 0
  ranks.forEach((rank, index) => {
    spread += (rank - middle) ** 2
    if (index > 0) steps += (rank - (ranks[index - 1] as number)) ** 2
  })
  if (spread === 0) return 1
  const variance = (4 * (n - 2) * (5 * n * n - 2 * n - 9)) / (5 * n * (n + 1) * (n - 1) ** 2)
  const z = (steps / spread - 2) / Math.sqrt(variance)
  return (1 + errorFunction(z / Math.SQRT2)) / 2
}

/** Ranks from 1; equal values share the mean of theirs. */
function midRanks(values: readonly number[]): number[] {
  const order = values.map((_, index) => index).sort((a, b) => (values[a] as number) - (values[b] as number))
  const ranks = new Array<number>(values.length)
  for (let from = 0; from < order.length;) {
    let to = from
    while (to < order.length && values[order[to] as number] === values[order[from] as number]) to++
    for (const index of order.slice(from, to)) ranks[index] = (from + 1 + to) / 2
    from = to
  }
  return ranks
}

/**
 * Where the test finds a memory, n rounds carry what n(1 − r)/(1 + r) independent ones would (Bayley & Hammersley 1946,
 * for a memory that fades by the factor r from round to round). r itself comes out too small in short series, by about
 * (1 + 4r)/n (Marriott & Pope 1954), which is put right. `lag1` is 0 where the series shows no memory beyond chance.
 */
export function dependenceOf(values: readonly number[]) {
  const n = values.length
  if (n < fewestRounds || rankVonNeumann(values) >= level) return { lag1: 0, independent: n }
  const lag1 = Math.min(largest, Math.max(0, (n * autocorrelation(values) + 1) / (n - 4)))
  return { lag1, independent: Math.max(fewestIndependent, (n * (1 - lag1)) / (1 + lag1)) }
}
