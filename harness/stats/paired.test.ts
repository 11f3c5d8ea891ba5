import { describe, expect, it } from 'vitest'
import { pair } from './paired.js'
import { randomStream } from './random.js'

const settings = { seed: 1, rounds: { min: 10, max: 10 } }
const stream = randomStream(9, 'paired')
const rounds = Array.from({ length: 10 }, () => Math.exp(0.5 * stream.normal()))
const noisy = (scale: number) => rounds.map((slow) => scale * slow * Math.exp(0.01 * stream.normal()))

describe('pair', () => {
  it('sees through what slows a whole round', () => {
    const { ratio, pValue, log } = pair(noisy(1.05), noisy(1), settings)
    expect(log).toBe(true)
    expect(Math.exp(ratio.value)).toBeCloseTo(1.05, 1)
    expect(pValue).toBeLessThan(0.001)
  })

  it('turns over with its sides', () => {
    const [a, b] = [noisy(1.1), noisy(1)]
    const [forth, back] = [pair(a, b, settings), pair(b, a, settings)]
    expect(back.difference.value).toBeCloseTo(-forth.difference.value, 12)
    expect(back.ratio.value).toBeCloseTo(-forth.ratio.value, 12)
  })

  it('takes differences where a ratio has no logarithm', () => {
    const { log, ratio, difference, pValue } = pair([2, 3, 2.5, 2.2, 2.8], [1, -0.1, 1.2, 0.9, 1.1], settings)
    expect(log).toBe(false)
    expect(ratio.value).toBeGreaterThan(1.5)
    expect(difference.value).toBeCloseTo(1.5, 0)
    expect(pValue).toBeLessThan(0.05)
  })

  it('knows nothing of a ratio to zero', () => {
    const { ratio } = pair([1, 2, 3], [0, 0, 0], settings)
    expect(ratio).toMatchObject({ value: 0, se: Infinity })
  })

  it('detects less with a smaller level, and nothing with one round', () => {
    const { detectable } = pair(noisy(1.05), noisy(1), settings)
    expect(detectable(0.05 / 16)).toBeGreaterThan(detectable(0.05))
    expect(pair([2], [1], settings).detectable(0.05)).toBe(Infinity)
  })
})
