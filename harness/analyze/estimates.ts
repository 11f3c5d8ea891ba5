/** Turns values of rounds into estimates that say how they were made. */
import type { Estimate } from '../model.js'
import { boundsOf, resampleCount, type Location } from '../stats/location.js'
import { locate, pair, type Settings } from '../stats/paired.js'
import { shareBounds } from '../stats/student.js'

export { power } from '../stats/paired.js'

export const level = 0.95
export const alpha = 1 - level

/** Two rounds that agree by chance are common: fewer independent samples than these give no firm verdict. */
export const fewestFirm = 3

export interface EstimateOptions {
  readonly unit: Estimate['unit']
  readonly cells: readonly string[]
  /** The quantity cannot be below zero, so its interval is cut there. */
  readonly positive?: boolean
  /** The finest step that a sample can take, in the unit: where samples do not spread, no interval is narrower. */
  readonly step?: number
  /** Over how many things, each by itself, all values together were counted; absent: they were read. */
  readonly things?: number
}

/**
 * Estimate over rounds. What JSON can hold is all there is: no value gives 0 with `n: 0`, and so does a ratio to nothing;
 * one round has no spread, and its bounds are ± `scale` (the size of what was measured; by default the value's own),
 * which `method` says.
 */
function toEstimate(
  location: Location,
  what: string,
  options: EstimateOptions & { readonly scale?: number; readonly log?: boolean },
): Estimate {
  const { unit, cells, positive = false, log = false } = options
  const { n } = location
  const value = log && n > 0 ? Math.exp(location.value) : location.value
  const base = { value, unit, level, n, cells }
  if (n === 0) return { ...base, low: 0, high: 0, method: 'no valid trial' }
  if (n > 1 && !Number.isFinite(location.se))
    return { ...base, n: 0, low: 0, high: 0, method: 'the reference is zero: there is no ratio to it' }
  if (n === 1) {
    const spread = Math.abs(options.scale ?? value)
    return {
      ...base,
      low: positive || log ? Math.max(0, value - spread) : value - spread,
      high: value + spread,
      method: 'one round: the bounds are a convention (± the size of what was measured), not an interval',
    }
  }
  const bounds = boundsOf(location, level)
  // A ratio's bounds from two rounds may lie beyond what a double holds.
  const largest = 1e12
  const low = log ? Math.exp(Math.max(-27, bounds.low)) : Math.max(-largest, bounds.low)
  const high = log ? Math.min(largest, Math.exp(bounds.high)) : Math.min(largest, bounds.high)
  return {
    ...base,
    low: positive ? Math.max(0, low) : low,
    high,
    method: `${what}, bootstrap standard error (${resampleCount(n)} resamples), Student’s t with ${location.df} degrees of freedom${memoryWords(location)}`,
  }
}

/** Named where rounds resemble those before them, for which the interval was widened. */
function memoryWords({ lag1 }: Location): string {
  return lag1 === undefined
    ? ''
    : `; widened, since rounds resemble those before them (lag-1 correlation ${lag1.toFixed(2)}, von Neumann’s ratio by ranks)`
}

export function estimateOf(
  values: readonly number[],
  settings: Settings,
  options: EstimateOptions,
): Estimate {
  const location = locate(values, settings, (options.step ?? 0) / 2)
  const estimate = toEstimate(location, 'Hodges–Lehmann over rounds', options)
  return options.things === undefined || values.length < 2
    ? estimate
    : byCount(estimate, values, options.things)
}

/**
 * No surer than so many things can make it: of a share the bounds of one that was counted; of a count that all rounds agree
 * on those of the share of rounds that do.
 */
function byCount(estimate: Estimate, values: readonly number[], things: number): Estimate {
  const isShare = estimate.unit === 'share'
  if (!isShare && values.some((value) => value !== values[0])) return estimate
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length
  const { low, high } = shareBounds(isShare ? Math.round(mean * things) : things, things, level)
  const bounds = isShare
    ? { low, high }
    : { low: estimate.value * low, high: estimate.value + (1 - low) * Math.max(1, estimate.value) }
  return {
    ...estimate,
    low: Math.min(estimate.low, bounds.low),
    high: Math.max(isShare ? Math.min(1, estimate.high) : estimate.high, bounds.high),
    method: `${estimate.method}; no narrower than ${things} counted things allow (Clopper–Pearson)`,
  }
}

export interface PairedResult {
  readonly difference: Estimate
  readonly ratio: Estimate
  /** Not adjusted for any family. */
  readonly pValue: number
  /** Smallest difference found with 80 % power when the test is at level `alpha`. */
  readonly detectable: (alpha: number) => number
}

/** Paired difference and ratio of `treated` to `reference`, round by round; see harness/stats/paired.ts. */
export function comparePaired(
  treated: readonly number[],
  reference: readonly number[],
  settings: Settings,
  options: EstimateOptions,
): PairedResult {
  const pairing = pair(treated, reference, settings, options.step)
  const scale = Math.max(0, ...treated.map(Math.abs), ...reference.map(Math.abs))
  const what = pairing.log
    ? 'paired Hodges–Lehmann of log ratios'
    : 'ratio of Hodges–Lehmann estimates, linearised'
  return {
    difference: toEstimate(pairing.difference, 'paired Hodges–Lehmann of differences', {
      ...options,
      positive: false,
      scale,
    }),
    ratio: toEstimate(pairing.ratio, what, {
      ...options,
      unit: 'ratio',
      // Of what was added, which noise may have turned negative, an end at zero may leave the figure itself out.
      positive: pairing.log || pairing.ratio.value >= 0,
      log: pairing.log,
    }),
    pValue: pairing.pValue,
    detectable: (at) => {
      const size = pairing.detectable(at)
      return Number.isFinite(size) ? size : scale
    },
  }
}
