/** The one estimator behind every interval: where a handful of noisy values lies, and how surely. */
import { probit } from 'simple-statistics'
import { studentQuantile, studentTwoSidedP } from './student.js'
import { randomStream } from './random.js'

/** A location with its standard error. Zero values give `n: 0`; one value gives `se: Infinity`. */
export interface Location {
  readonly value: number
  readonly se: number
  readonly n: number
  /** Degrees of freedom of the standard error. */
  readonly df: number
}

/**
 * How it is done, in words for an `Estimate`.
 *
 * Chosen by simulation over percentile and BCa bootstraps, Wilcoxon's inversion, trimmed and plain means: percentile
 * bootstraps of so few rounds cover 91 % instead of 95 %, and rank tests cannot reach the small p-values that a family
 * of comparisons needs at 8 to 12 rounds. harness/stats/coverage.ts shows what this one does.
 */
export const locationMethod = 'Hodges–Lehmann, bootstrap standard error, Student’s t'

/** Resamples of a bootstrap: a standard error needs no more than a few hundred (Efron & Tibshirani 1993, 6.4). */
export function resampleCount(n: number): number {
  return n <= 40 ? 500 : 250
}

/** What the estimates of one run share. */
export interface LocationOptions {
  readonly seed: number
  /** Fewer degrees of freedom than n − 1, after several looks; see harness/stats/sequential.ts. */
  readonly df?: number
  readonly resamples?: number
}

/**
 * Hodges–Lehmann estimate (the median of all pairwise means; Hodges & Lehmann 1963) with the standard deviation of
 * its bootstrap distribution as standard error (Efron 1979).
 *
 * The bootstrap draws from n values where the truth has no bounds, which makes it too narrow by up to √(n/(n−1)); for
 * this estimator the fourth root of n/(n−1) brings the coverage of t intervals to 95–97 % for n from 3 up.
 *
 * Equal values give equal estimates wherever they are asked for: what is drawn hangs on their number and the seed.
 */
export function estimateLocation(values: readonly number[], options: LocationOptions): Location {
  const n = values.length
  if (n === 0) return { value: 0, se: Infinity, n: 0, df: 1 }
  if (n === 1) return { value: values[0] as number, se: Infinity, n: 1, df: 1 }
  const walsh = walshAverages(values)
  const value = weightedMedian(walsh, new Uint8Array(n).fill(1), 0)
  const resamples = options.resamples ?? resampleCount(n)
  const drawn = drawResamples(n, resamples, options.seed)
  let sum = 0
  let squares = 0
  for (let resample = 0; resample < resamples; resample++) {
    const deviation = weightedMedian(walsh, drawn, resample * n) - value
    sum += deviation
    squares += deviation * deviation
  }
  const variance = Math.max(0, (squares - (sum * sum) / resamples) / (resamples - 1))
  const se = Math.sqrt(variance) * (n / (n - 1)) ** 0.25
  return { value, se, n, df: Math.max(1, options.df ?? n - 1) }
}

/** The Hodges–Lehmann estimate alone; 0 of nothing. */
export function hodgesLehmann(values: readonly number[]): number {
  if (values.length === 0) return 0
  return weightedMedian(walshAverages(values), new Uint8Array(values.length).fill(1), 0)
}

const drawnBefore = new Map<string, Uint8Array>()
const mostRemembered = 256

/** How often each of n values is drawn in each resample, row by row. Remembered: a run asks for the same ones often. */
function drawResamples(n: number, resamples: number, seed: number): Uint8Array {
  const key = `${n} ${resamples} ${seed}`
  const known = drawnBefore.get(key)
  if (known) return known
  const stream = randomStream(seed, `${n} rounds`)
  const counts = new Uint8Array(n * resamples)
  for (let row = 0; row < counts.length; row += n)
    for (let draw = 0; draw < n; draw++) {
      const at = row + stream.below(n)
      counts[at] = (counts[at] as number) + 1
    }
  if (drawnBefore.size >= mostRemembered) drawnBefore.clear()
  drawnBefore.set(key, counts)
  return counts
}

/** Bounds at `level`. Infinite for a single value. */
export function boundsOf(location: Location, level: number): { readonly low: number; readonly high: number } {
  const half = halfWidth(location, level)
  return { low: location.value - half, high: location.value + half }
}

export function halfWidth({ se, df }: Location, level: number): number {
  if (se === 0 || !Number.isFinite(se)) return se
  return studentQuantile(1 - (1 - level) / 2, df) * se
}

/** Two-sided p-value of the hypothesis that the location is `hypothesis`. */
export function pValueOf({ value, se, df }: Location, hypothesis = 0): number {
  const distance = Math.abs(value - hypothesis)
  if (!Number.isFinite(se)) return 1
  // Values that are all the same have no spread to judge by: equal is equal, and different is different.
  if (se <= Math.abs(value) * 1e-12) return distance <= Math.abs(value) * 1e-12 ? 1 : 0
  return studentTwoSidedP(distance / se, df)
}

/**
 * Smallest true distance from the hypothesis that is found with probability `power` at the two-sided level `alpha`.
 *
 * As for the non-central t distribution (Johnson & Welch 1940) the standard error's own uncertainty adds to what is
 * needed; that of a bootstrap over few values is larger than a normal sample's, hence t²/df where the textbook has
 * t²/2df. harness/stats/coverage.ts shows that effects of this size are found often enough.
 */
export function detectableBy({ se, df }: Location, alpha: number, power: number): number {
  if (se === 0 || !Number.isFinite(se)) return se
  const t = studentQuantile(1 - alpha / 2, df)
  return (t + probit(power) * Math.sqrt(1 + (t * t) / df)) * se
}

/** Pairwise means in ascending order, and which two values each is of. */
interface WalshAverages {
  readonly mean: Float64Array
  readonly first: Uint16Array
  readonly second: Uint16Array
  /** 1 where a value is paired with itself. */
  readonly self: Uint8Array
  readonly n: number
}

/** The n(n+1)/2 pairwise means, sorted once: a resample then only changes their weights. */
function walshAverages(values: readonly number[]): WalshAverages {
  const n = values.length
  const size = (n * (n + 1)) / 2
  const sorted = Float64Array.from(values).sort()
  const means = new Float64Array(size)
  const firstOf = new Uint16Array(size)
  const secondOf = new Uint16Array(size)
  let next = 0
  for (let i = 0; i < n; i++)
    for (let j = i; j < n; j++) {
      means[next] = ((sorted[i] as number) + (sorted[j] as number)) / 2
      firstOf[next] = i
      secondOf[next++] = j
    }
  const order = new Uint32Array(size)
  for (let index = 0; index < size; index++) order[index] = index
  order.sort((a, b) => (means[a] as number) - (means[b] as number))
  const walsh = {
    mean: new Float64Array(size),
    first: new Uint16Array(size),
    second: new Uint16Array(size),
    self: new Uint8Array(size),
    n,
  }
  for (let index = 0; index < size; index++) {
    const from = order[index] as number
    walsh.mean[index] = means[from] as number
    walsh.first[index] = firstOf[from] as number
    walsh.second[index] = secondOf[from] as number
    walsh.self[index] = firstOf[from] === secondOf[from] ? 1 : 0
  }
  return walsh
}

/**
 * Median of the pairwise means of a sample that holds value i `counts[offset + i]` times. Weights are doubled, so that
 * they are whole: 2·c·d for two values, c·(c + 1) for one with itself.
 */
function weightedMedian(walsh: WalshAverages, counts: Uint8Array, offset: number): number {
  const { mean, first, second, self, n } = walsh
  const half = (n * (n + 1)) / 2
  let below = 0
  let index = -1
  while (below < half) {
    index++
    const c = counts[offset + (first[index] as number)] as number
    const d = counts[offset + (second[index] as number)] as number
    const alone = self[index] as number
    below += c * (d * (2 - alone) + alone)
  }
  if (below > half) return mean[index] as number
  // Exactly half lies at or below: the median is halfway to the next mean that the sample holds.
  let next = index + 1
  while (
    next < mean.length - 1 &&
    (counts[offset + (first[next] as number)] === 0 || counts[offset + (second[next] as number)] === 0)
  )
    next++
  return ((mean[index] as number) + (mean[next] as number)) / 2
}
