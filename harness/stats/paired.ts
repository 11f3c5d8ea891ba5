/** Compares two series of rounds: round by round, since what slows a round slows both. */
import { detectableBy, estimateLocation, hodgesLehmann, pValueOf, type Location } from './location.js'
import { degreesOfFreedom, type RoundLimits } from './sequential.js'

/** What every estimate of a run shares. */
export interface Settings {
  readonly seed: number
  readonly rounds: RoundLimits
}

export const power = 0.8

/** Where values of rounds lie, with the degrees of freedom that the run's looks leave. */
export function locate(values: readonly number[], { seed, rounds }: Settings, error = 0): Location {
  return estimateLocation(values, { seed, df: degreesOfFreedom(values.length, rounds), error })
}

export interface Pairing {
  readonly difference: Location
  /** Location of the log ratios, or of the ratio itself when `log` is false. */
  readonly ratio: Location
  readonly log: boolean
  /** Of "there is no difference"; not adjusted for any family. */
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
    return {
      difference,
      ratio,
      log: true,
      pValue: pValueOf(ratio),
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
