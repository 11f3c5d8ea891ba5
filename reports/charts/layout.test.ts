import { expect, it } from 'vitest'
import { spreadLabels } from './layout.js'

/** 100 px high, each px a unit; names keep 15. */
const axis = { field: 'value', scale: { domain: [0, 100] } }
const heights = (...values: number[]) =>
  spreadLabels(
    values.map((value) => ({ value })),
    axis,
    100,
  ).map(({ value }) => value)

it('names at the ends of lines do not lie over each other, and stay within the plot', () => {
  expect(heights(0, 0, 0)).toEqual([0, 15, 30])
  expect(heights(98, 50, 99)).toEqual([85, 50, 100])
  expect(heights(40, 40)).toEqual([32.5, 47.5])
  expect(heights(5, 40, 80)).toEqual([5, 40, 80])
})

it('each keeps what it is the name of, on a logarithmic axis too', () => {
  const ends = [
    { ms: 100, name: 'slow' },
    { ms: 1, name: 'fast' },
  ]
  const log = { field: 'ms', scale: { domain: [1, 100], type: 'log' as const } }
  expect(spreadLabels(ends, log, 100).map(({ ms, name }) => [Math.round(ms), name])).toEqual([
    [100, 'slow'],
    [1, 'fast'],
  ])
})
