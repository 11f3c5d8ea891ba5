import { expect, it } from 'vitest'
import { describeTiming } from './doctor.js'

it('doctor says how well the host keeps time, what that allows, and when not to measure', () => {
  const calm = {
    wakeUpLateP50Us: 62,
    wakeUpLateP99Us: 143,
    clockStepUs: 0.05,
    stealShare: 0,
    clockSource: 'tsc',
  }
  const text = describeTiming(calm)
  expect(text).toContain('woken 62 µs late (p50), 143 µs (p99); clock tsc in steps of 0.05 µs; 0.0 % stolen')
  expect(text).toContain('differences of p50 above 62 µs, and of p99 above 140 µs')
  expect(text).not.toContain('measure when it is idle')
  expect(describeTiming({ ...calm, wakeUpLateP99Us: 4000 })).toContain('measure when it is idle')
  expect(describeTiming({ ...calm, stealShare: 0.02 })).toContain('2.0 % stolen')
})
