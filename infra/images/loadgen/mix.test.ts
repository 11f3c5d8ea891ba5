import { describe, expect, it } from 'vitest'
import { orderOf } from './mix.js'

const kind = (share: number) => ({ share, requestBytes: 0, payloadBytes: 1 })
const countOf = (order: Uint8Array, which: number) => order.filter((other) => other === which).length

describe('the order of a mix', () => {
  const mix = [kind(70), kind(25), kind(5)]
  const order = orderOf({ mix, seed: 1 })

  it('has every kind by its share, over all and within each block of 64', () => {
    expect(countOf(order, 0) / order.length).toBeCloseTo(0.7, 3)
    expect(countOf(order, 2) / order.length).toBeCloseTo(0.05, 3)
    for (let start = 0; start < order.length; start += 64) {
      const block = order.subarray(start, start + 64)
      for (const [which, { share }] of mix.entries())
        expect(Math.abs(countOf(block, which) - (64 * share) / 100)).toBeLessThan(2)
    }
  })

  it('is that of its seed', () => {
    expect(orderOf({ mix, seed: 1 })).toEqual(order)
    expect(orderOf({ mix, seed: 2 })).not.toEqual(order)
  })

  it('gives no connection one kind alone, as two kinds in turns would', () => {
    const turns = orderOf({ mix: [kind(1), kind(1)], seed: 1 })
    for (let connection = 0; connection < 16; connection++) {
      const own = turns.filter((_, request) => request % 16 === connection)
      expect(countOf(own, 0) / own.length).toBeGreaterThan(0.25)
      expect(countOf(own, 0) / own.length).toBeLessThan(0.75)
    }
  })

  it('is one kind where there is one', () => {
    expect([...orderOf({ seed: 1 })]).toEqual([0])
    expect([...orderOf({ mix: [kind(3)], seed: 1 })]).toEqual([0])
  })
})
