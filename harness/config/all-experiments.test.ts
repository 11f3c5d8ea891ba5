import { expect, it } from 'vitest'
import { byWhatTheyDecide } from './all-experiments.js'

it('begins with what decides most, and counts no claim twice', () => {
  expect(
    byWhatTheyDecide([
      { name: 'none' },
      { name: 'again', claims: ['C1', 'C2'] },
      { name: 'most', claims: ['C1', 'C2', 'C3'] },
      { name: 'other', claims: ['C4'] },
    ]),
  ).toEqual(['most', 'other', 'none', 'again'])
})
