/** Many searches: how often two for the same knee are told apart. Too long for a unit test. */
import { expect, it } from 'vitest'
import { compareKnees } from './knee-comparison.js'
import { kneeSettings as settings, searchKnee as search } from './testdata/knee-search.js'

it('two searches for one knee are seldom told apart', () => {
  const different = Array.from({ length: 40 }, (_, seed) =>
    compareKnees(search(4000, 0.03, seed), search(4000, 0.03, 100 + seed), settings),
  ).filter(({ pValue }) => pValue < 0.05)
  expect(different.length).toBeLessThan(8)
})
