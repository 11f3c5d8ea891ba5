import { expect, test } from 'vitest'
import { profiles } from './profiles.js'
import { designs } from '../stats/coverage.js'

test.each(['quick', 'full'] as const)('what is simulated as %s is what the profile does', (name) => {
  const { min, max, untilEffect } = profiles[name].rounds
  expect(designs[name].rounds).toEqual({ min, max })
  if (max > min) expect(designs[name].untilEffect).toBe(untilEffect)
})
