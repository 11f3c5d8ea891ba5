import { describe, expect, it } from 'vitest'
import { dueTimes, shareOf } from './schedule.js'

const base = { ratePerSecond: 1000, durationMs: 2000, seed: 7 } as const

describe('dueTimes', () => {
  it('is t0 + i / rate when uniform, without an error that grows', () => {
    const dues = dueTimes({ ...base, ratePerSecond: 3, durationMs: 3_000_000, arrival: 'uniform' })
    expect(dues.length).toBe(9000)
    expect(dues[0]).toBe(0)
    expect(dues[8999]).toBeCloseTo((8999 * 1e6) / 3, 6)
  })

  it('asks for at least one request', () => {
    expect(dueTimes({ ...base, ratePerSecond: 0.1, durationMs: 10, arrival: 'uniform' }).length).toBe(1)
  })

  it('gives Poisson arrivals that ascend, fill the window and depend on the seed alone', () => {
    const dues = dueTimes({ ...base, arrival: 'poisson' })
    expect(dues.length).toBe(2000)
    expect([...dues].every((due, i) => due > (i === 0 ? 0 : (dues[i - 1] ?? 0)))).toBe(true)
    expect(dues.at(-1)).toBeLessThan(2_000_000)
    expect(dueTimes({ ...base, arrival: 'poisson' })).toEqual(dues)
    expect(dueTimes({ ...base, seed: 8, arrival: 'poisson' })).not.toEqual(dues)
  })

  it('gives gaps whose spread is that of an exponential distribution', () => {
    const dues = dueTimes({ ...base, durationMs: 50_000, arrival: 'poisson' })
    const gaps = [...dues].slice(1).map((due, i) => due - (dues[i] ?? 0))
    const mean = gaps.reduce((sum, gap) => sum + gap, 0) / gaps.length
    const variance = gaps.reduce((sum, gap) => sum + (gap - mean) ** 2, 0) / gaps.length
    // Mean and standard deviation are equal; 50 000 gaps know the ratio to about 1 %.
    expect(mean).toBeCloseTo(1000, -1.5)
    expect(Math.sqrt(variance) / mean).toBeGreaterThan(0.97)
    expect(Math.sqrt(variance) / mean).toBeLessThan(1.03)
  })
})

describe('shareOf', () => {
  it('deals every due time to exactly one sender', () => {
    const dues = dueTimes({ ...base, durationMs: 101, arrival: 'poisson' })
    const shares = [0, 1, 2].map((first) => shareOf(dues, first, 3))
    expect(shares.map(({ length }) => length)).toEqual([34, 34, 33])
    expect(shares.flatMap((share) => [...share]).sort((a, b) => a - b)).toEqual([...dues])
  })
})
