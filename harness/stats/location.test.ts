import { describe, expect, it } from 'vitest'
import { boundsOf, detectableBy, estimateLocation, hodgesLehmann, pValueOf } from './location.js'
import { randomStream } from './random.js'

const stream = () => randomStream(1, 'test')
const options = { seed: 1 }

/** Hodges–Lehmann by its definition. */
function medianOfMeans(values: readonly number[]): number {
  const means = values.flatMap((a, i) => values.slice(i).map((b) => (a + b) / 2)).sort((a, b) => a - b)
  const half = means.length / 2
  return means.length % 2 === 1
    ? (means[Math.floor(half)] as number)
    : ((means[half - 1] as number) + (means[half] as number)) / 2
}

describe('estimateLocation', () => {
  it('is the median of all pairwise means', () => {
    const source = stream()
    for (let n = 1; n <= 25; n++) {
      const values = Array.from({ length: n }, () => source.normal() ** 3)
      expect(estimateLocation(values, options).value).toBeCloseTo(medianOfMeans(values), 12)
      expect(hodgesLehmann(values)).toBeCloseTo(medianOfMeans(values), 12)
    }
  })

  it.each([7, 40, 75])(
    'has the spread of the medians of resamples, by their definition (%i values, ties)',
    (n) => {
      // Of three seeds the same draws as estimateLocation makes, each sample written out.
      const source = stream()
      const values = Array.from({ length: n }, () => Math.round(4 * source.normal()) / 2)
      const sorted = [...values].sort((a, b) => a - b)
      for (const seed of [1, 2, 3]) {
        const draws = randomStream(seed, `${n} rounds`)
        const medians = Array.from({ length: 30 }, () =>
          medianOfMeans(Array.from({ length: n }, () => sorted[draws.below(n)] as number)),
        )
        const mean = medians.reduce((sum, median) => sum + median, 0) / medians.length
        const variance = medians.reduce((sum, median) => sum + (median - mean) ** 2, 0) / (medians.length - 1)
        const { se } = estimateLocation(values, { seed, resamples: medians.length })
        expect(se).toBeCloseTo(Math.sqrt(variance) * (n / (n - 1)) ** 0.25, 10)
      }
    },
  )

  it('does not depend on the order of the values', () => {
    const values = [3, 1, 4, 1, 5, 9, 2, 6]
    expect(estimateLocation(values, options)).toEqual(estimateLocation([...values].reverse(), options))
  })

  it('stays put when two of ten values run away', () => {
    const values = [1, 1.1, 0.9, 1.05, 0.95, 1.02, 0.98, 1, 100, 1000]
    expect(estimateLocation(values, options).value).toBeLessThan(1.2)
  })

  it('has the standard error that theory gives for normal values', () => {
    // Asymptotic efficiency 3/π: se = √(π / 3n).
    const source = stream()
    const n = 30
    const errors = Array.from({ length: 60 }, () =>
      estimateLocation(
        Array.from({ length: n }, () => source.normal()),
        { seed: 1, resamples: 400 },
      ),
    ).map(({ se }) => se)
    const mean = errors.reduce((sum, se) => sum + se, 0) / errors.length
    expect(mean / Math.sqrt(Math.PI / 3 / n)).toBeGreaterThan(0.93)
    expect(mean / Math.sqrt(Math.PI / 3 / n)).toBeLessThan(1.1)
  })

  it('says what it does not know', () => {
    expect(estimateLocation([], options)).toEqual({ value: 0, se: Infinity, n: 0, df: 1 })
    const single = estimateLocation([7], options)
    expect(single.value).toBe(7)
    expect(boundsOf(single, 0.95)).toEqual({ low: -Infinity, high: Infinity })
    expect(pValueOf(single)).toBe(1)
  })

  it('scales with its values', () => {
    const values = [3, 1, 4, 1.5, 5, 9]
    const [small, large] = [1, 1000].map((by) =>
      estimateLocation(
        values.map((value) => value * by),
        options,
      ),
    )
    expect(large?.se).toBeCloseTo(1000 * (small?.se ?? 0), 9)
    expect(pValueOf(large ?? zeroEstimate())).toBeCloseTo(pValueOf(small ?? zeroEstimate()), 12)
  })
})

const zeroEstimate = () => ({ value: 0, se: 1, n: 2, df: 1 })

describe('pValueOf', () => {
  it('agrees with the interval', () => {
    const location = estimateLocation([0.2, 0.5, 0.1, 0.6, 0.3, 0.4, 0.2, 0.7], options)
    const { low } = boundsOf(location, 0.95)
    expect(pValueOf(location, low)).toBeCloseTo(0.05, 9)
  })

  it('takes values without any spread at their word', () => {
    // No spread is an unknown error, not none: as wide as the resolution, where that is known.
    expect(pValueOf(estimateLocation([2, 2, 2, 2], options))).toBe(1)
    const stepped = estimateLocation([2, 2, 2, 2], { ...options, error: 0.5 })
    expect(boundsOf(stepped, 0.95)).toEqual({ low: 1.5, high: 2.5 })
    expect(pValueOf(stepped)).toBeLessThan(0.05)
    expect(pValueOf(stepped, 1.6)).toBeGreaterThan(0.05)
    expect(pValueOf(estimateLocation([0, 0, 0, 0], options))).toBe(1)
  })

  it('holds what lies between two steps, however many values were read in them', () => {
    // The middle one of all means of two sticks to half steps, so that the truth is up to a quarter of a step off.
    const source = stream()
    let held = 0
    for (let run = 0; run < 40; run++) {
      const read = Array.from({ length: 200 }, () => Math.round(10.2 + 0.7 * source.normal()))
      const { low, high } = boundsOf(estimateLocation(read, { seed: run, error: 0.5 }), 0.95)
      if (low <= 10.2 && 10.2 <= high) held++
    }
    expect(held).toBeGreaterThan(36)
  })
})

describe('detectableBy', () => {
  it('needs more than the t quantile, and little more than normal theory where there are many values', () => {
    const few = detectableBy({ value: 0, se: 2, n: 10, df: 9 }, 0.05, 0.8)
    expect(few).toBeGreaterThan(2 * (2.2622 + 0.8416))
    expect(few).toBeLessThan(2 * (2.2622 + 0.8416 * 1.3))
    expect(detectableBy({ value: 0, se: 1, n: 9e9, df: 1e9 }, 0.05, 0.8)).toBeCloseTo(1.96 + 0.8416, 2)
  })

  it('is infinite when nothing is known of the spread', () => {
    expect(detectableBy({ value: 0, se: Infinity, n: 1, df: 1 }, 0.05, 0.8)).toBe(Infinity)
  })
})
