import { describe, expect, it } from 'vitest'
import { analyze } from '../../harness/analyze/analyze.js'
import { decimalsFor, withInterval } from '../../harness/analyze/words.js'
import type { Estimate } from '../../harness/model.js'
import { syntheticJournal } from '../../harness/testdata/synthetic-journal.js'
import { plain } from '../page/columns.js'
import { createFigureBook } from '../page/figures.js'
import { createView } from '../page/view.js'
import {
  bytes,
  changeText,
  duration,
  estimateText,
  fixed,
  given,
  loadText,
  number,
  plusMinus,
  roundsText,
  sentence,
  signed,
} from './format.js'
import { renderTerminal } from './terminal.js'

const estimate = (value: number, low: number, high: number, unit: Estimate['unit'] = 'ms'): Estimate => ({
  value,
  low,
  high,
  unit,
  level: 0.95,
  n: 10,
  method: 'test',
  cells: [],
})

describe('numbers', () => {
  it('have three significant digits, a true minus and thin thousands', () => {
    expect(number(0.012345)).toBe('0.0123')
    expect(number(1234.5)).toBe('1\u202f235')
    expect(fixed(-1234567.8, 0)).toBe('\u22121\u202f234\u202f568')
    expect(number(Number.NaN)).toBe('–')
  })
  it('never print a signed zero', () => {
    expect(fixed(-0.001, 2)).toBe('0.00')
    expect(signed(0.001, 2)).toBe('0.00')
    expect(signed(0.31, 2)).toBe('+0.31')
  })
  it('are no finer than their interval', () => {
    expect(decimalsFor(0.31234, 0.03)).toBe(2)
    expect(decimalsFor(0.31234, 0.012)).toBe(3)
    expect(decimalsFor(123.4, 0.4)).toBe(0)
    expect(decimalsFor(0, 0)).toBe(2)
  })
  it('that are given lose their trailing zeros', () => {
    expect(given(0.04)).toBe('0.04')
    expect(given(98)).toBe('98')
    expect(given(2)).toBe('2')
    expect(given(100)).toBe('100')
  })
})

describe('estimates', () => {
  it('whose interval holds zero never look as if it ended there', () => {
    expect(sentence(estimate(0.2, -0.0429, 0.442), { sign: true })).toMatch(
      /^\+0\.20.*\(−0\.04 to \+0\.44\)$/,
    )
  })
  it('share decimals between value and bounds', () => {
    expect(sentence(estimate(0.31, 0.28, 0.34))).toBe('0.31\u202fms (0.28 to 0.34)')
    expect(estimateText(estimate(0.1234, 0.1, 0.2, 'share'))).toEqual({
      value: '12',
      low: '10',
      high: '20',
      unit: '%',
    })
  })
  it.each([
    [0.66, 0.61, 0.71, 'ratio', '0.66 × (0.61 to 0.71)'],
    [1.04, 0.98, 1.1, 'ratio', '1.04 × (0.98 to 1.10)'],
    [5.584, 4.95, 6.29, 'ratio', '5.6 × (5.0 to 6.3)'],
    [0.2, -0.0429, 0.442, 'ms', '0.20 ms (−0.04 to 0.44)'],
    [1044.4, 1012, 1075, 'req/s', '1 044 req/s (1 012 to 1 075)'],
  ] as const)('are rounded alike in sentences and in tables: %f', (value, low, high, unit, text) => {
    const known = estimate(value, low, high, unit)
    expect(plain(sentence(known))).toBe(text)
    expect(withInterval(known)).toBe(text)
  })
  it('of one round have three digits, since nothing says how many of them count', () => {
    const single = { ...estimate(0.2853, -0.1, 0.7), n: 1 }
    expect(plain(sentence(single))).toBe('0.285 ms (one round)')
    expect(plusMinus(single, { sign: true })).toBe('+0.285')
    expect(withInterval(single)).toBe('0.285 ms from one round')
  })
  it('that were counted have no interval, in a sentence or on the page', () => {
    const none = { ...estimate(0, 0, 0, 'share'), method: 'counted' }
    expect(plain(sentence(none))).toBe('0 %')
    expect(withInterval(none)).toBe('0 %')
    expect(plain(sentence({ ...none, value: 0.025, low: 0.025, high: 0.025 }))).toBe('2.50 %')
    expect(createFigureBook().print(none, { metric: 'errors.share', kind: 'value' })).not.toContain('iv')
  })
  it('say how many rounds they are of, where some lack a few too', () => {
    const of = (...counts: number[]) => roundsText(counts.map((n) => ({ n })))
    expect(of(9, 9)).toBe('n = 9 rounds')
    expect(of(9, 7)).toBe('n = 7 to 9 rounds')
    expect(of(1, 1)).toBe('n = 1 round, which has no interval')
  })
  it('are no change of 0 % more or less', () => {
    const change = (...bounds: readonly [number, number, number]) =>
      plain(changeText(estimate(...bounds, 'ratio')))
    expect(change(1, 0.97, 1.03)).toBe('as much (3 % less to 3 % more)')
    expect(change(1.002, 0.97, 1.04)).toBe('as much (3 % less to 4 % more)')
    expect(change(1, 1, 1)).toBe('as much (0.00 to 0.00 %)')
    expect(plain(changeText({ ...estimate(1.001, 0, 2, 'ratio'), n: 1 }))).toBe('as much (one round)')
    // A small change that is told keeps the digits that tell it.
    expect(change(1.03, 1.0012, 1.07)).toBe('3.0 % more (0.1 to 7.0 %)')
    expect(change(0.9988, 0.998, 0.9996)).toBe('0.12 % less (0.04 to 0.20 %)')
  })
  it('say a ratio as a change, nearest bound first', () => {
    expect(changeText(estimate(0.73, 0.69, 0.78, 'ratio'))).toBe('27\u202f% less (22 to 31\u202f%)')
    expect(changeText(estimate(1.2, 1.1, 1.3, 'ratio'))).toBe('20\u202f% more (10 to 30\u202f%)')
    expect(changeText(estimate(1.04, 0.97, 1.11, 'ratio'))).toBe(
      '4\u202f% more (3\u202f% less to 11\u202f% more)',
    )
  })
})

describe('units', () => {
  it('of bytes, time and load are words', () => {
    expect(bytes(1024)).toBe('1\u202fKiB')
    expect(bytes(1536)).toBe('1.50\u202fKiB')
    expect(duration(160_000)).toBe('2\u202fmin 40\u202fs')
    expect(duration(3_900_000)).toBe('1\u202fh 05\u202fmin')
    const load = {
      engine: 'open-loop',
      model: 'open',
      protocol: 'http1',
      ratePerSecond: 1000,
      connections: 16,
    } as const
    expect(loadText({ ...load, warmupMs: 0, durationMs: 1, payloadBytes: 1024, timeoutMs: 1 })).toBe(
      '1\u202f000 requests/s, 16 connections, 1\u202fKiB replies, HTTP/1.1',
    )
  })
})

it('two loads that differ in what is done to hops alone are told apart', () => {
  const analysis = analyze(syntheticJournal({ experiments: ['latency', 'pauses'], rounds: 3 }))
  const texts = createView(analysis).loads.map(({ experiment, text }) => `${experiment}: ${text}`)
  expect(texts.length).toBeGreaterThan(3)
  expect(new Set(texts).size).toBe(texts.length)
  expect(texts.join()).toMatch(/pauses: no pauses, 400 requests\/s/)
  const first = renderTerminal(analysis, { columns: 120, colour: false }).split('\n')[0]
  expect(first).toMatch(/^at [\d ]+ requests\/s, 16 connections/)
})

it('what passes under many loads is one line of the terminal, what does not is one each', () => {
  const threshold = { metric: 'errors.share', arm: 'reference/l4-l7-l4', max: 0 }
  const options = { experiments: ['latency', 'pauses'] as const, rounds: 3, invalidShare: 0, failedShare: 0 }
  const linesOf = (max: number) => {
    const analysis = analyze(syntheticJournal({ ...options, thresholds: [{ ...threshold, max }] }))
    const judged = analysis.thresholds.length
    const lines = renderTerminal(analysis, { columns: 200, colour: false }).split('\n')
    return { judged, lines: lines.filter((line) => /^(pass|fail) {2}/.test(line)) }
  }
  const passed = linesOf(0)
  expect(passed.lines).toEqual([
    `pass  errors.share of reference/l4-l7-l4 is at most 0 % under each of ${passed.judged} loads.`,
  ])
  const failed = linesOf(-1)
  expect(failed.lines).toHaveLength(failed.judged)
  expect(failed.judged).toBeGreaterThan(1)
})
