import { describe, expect, it } from 'vitest'
import { brokenPromises, designs, simulateCoverage } from './coverage.js'
import { hostNoises } from './simulated-host.js'

// A quick look at what `coverage.ts` shows at length: bounds are wide enough for so few simulated runs.
describe('coverage', () => {
  it.each([designs.few, designs.quick])('intervals of $name hold the truth in 93 to 97 of 100', (design) => {
    const row = simulateCoverage(hostNoises.restless, design, 150)
    expect(brokenPromises(row)).toEqual([])
    expect(row.ratio).toBeGreaterThan(0.92)
    expect(row.falseAlarms).toBeLessThan(0.1)
  })

  it('tells promises that are broken', () => {
    const row = simulateCoverage(hostNoises.quiet, designs.few, 20)
    const bad = {
      ...row,
      runs: 10_000,
      ratio: 0.9,
      difference: 0.99,
      lowest: 0.9,
      falseAlarms: 0.08,
      gateAlarms: 0.06,
      power: 0.7,
    }
    expect(brokenPromises(bad)).toHaveLength(6)
  })
})
