import { expect, it } from 'vitest'
import { bandwidth } from './quota.js'

it.each([0.05, 0.1, 0.25, 1, 2.5])(
  '%d cores are that share of a period, and no quota is below 1 ms',
  (cpus) => {
    const { quotaUs, periodUs } = bandwidth(cpus)
    expect(quotaUs / periodUs).toBeCloseTo(cpus)
    expect(quotaUs).toBeGreaterThanOrEqual(1000)
  },
)
