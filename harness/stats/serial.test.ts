import { describe, expect, it } from 'vitest'
import { halfWidth } from './location.js'
import { locate, pair } from './paired.js'
import { randomStream } from './random.js'
import { dependenceOf, rankVonNeumann } from './serial.js'

const stream = randomStream(11, 'serial')
/** Rounds of which each keeps `memory` of the one before. */
function series(n: number, memory: number): number[] {
  let last = stream.normal()
  return Array.from({ length: n }, () => {
    last = memory * last + Math.sqrt(1 - memory * memory) * stream.normal()
    return last
  })
}
const settings = { seed: 1, rounds: { min: 40, max: 40 } }
const share = (count: number, test: () => boolean) =>
  Array.from({ length: count }, test).filter(Boolean).length / count

describe('von Neumann’s ratio by ranks', () => {
  it('is small for neighbours that resemble each other, and one at most where nothing differs', () => {
    // Ranks 1 to 10 in their order: Σ of squared steps 9, of squared deviations 82.5, so that the ratio is 0.11.
    expect(rankVonNeumann([1, 2, 3, 4, 5, 6, 7, 8, 9, 10])).toBeLessThan(0.001)
    expect(rankVonNeumann([1, 9, 2, 8, 3, 7, 4, 6, 5, 10])).toBeGreaterThan(0.9)
    expect(rankVonNeumann([3, 3, 3, 3, 3])).toBe(1)
    expect(rankVonNeumann([1, 2, 3])).toBe(1)
  })

  it.each([8, 20])('calls one independent series of %i in a hundred dependent', (n) => {
    const found = share(4000, () => rankVonNeumann(series(n, 0)) < 0.01)
    expect(found).toBeGreaterThan(0.003)
    expect(found).toBeLessThan(0.018)
  })
})

describe('rounds with a memory', () => {
  it('are worth fewer independent ones; those without are worth themselves', () => {
    expect(dependenceOf([1, 2])).toEqual({ lag1: 0, independent: 2 })
    const { lag1, independent } = dependenceOf(series(200, 0.8))
    expect(lag1).toBeGreaterThan(0.65)
    expect(lag1).toBeLessThan(0.9)
    expect(independent).toBeLessThan(45)
    expect(share(200, () => dependenceOf(series(40, 0.8)).lag1 > 0)).toBeGreaterThan(0.9)
    expect(share(200, () => dependenceOf(series(40, 0)).lag1 > 0)).toBeLessThan(0.05)
  })

  it('have a wider interval, which says so, and hold the truth more often for it', () => {
    const covered = (memory: number) => {
      const located = Array.from({ length: 300 }, () => locate(series(40, memory), settings))
      const held = located.filter((location) => Math.abs(location.value) <= halfWidth(location, 0.95))
      return held.length / located.length
    }
    expect(covered(0)).toBeGreaterThan(0.92)
    expect(covered(0.6)).toBeGreaterThan(0.85)
    expect(locate(series(40, 0.9), settings).lag1).toBeGreaterThan(0.5)
    expect(locate(series(40, 0), settings).lag1).toBeUndefined()
  })
})

describe('a host that swings more slowly than the run is long', () => {
  const noise = () => Math.exp(0.01 * stream.normal())
  /** All of a round is stretched alike, up to twice over the run. */
  const stretched = Array.from({ length: 12 }, (_, round) => 1 + round / 11)

  it('leaves ratio and difference as sure as the rounds are', () => {
    const { difference, ratio } = pair(
      stretched.map((slow) => 1.5 * slow * noise()),
      stretched.map((slow) => slow * noise()),
      { seed: 1, rounds: { min: 12, max: 12 } },
    )
    expect(Math.exp(ratio.value)).toBeCloseTo(1.5, 1)
    // Half of 1.5, the middle of how slow the host was; their own spread would be a hundred times wider.
    expect(difference.value).toBeCloseTo(0.75, 1)
    expect(halfWidth(difference, 0.95)).toBeLessThan(0.05)
  })

  it('calls two different only where neither difference nor ratio leaves room for none', () => {
    for (let nth = 0; nth < 200; nth++) {
      const [a, b] = [Array.from({ length: 3 }, noise), Array.from({ length: 3 }, noise)]
      const { difference, ratio, pValue } = pair(a, b, { seed: 1, rounds: { min: 3, max: 3 } })
      const isOff = (location: typeof ratio) => Math.abs(location.value) > halfWidth(location, 0.95)
      expect(pValue < 0.05).toBe(isOff(difference) && isOff(ratio))
    }
  })
})
