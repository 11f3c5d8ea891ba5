/** Plans the search for a path's knee: the largest rate at which it still meets its SLO. Pure; somebody else measures. */

/** One trial of the search: at this rate, was p99 under the SLO and every request sent and answered? */
export interface KneeProbe {
  readonly ratePerSecond: number
  readonly passed: boolean
}

export interface KneeSettings {
  /** First rate to try. */
  readonly startPerSecond: number
  readonly minPerSecond: number
  readonly maxPerSecond: number
  /** The search ends when the interval is within ± this share of the knee. */
  readonly precision: number
  readonly maxProbes: number
}

export interface KneeEstimate {
  readonly ratePerSecond: number
  readonly low: number
  readonly high: number
  /** `precise`: as wanted; `probes`: they ran out; `above` and `below`: the knee lies outside the rates tried. */
  readonly end: 'precise' | 'probes' | 'above' | 'below'
  readonly method: string
}

export type KneeStep =
  | { readonly next: number; readonly estimate?: never }
  | { readonly estimate: KneeEstimate; readonly next?: never }

const level = 0.95
/** Width of the zone about the knee in which a trial may pass or fail, as standard deviations of the log rate. */
const slopes = [0.01, 0.03, 0.08] as const
/** Chance that a trial goes the other way however far it is from the knee: a burst of foreign work. */
const lapse = 0.03
const gridStep = 0.01
/** Passes (or failures) at the limit that are taken as the last word. */
const passesAtLimit = 2
/** Posterior quantiles to probe in turn: off the centre, too, or the width of the zone would stay unknown. */
const quantiles = [0.5, 0.35, 0.65] as const

/**
 * What to do after the probes so far: try a rate, or stop with an estimate.
 *
 * Doubling (or halving) brackets the knee. From then on every outcome sharpens a posterior over the knee and the width
 * of its zone, and the next rate is where it is most in doubt (QUEST; Watson & Pelli 1983). One lucky pass or unlucky
 * failure therefore moves the estimate, and does not decide it as in a bisection.
 */
export function nextKneeStep(probes: readonly KneeProbe[], settings: KneeSettings): KneeStep {
  const { startPerSecond, minPerSecond, maxPerSecond, precision, maxProbes } = settings
  const last = probes.at(-1)
  if (!last) return { next: clamp(startPerSecond, settings) }
  const passes = probes.filter(({ passed }) => passed).map(({ ratePerSecond }) => ratePerSecond)
  const failures = probes.filter(({ passed }) => !passed).map(({ ratePerSecond }) => ratePerSecond)
  const ends = (limit: number, rates: readonly number[]) =>
    rates.filter((rate) => rate === limit).length >= passesAtLimit
  if (failures.length === 0 && ends(maxPerSecond, passes)) return { estimate: atLimit(maxPerSecond, 'above') }
  if (passes.length === 0 && ends(minPerSecond, failures)) return { estimate: atLimit(minPerSecond, 'below') }
  const bracketed = passes.length > 0 && failures.length > 0
  if (!bracketed) {
    if (probes.length < maxProbes)
      return { next: clamp(last.ratePerSecond * (last.passed ? 2 : 0.5), settings) }
    // The posterior would end where the rates allowed do: a figure that nobody measured.
    return {
      estimate: last.passed ? atLimit(Math.max(...passes), 'above') : atLimit(Math.min(...failures), 'below'),
    }
  }
  const posterior = kneePosterior(probes, settings)
  const [low, middle, high] = [(1 - level) / 2, 0.5, (1 + level) / 2].map((at) =>
    quantileOf(posterior, at),
  ) as [number, number, number]
  const precise = (high - low) / 2 <= precision * middle
  if (precise || probes.length >= maxProbes) {
    return {
      estimate: {
        ratePerSecond: middle,
        low,
        high,
        end: precise ? 'precise' : 'probes',
        method: 'adaptive search (QUEST), median and 95 % credible interval of the posterior',
      },
    }
  }
  return { next: quantileOf(posterior, quantiles[probes.length % quantiles.length] ?? 0.5) }
}

/** Quantiles of the posterior over the knee after at least one probe, at ascending probabilities. */
export function kneeQuantiles(
  probes: readonly KneeProbe[],
  settings: KneeSettings,
  probabilities: readonly number[],
): readonly number[] {
  const posterior = kneePosterior(probes, settings)
  return probabilities.map((probability) => quantileOf(posterior, probability))
}

function clamp(rate: number, { minPerSecond, maxPerSecond }: KneeSettings): number {
  return Math.min(maxPerSecond, Math.max(minPerSecond, rate))
}

function atLimit(rate: number, end: 'above' | 'below'): KneeEstimate {
  return {
    ratePerSecond: rate,
    // Beyond the limit nothing was tried: what is known is one side only.
    low: end === 'above' ? rate : 0,
    high: rate,
    end,
    method: `the knee lies ${end === 'above' ? 'at or above the highest' : 'below the lowest'} rate tried`,
  }
}

type Posterior = ReturnType<typeof kneePosterior>

/** Probability of each candidate for the knee, all equally likely (on a log scale) before the first probe. */
function kneePosterior(probes: readonly KneeProbe[], { minPerSecond, maxPerSecond }: KneeSettings) {
  const count = Math.max(2, Math.ceil(Math.log(maxPerSecond / minPerSecond) / gridStep) + 1)
  const rates = Array.from(
    { length: count },
    (_, index) => minPerSecond * (maxPerSecond / minPerSecond) ** (index / (count - 1)),
  )
  const logProbes = probes.map(({ ratePerSecond, passed }) => ({ log: Math.log(ratePerSecond), passed }))
  // A product of at most some dozens of factors, none below the lapse: no need for logarithms.
  const mass = Float64Array.from(rates, (rate) => {
    const log = Math.log(rate)
    return slopes.reduce(
      (sum, slope) =>
        sum +
        logProbes.reduce((product, probe) => product * likelihood(probe.log, probe.passed, log, slope), 1),
      0,
    )
  })
  const total = mass.reduce((sum, value) => sum + value, 0)
  return { rates, mass: mass.map((value) => value / total) }
}

/** Chance of a probe's outcome if the knee (its logarithm) were here: logistic, with lapses either way. */
function likelihood(log: number, passed: boolean, knee: number, slope: number): number {
  const pass = lapse + (1 - 2 * lapse) / (1 + Math.exp((1.7 * (log - knee)) / slope))
  return passed ? pass : 1 - pass
}

function quantileOf({ rates, mass }: Posterior, probability: number): number {
  let below = 0
  for (let index = 0; index < rates.length; index++) {
    below += mass[index] as number
    if (below >= probability) return rates[index] as number
  }
  return rates.at(-1) as number
}
