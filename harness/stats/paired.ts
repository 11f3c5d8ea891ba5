/** Compares two series of rounds: round by round, since what slows a round slows both. */
import { detectableBy, estimateLocation, hodgesLehmann, pValueOf, type Location } from './location.js'
import { degreesOfFreedom, type RoundLimits } from './sequential.js'
import { dependenceOf } from './serial.js'

/** What every estimate of a run shares. */
export interface Settings {
  readonly seed: number
  readonly rounds: RoundLimits
}

export const power = 0.8

/**
 * Where values of rounds, given in their order, lie: with the degrees of freedom that the run's looks leave, and wider
 * where rounds resemble those before them.
 */
export function locate(values: readonly number[], { seed, rounds }: Settings, error = 0): Location {
  const df = degreesOfFreedom(values.length, rounds)
  const location = estimateLocation(values, { seed, df, error })
  const { lag1, independent } = dependenceOf(values)
  if (lag1 === 0) return location
  return {
    ...location,
    se: location.se * Math.sqrt(values.length / independent),
    df: Math.max(1, Math.min(df, Math.round(independent) - 1)),
    lag1,
  }
}

export interface Pairing {
  readonly difference: Location
  /** Location of the log ratios, or of the ratio itself when `log` is false. */
  readonly ratio: Location
  readonly log: boolean
  /**
   * Of "there is no difference"; not adjusted for any family. The larger of what difference and ratio say, so that what
   * is called different lies off zero, and off one.
   */
  readonly pValue: number
  /** Smallest true difference that a test at level `alpha` finds with 80 % power. Infinite when that is unknown. */
  readonly detectable: (alpha: number) => number
}

/** Where the log ratios of two series of positive values lie. */
export function locateLogRatios(
  treated: readonly number[],
  reference: readonly number[],
  settings: Settings,
  step = 0,
): Location {
  const error = step === 0 ? 0 : (step / 2) * (1 / hodgesLehmann(treated) + 1 / hodgesLehmann(reference))
  return locate(
    treated.map((value, index) => Math.log(value / (reference[index] as number))),
    settings,
    error,
  )
}

/**
 * A difference is that of the host as it was in the run: one that was slow throughout, or swung more slowly than the run
 * is long, stretches all differences and leaves ratios alone. Their spread holds that swing; what the ratio's spread makes
 * of a difference, were all of it the larger side's own, does not. Neither is too small: the lesser one is taken.
 */
function withoutSwing(difference: Location, ratio: Location, level: number): Location {
  const se = level * Math.max(1, Math.exp(ratio.value)) * ratio.se
  return se < difference.se ? { ...ratio, value: difference.value, se } : difference
}

/**
 * Where all values are positive the ratio, and with it the verdict, is judged by the log ratios: noise multiplies (a
 * slow round slows both), so these are closer to symmetric than differences. Otherwise (an added cost that noise
 * turned negative) the verdict is judged by the differences, and the ratio by linearising about its estimate.
 *
 * `step`: the finest step that a value can take; half of it is what each may be off.
 */
export function pair(
  treated: readonly number[],
  reference: readonly number[],
  settings: Settings,
  step = 0,
): Pairing {
  const differences = treated.map((value, index) => value - (reference[index] as number))
  const difference = locate(differences, settings, step)
  if ([...treated, ...reference].every((value) => value > 0)) {
    const ratio = locateLogRatios(treated, reference, settings, step)
    const level = hodgesLehmann(reference)
    const own = withoutSwing(difference, ratio, level)
    return {
      difference: own,
      ratio,
      log: true,
      pValue: Math.max(pValueOf(ratio), pValueOf(own)),
      detectable: (alpha) => level * Math.expm1(detectableBy(ratio, alpha, power)),
    }
  }
  const below = hodgesLehmann(reference)
  const quotient = below === 0 ? 0 : hodgesLehmann(treated) / below
  const residual = locate(
    treated.map((value, index) => value - quotient * (reference[index] as number)),
    settings,
    (step / 2) * (1 + Math.abs(quotient)),
  )
  return {
    difference,
    ratio: { ...residual, value: quotient, se: below === 0 ? Infinity : residual.se / Math.abs(below) },
    log: false,
    pValue: pValueOf(difference),
    detectable: (alpha) => detectableBy(difference, alpha, power),
  }
}
