import { expect, it } from 'vitest'
import { spread } from './marks.js'

const at = (...values: number[]) => values.map((value) => ({ value, name: `line at ${value}` }))
const heights = (values: readonly { readonly value: number }[]) => values.map(({ value }) => value)

it('names at the ends of lines do not lie over each other, and stay within the plot', () => {
  expect(heights(spread(at(0, 0, 0), 10, 100))).toEqual([0, 10, 20])
  expect(heights(spread(at(98, 50, 99), 10, 100))).toEqual([50, 90, 100])
  expect(heights(spread(at(5, 40, 80), 10, 100))).toEqual([5, 40, 80])
})

it('each keeps what it is the name of, from the lowest to the highest', () => {
  expect(spread(at(30, 0), 10, 100).map(({ name }) => name)).toEqual(['line at 0', 'line at 30'])
})
