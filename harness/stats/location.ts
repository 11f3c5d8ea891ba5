/**
 * The one estimator behind every interval: where a handful of noisy values lies, and how surely. Hodges–Lehmann, with a
 * bootstrap standard error and Student’s t.
 *
 * Chosen by simulation over percentile and BCa bootstraps, Wilcoxon's inversion, trimmed and plain means: percentile
 * bootstraps of so few rounds cover 91 % instead of 95 %, and rank tests cannot reach the small p-values that a family
 * of comparisons needs at 8 to 12 rounds. harness/stats/simulation/coverage.ts shows what this one does.
 */
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
  /** Correlation of a round with the next, where the standard error was widened for it. */
  readonly lag1?: number
}

/** From how many values on intervals are no wider than they need to be. */
export const fewestTight = 6

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
  /** How far one value may lie from what it stands for, by the resolution of what was read. Default: 0, unknown. */
  readonly error?: number
}

/**
 * Hodges–Lehmann estimate (the median of all pairwise means; Hodges & Lehmann 1963) with the standard deviation of
 * its bootstrap distribution as standard error (Efron 1979).
 *
 * The bootstrap draws from n values where the truth has no bounds, which makes it too narrow by up to √(n/(n−1)); for
 * this estimator the fourth root of n/(n−1) brings the coverage of t intervals to 95–97 % for n from 6 up. Fewer values
 * get the whole factor: their intervals are wider than they need to be on average, and hold what they should everywhere.
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
  const df = Math.max(1, options.df ?? n - 1)
  const spread = Math.sqrt(variance) * (n / (n - 1)) ** (n < fewestTight ? 0.5 : 0.25)
  return { value, se: Math.hypot(spread, stepError(values, options.error ?? 0, df)), n, df }
}

/** What of a value's error stays in the location of ever so many; see `stepError`. */
const lasting = 0.5

/**
 * Values that all fell on one step of a clock, a page or a tick do not spread, and are no surer for it: the interval
 * is then as wide as what one value may be off. Values that spread over several steps round up and down by chance,
 * which averages out of their mean, but not of a median: means of pairs lie half a step apart, so that the middle one
 * may be off by a quarter of a step however many there are. Added as variances, twice that quarter keeps what
 * intervals promise where chance and step are alike, too.
 */
function stepError(values: readonly number[], error: number, df: number): number {
  if (error <= 0) return 0
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length
  const spread = Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (values.length - 1))
  return Math.max(error - spread / 2, lasting * error) / studentQuantile(0.975, df)
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
  // Values that are all the same have no spread to judge by: their error is unknown, not nothing.
  if (se <= Math.abs(value) * 1e-12) return 1
  return studentTwoSidedP(distance / se, df)
}

/**
 * Smallest true distance from the hypothesis that is found with probability `power` at the two-sided level `alpha`.
 *
 * As for the non-central t distribution (Johnson & Welch 1940) the standard error's own uncertainty adds to what is
 * needed; that of a bootstrap over few values is larger than a normal sample's, hence t²/df where the textbook has
 * t²/2df. harness/stats/simulation/coverage.ts shows that effects of this size are found often enough.
 */
export function detectableBy({ se, df }: Location, alpha: number, power: number): number {
  if (se === 0 || !Number.isFinite(se)) return se
  const t = studentQuantile(1 - alpha / 2, df)
  return (t + probit(power) * Math.sqrt(1 + (t * t) / df)) * se
}

/** Pairwise means, their order, which two values each is of, and marks to count from. */
interface WalshAverages {
  readonly n: number
  /** n(n+1)/2: how many means there are. The arrays may be longer. */
  readonly size: number
  readonly mean: Float64Array
  readonly first: Uint16Array
  readonly second: Uint16Array
  /** Where the means are, in ascending order. */
  readonly order: Uint32Array
  /** How many of the means before mark m have value i first, at `m * n + i`: they pair it with itself and those next. */
  readonly before: Uint16Array
}

/** Means between two marks: counting through that many is as quick as looking for a mark. */
const markStep = 128

/** Memory for the means of up to so many values: a run asks for thousands of estimates, one after the other. */
function createScratch(n: number) {
  const size = (n * (n + 1)) / 2
  return {
    n,
    mean: new Float64Array(size),
    first: new Uint16Array(size),
    second: new Uint16Array(size),
    order: new Uint32Array(size),
    spare: new Uint32Array(size),
    low: new Uint32Array(size),
    high: new Uint32Array(size),
    before: new Uint16Array(n * Math.ceil(size / markStep)),
    /** How many of a resample's values come before each of its places. */
    upTo: new Uint32Array(n + 1),
  }
}

let scratch = createScratch(32)

/**
 * The pairwise means, sorted once: a resample then only changes their weights. It lives in memory that the next call
 * writes anew.
 */
function walshAverages(values: readonly number[]): WalshAverages {
  const n = values.length
  if (n > scratch.n) scratch = createScratch(2 * n)
  const { mean, first, second, before } = scratch
  const sorted = Float64Array.from(values).sort()
  let size = 0
  for (let i = 0; i < n; i++)
    for (let j = i; j < n; j++) {
      mean[size] = ((sorted[i] as number) + (sorted[j] as number)) / 2
      first[size] = i
      second[size++] = j
    }
  const order = sortedOrder(size)
  const seen = new Uint16Array(n)
  for (let index = 0; index < size; index++) {
    if (index % markStep === 0) before.set(seen, n * (index / markStep))
    const i = first[order[index] as number] as number
    seen[i] = (seen[i] as number) + 1
  }
  return { n, size, mean, first, second, order, before }
}

const digitBits = 11
const digits = 2 ** digitBits

/**
 * Places of the scratch's first `size` means in ascending order, by radix: 20 000 means of 200 rounds make comparisons
 * the dearest part of an estimate. The bits of a double are in the order of its values once the sign is flipped, and
 * all bits of those below zero.
 */
function sortedOrder(size: number): Uint32Array {
  const { mean, low, high } = scratch
  const words = new Uint32Array(mean.buffer, 0, 2 * size)
  for (let index = 0; index < size; index++) {
    const top = words[2 * index + 1] as number
    const flip = top >>> 31 === 1 ? 0xffffffff : 0
    low[index] = (words[2 * index] as number) ^ flip
    high[index] = top ^ (flip | 0x80000000)
  }
  let [from, into] = [scratch.order, scratch.spare]
  for (let index = 0; index < size; index++) from[index] = index
  const starts = new Uint32Array(digits)
  // The two words overlap in no digit: 11 + 11 + 10 bits of each.
  for (const [word, shift] of [
    [low, 0],
    [low, digitBits],
    [low, 2 * digitBits],
    [high, 0],
    [high, digitBits],
    [high, 2 * digitBits],
  ] as const) {
    starts.fill(0)
    for (let index = 0; index < size; index++) {
      const digit = ((word[index] as number) >>> shift) & (digits - 1)
      starts[digit] = (starts[digit] as number) + 1
    }
    let sum = 0
    for (let digit = 0; digit < digits; digit++) {
      const count = starts[digit] as number
      starts[digit] = sum
      sum += count
    }
    for (let index = 0; index < size; index++) {
      const place = from[index] as number
      const digit = ((word[place] as number) >>> shift) & (digits - 1)
      const at = starts[digit] as number
      into[at] = place
      starts[digit] = at + 1
    }
    ;[from, into] = [into, from]
  }
  return from
}

/**
 * Median of the pairwise means of a sample that holds value i `counts[offset + i]` times. Weights are doubled, so that
 * they are whole: 2·c·d for two values, c·(c + 1) for one with itself.
 */
function weightedMedian(walsh: WalshAverages, counts: Uint8Array, offset: number): number {
  const { mean, first, second, order, n, size } = walsh
  const half = (n * (n + 1)) / 2
  const start = lastMarkBelow(walsh, counts, offset, half)
  let below = start.weight
  let index = start.mark * markStep - 1
  while (below < half) {
    const place = order[++index] as number
    const i = first[place] as number
    const j = second[place] as number
    const c = counts[offset + i] as number
    below += i === j ? c * (c + 1) : 2 * c * (counts[offset + j] as number)
  }
  const middle = mean[order[index] as number] as number
  if (below > half) return middle
  // Exactly half lies at or below: the median is halfway to the next mean that the sample holds.
  const isHeld = (place: number) =>
    counts[offset + (first[place] as number)] !== 0 && counts[offset + (second[place] as number)] !== 0
  let next = index + 1
  while (next < size - 1 && !isHeld(order[next] as number)) next++
  return (middle + (mean[order[next] as number] as number)) / 2
}

/** The last mark before which less than `half` of the weight lies, and that weight. */
function lastMarkBelow(
  { n, size, before }: WalshAverages,
  counts: Uint8Array,
  offset: number,
  half: number,
): { readonly mark: number; readonly weight: number } {
  let mark = 0
  let weight = 0
  let above = Math.ceil(size / markStep)
  if (above === 1) return { mark, weight }
  const { upTo } = scratch
  upTo[0] = 0
  for (let i = 0; i < n; i++) upTo[i + 1] = (upTo[i] as number) + (counts[offset + i] as number)
  while (above - mark > 1) {
    const middle = (mark + above) >> 1
    let sum = 0
    for (let i = 0; i < n; i++) {
      const pairs = before[middle * n + i] as number
      // With larger values all means are larger: none of those that follow has any before the mark.
      if (pairs === 0) break
      const c = counts[offset + i] as number
      sum += c * (c + 1 + 2 * ((upTo[i + pairs] as number) - (upTo[i + 1] as number)))
    }
    if (sum < half) {
      mark = middle
      weight = sum
    } else above = middle
  }
  return { mark, weight }
}
