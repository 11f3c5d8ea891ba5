import { expect, test } from 'vitest'
import { watchStandstill } from './standstill.js'

function watched() {
  const clock = { monotonic: 1_000, wall: 5_000 }
  const standstill = watchStandstill({ monotonicMs: () => clock.monotonic, wallMs: () => clock.wall })
  const pass = (ms: number, wallMs = ms) => {
    clock.monotonic += ms
    clock.wall += wallMs
  }
  return { standstill, pass }
}

test('a process that was stopped has stood still, and its clock leaves the gap out', () => {
  const { standstill, pass } = watched()
  const before = standstill.nowMs()
  pass(20_250)
  expect([standstill.totalMs(), standstill.nowMs() - before]).toEqual([20_000, 250])
  standstill.stop()
})

test('a machine that slept shows by the wall clock alone; a slow look and a clock set back are no gap', () => {
  const { standstill, pass } = watched()
  pass(250, 60_250)
  expect(standstill.totalMs()).toBe(60_000)
  pass(2_000)
  pass(10, -90_000)
  expect(standstill.totalMs()).toBe(60_000)
  standstill.stop()
})
