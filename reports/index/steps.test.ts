import { describe, expect, test } from 'vitest'
import { seededRandom } from '../../harness/protocol/random.js'
import { falseAlarms, findSteps } from './steps.js'

const random = seededRandom(2026)
const normal = () => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random())
/** Student's t with 5 degrees of freedom: tails as outlying runs make them. */
const heavy = () => normal() / Math.sqrt([1, 2, 3, 4, 5].reduce((sum) => sum + normal() ** 2, 0) / 5)
const series = (n: number, draw: () => number) => Array.from({ length: n }, draw)

describe('a series of runs', () => {
  test.each([
    ['normal', normal, falseAlarms * 2],
    ['heavy-tailed', heavy, falseAlarms * 4],
  ] as const)('without a step is called one hardly ever: %s noise', (_, draw, most) => {
    for (const n of [8, 20]) {
      const alarms = series(1500, () => Number(findSteps(series(n, draw)).length > 0))
      expect(alarms.reduce((sum, alarm) => sum + alarm, 0) / alarms.length).toBeLessThan(most)
    }
  })

  test('with a step of 15 % in noise of 2 % has it found where it is, at its size', () => {
    for (let trial = 0; trial < 50; trial++) {
      const values = series(10, () => 0.02 * normal()).map(
        (value, run) => value + (run >= 6 ? Math.log(1.15) : 0),
      )
      const [step, ...more] = findSteps(values)
      expect([step?.at, more.length <= 1]).toEqual([6, true])
      expect(Math.exp(step?.size ?? 0)).toBeGreaterThan(1.1)
    }
  })

  test('that never moves has none, whatever the last digit of its figures does', () => {
    expect(findSteps(series(9, () => 0.1 + Number.EPSILON * Math.round(random())))).toEqual([])
  })

  test('too short for a test has none', () => {
    expect(findSteps([0, 0, 0, 9, 9])).toEqual([])
  })
})
