import { describe, expect, test } from 'vitest'
import { catalogue } from '../cli/catalogue.js'
import { catalogueOn } from '../testing/catalogue.js'
import { resolveConfig } from '../config/resolve-config.js'
import { makePlan } from '../plan/plan.js'
import { createDisplay, timeText, type RoundStatus } from './display.js'
import { medianOf } from './running-medians.js'

const status: RoundStatus = {
  done: 6,
  total: 12,
  round: 2,
  rounds: 2,
  arm: 'reference/l4-only',
  leftMs: 61_000,
  medians: [
    { arm: 'none/baseline', trials: 6, valid: 6, medianMs: 0.2, interval: [0.19, 0.21] },
    { arm: 'reference/l4-only', trials: 6, valid: 5, medianMs: 0.41 },
  ],
}

function shown(isTTY: boolean, columns = 100): string[] {
  const written: string[] = []
  const display = createDisplay({ write: (text) => written.push(text), isTTY, columns })
  display.status(status)
  display.line('the end')
  return written
}

describe('while rounds go on', () => {
  test('a terminal shows every arm with its median so far, in place, and takes it away again', () => {
    const [first = '', ...rest] = shown(true)
    expect(first).toMatch(/none\/baseline +p50 0\.200 ms \(0\.190 to 0\.210\) +6 of 6 valid/)
    expect(first).toMatch(/reference\/l4-only +p50 0\.410 ms +5 of 6 valid/)
    expect(first).toContain('1 min 01 s left')
    const lines = first.split('\n').length
    // As many lines up as were written.
    expect(rest[0]).toContain(`\u001b[${lines - 1}A`)
    expect(rest.at(-1)).toBe('the end\n')
  })

  test('no line is wider than the terminal', () => {
    for (const line of (shown(true, 40)[0] ?? '').split('\n'))
      // eslint-disable-next-line no-control-regex
      expect(line.replace(/\u001b\[[\dA-Z]+|\r/g, '').length).toBeLessThan(40)
  })

  test.each([0, 1, 40, 80])('the time left is there, whatever the terminal says: %i columns', (columns) => {
    const lines = (shown(true, columns)[0] ?? '').split('\n')
    expect(lines.at(-1)).toContain('1 min 01 s left')
  })

  test('elsewhere a round is one line', () => {
    const [line = ''] = shown(false)
    expect(line.trimEnd().split('\n')).toHaveLength(1)
    expect(line).toMatch(
      /p50 so far, ms: none\/baseline 0\.200 \(0\.190 to 0\.210\), reference\/l4-only 0\.410/,
    )
  })
})

test('a median has an interval from six values on, as order statistics tell', () => {
  expect(medianOf([1, 2, 3, 4, 5])).toEqual({ medianMs: 3 })
  expect(medianOf([6, 1, 5, 2, 4, 3])).toEqual({ medianMs: 3.5, interval: [1, 6] })
  // Of nine the second and the eighth: 2.0 % lie beyond each.
  expect(medianOf([1, 2, 3, 4, 5, 6, 7, 8, 9])).toEqual({ medianMs: 5, interval: [2, 8] })
  expect(medianOf([])).toEqual({})
})

test('a plan takes at most its budget, though never less than its least rounds, and about its rounds where they are given', () => {
  const config = { arms: { reference: ['l4-only', 'l4-l7-l4'] }, experiments: { latency: {} } }
  const planOf = (flags: object) => makePlan(resolveConfig(config, flags), catalogue)
  expect(timeText(planOf({ profile: 'full' }))).toBe('at most 1 h 00 min')
  expect(timeText(planOf({ rounds: 20, budget: 0.1 }))).toMatch(/^about \d+ min/)
  expect(timeText(planOf({}))).toMatch(/^at most 1 min/)
  expect(timeText(planOf({ budget: 0.01 }))).toMatch(/^at most 4\d s$/)
  // Each environment has a budget of its own.
  const apart = catalogueOn({ environments: 'per-mesh' })
  const two = { ...config, arms: { reference: ['l4-only'], haproxy: ['l7-per-node'] } }
  expect(timeText(makePlan(resolveConfig(two, { profile: 'full' }), apart))).toBe('at most 2 h 00 min')
})
