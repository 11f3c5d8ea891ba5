/** Noise as hosts make it, seeded: skewed, drifting, autocorrelated, with bursts; for tests that know the truth. */
import { seededRandom } from '../protocol/random.js'

export interface NoiseOptions {
  /** Spread of a trial about its round, as the standard deviation of the log. Default: 0.02. */
  readonly trialSigma?: number
  /** Spread of what all trials of a round share. Default: 0.03. */
  readonly roundSigma?: number
  /** Correlation of what rounds share with the round before. Default: 0.6. */
  readonly autocorrelation?: number
  /** Change of every trial from the first round to the last, as a share. Default: 0.05. */
  readonly drift?: number
  /** Share of trials that a burst of foreign work slows. Default: 0.04. */
  readonly burstShare?: number
}

/** A standard normal deviate (Marsaglia's polar method). */
export function normalDeviates(random: () => number): () => number {
  let spare: number | undefined
  return () => {
    if (spare !== undefined) {
      const value = spare
      spare = undefined
      return value
    }
    for (;;) {
      const u = 2 * random() - 1
      const v = 2 * random() - 1
      const s = u * u + v * v
      if (s === 0 || s >= 1) continue
      const factor = Math.sqrt((-2 * Math.log(s)) / s)
      spare = v * factor
      return u * factor
    }
  }
}

export interface Noise {
  readonly random: () => number
  readonly normal: () => number
  /** Factors of one round's trials, in the order in which they run: what they share, and what is their own. */
  round(round: number, rounds: number, trials: number): readonly number[]
}

/**
 * Positive factors about 1. A trial's own share is right-skewed (a shifted gamma-like sum of squares), since a host
 * disturbs a measurement by slowing it; what rounds share follows an AR(1) process and a linear drift.
 */
export function createNoise(seed: number, options: NoiseOptions = {}): Noise {
  const { trialSigma = 0.02, roundSigma = 0.03, autocorrelation = 0.6, drift = 0.05, burstShare = 0.04 } = options
  const random = seededRandom(seed)
  const normal = normalDeviates(random)
  let shared = normal() * roundSigma
  return {
    random,
    normal,
    round(round, rounds, trials) {
      shared = autocorrelation * shared + Math.sqrt(1 - autocorrelation ** 2) * roundSigma * normal()
      return Array.from({ length: trials }, (_, position) => {
        const progress = (round + position / trials) / Math.max(1, rounds - 1)
        // Squares of normals: mean 1, variance 2; scaled to unit variance they have a skewness of 2.8.
        const skewed = (normal() ** 2 - 1) / Math.SQRT2
        const own = trialSigma * (0.7 * normal() + 0.7 * skewed)
        const burst = random() < burstShare ? trialSigma * 3 * random() : 0
        return Math.exp(shared + drift * progress + own + burst)
      })
    },
  }
}
