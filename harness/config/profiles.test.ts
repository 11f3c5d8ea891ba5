import { expect, test } from 'vitest'
import { profiles } from './profiles.js'
import * as metrics from '../../scenarios/metrics.js'
import { designs, practical } from '../stats/simulation/coverage.js'
import { warmupMs } from '../truth/scenarios.js'

test('what is simulated as the gate is what it checks by default', () => {
  expect(practical).toEqual([metrics.responseTime.gate?.practical, undefined, metrics.cpu.gate?.practical])
  expect(metrics.responseTime.gate?.percentile).toBe(50)
})

test.each(['quick', 'full'] as const)('what is simulated as %s is what the profile does', (name) => {
  const { min, max, untilEffect } = profiles[name].rounds
  expect(designs[name].rounds).toEqual({ min, max })
  if (max > min) expect(designs[name].untilEffect).toBe(untilEffect)
})

test('engines before the server of known truth warm up as in a quick run', () => {
  expect(warmupMs).toBe(profiles.quick.experiments.latency.warmupMs)
})
