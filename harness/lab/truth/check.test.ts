import { describe, expect, it } from 'vitest'
import { type Answer, isKnown, isRight, renderAnswers, tolerance } from './check.js'

const near: Answer = {
  check: 'delay',
  what: 'p50',
  unit: 'ms',
  expected: 1,
  measured: 1.04,
  tolerance: 0.05,
}

describe('answers', () => {
  it('are right within their tolerance, on either side', () => {
    expect(isRight(near)).toBe(true)
    expect(isRight({ ...near, measured: 1.06 })).toBe(false)
    expect(isRight({ ...near, measured: 0.94 })).toBe(false)
    expect(isRight({ ...near, measured: Number.NaN })).toBe(false)
  })

  it('are right up to a limit, and never judged when they are context', () => {
    expect(isRight({ ...near, rule: 'atMost', measured: -5 })).toBe(true)
    expect(isRight({ ...near, rule: 'atMost' })).toBe(false)
    expect(isRight({ ...near, rule: 'context', measured: 99 })).toBe(true)
  })

  it('take the wider of a share and an amount', () => {
    expect(tolerance(0.2, 0.05, 0.03)).toBe(0.03)
    expect(tolerance(5, 0.05, 0.03)).toBe(0.25)
  })

  it('show expected, measured and error', () => {
    const text = renderAnswers([near, { ...near, measured: 2, what: 'p99' }])
    expect(text).toContain('1.04')
    expect(text).toContain('+0.040 (+4.0 %)')
    expect(text).toContain('WRONG')
  })
})

describe('where values lie', () => {
  it('is known when its values scatter little or are many, whatever they are near to', () => {
    const values = (count: number, spread: number) =>
      Array.from({ length: count }, (_, index) => 50 + spread * ((index % 5) - 2))
    expect(isKnown(values(10, 1), 1.25)).toBe(true)
    expect(isKnown(values(10, 10), 1.25)).toBe(false)
    expect(isKnown(values(1000, 10), 1.25)).toBe(true)
    expect(isKnown([], 1.25)).toBe(false)
  })
})
