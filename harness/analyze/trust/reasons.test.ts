import { expect, test } from 'vitest'
import { remedyOf, topReason } from './reasons.js'

const invalid = (...reasons: string[]) => ({ state: 'invalid' as const, reasons })
const saturated = (share: number) => `the host was saturated: its CPUs worked ${share} % of the time`
const others = (share: number) => `others used ${share} % of the host; at most 50 %`

test('the reason that spoiled the most trials is told, its figures aside', () => {
  const trials = [
    invalid(saturated(97)),
    invalid(saturated(99.5), others(60)),
    { state: 'ok' as const, reasons: [] },
  ]
  expect(topReason(trials)).toEqual({ text: saturated(99.5), count: 2 })
})

test('a host that strangers fill is told to be so before it is told to be full, with what helps against that', () => {
  const top = topReason([invalid(saturated(99.5), others(79)), invalid(saturated(100), others(75))])
  expect(top).toEqual({ text: others(75), count: 2 })
  expect(remedyOf(others(75))).toMatch(/let the host come to rest/)
})

test('an error of a failed trial counts in place of its reasons; where nothing is spoiled there is none', () => {
  expect(
    topReason([{ state: 'failed', reasons: [], error: { kind: 'hop-died', message: 'gone' } }])?.text,
  ).toBe('gone')
  expect(topReason([{ state: 'ok', reasons: ['kept'] }])).toBeUndefined()
})
