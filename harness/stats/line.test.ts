import { expect, it } from 'vitest'
import { seededRandom } from '../protocol/random.js'
import { bounded, crossing, fitLine } from './line.js'

const xs = [1, 2, 4, 8]
const points = (slope: number, intercept: number, noise: () => number = () => 0) =>
  xs.map((x) => ({ x, y: intercept + slope * x + noise() }))

it('finds a line that is there, and none through two points', () => {
  const line = fitLine(points(0.5, 40))
  expect(line?.slope).toBeCloseTo(0.5, 10)
  expect(line?.intercept).toBeCloseTo(40, 10)
  expect(line?.worstShare).toBeCloseTo(0, 10)
  expect(fitLine(points(1, 0).slice(0, 2))).toBeUndefined()
})

it('tells a curve by its distance from the line', () => {
  expect(fitLine(xs.map((x) => ({ x, y: x ** 2 })))?.worstShare).toBeGreaterThan(0.25)
})

it('its intervals hold the truth in about 95 of 100 cases', () => {
  const random = seededRandom(3)
  const normal = () => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random())
  const runs = 1000
  const held = { slope: 0, crossing: 0 }
  for (let run = 0; run < runs; run++) {
    const first = fitLine(points(80, 10, () => 4 * normal()))
    const second = fitLine(points(1, 150, () => 4 * normal()))
    if (!first || !second) throw new Error('no line')
    const slope = bounded(first.slope, first.apart.slopeSe, first.df)
    if (slope.low <= 80 && 80 <= slope.high) held.slope++
    const met = crossing(first, second)
    const truth = 140 / 79
    if (met && met.low <= truth && truth <= met.high) held.crossing++
  }
  expect(held.slope / runs).toBeGreaterThan(0.93)
  expect(held.slope / runs).toBeLessThan(0.995)
  // Nobody knows which deviations stay, and these do not: the wider of both errors holds it more often.
  expect(held.crossing / runs).toBeGreaterThan(0.93)
})

/** What each replica has by chance is in every step that it is part of; what is shared deviates in each by itself. */
it.each([1.5, 6, 12, 40])(
  'where deviations stay, a crossing at %d is held in about 95 of 100 cases, too',
  (truth) => {
    const random = seededRandom(5)
    const normal = () => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random())
    const runs = 2000
    let [held, met] = [0, 0]
    for (let run = 0; run < runs; run++) {
      const replicas = Array.from({ length: 8 }, () => 4 * normal())
      const deviation = (x: number) => replicas.slice(0, x).reduce((sum, mib) => sum + mib, 0)
      const first = fitLine(xs.map((x) => ({ x, y: 10 + 80 * x + deviation(x) })))
      const second = fitLine(points(0, 10 + 80 * truth, () => 0.1 * normal()))
      const found = first && second && crossing(first, second)
      if (!found) continue
      met++
      if (found.low <= truth && truth <= found.high) held++
    }
    expect(met / runs).toBeGreaterThan(0.95)
    expect(held / met).toBeGreaterThan(0.93)
    expect(held / met).toBeLessThan(0.98)
  },
)

it('lines that cannot be told apart do not cross', () => {
  expect(crossing(fitLine(points(1, 0, () => 0)) as never, fitLine(points(1, 5)) as never)).toBeUndefined()
})
