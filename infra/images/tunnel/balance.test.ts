import { describe, expect, it } from 'vitest'
import { createBalancer, type Choice } from './balance.js'

const [a, b, c] = [1, 2, 3].map((port) => ({ host: '10.0.0.1', port }))
const to = [a, b, c] as { host: string; port: number }[]
const portsOf = (choices: readonly Choice[]) => choices.map(({ address }) => address.port)
const times = (count: number, pick: () => Choice) => Array.from({ length: count }, pick)

describe('connections among upstreams', () => {
  it('take turns, however many stand', () => {
    const pick = createBalancer({ to, balance: 'round-robin' }, new Map())
    const [first] = times(4, pick)
    first?.release()
    expect(portsOf(times(4, pick))).toEqual([2, 3, 1, 2])
  })

  it('go where the fewest are, and take turns where that is no answer', () => {
    const open = new Map<string, number>()
    const pick = createBalancer({ to, balance: 'least-connections' }, open)
    const choices = times(6, pick)
    expect(portsOf(choices)).toEqual([1, 2, 3, 1, 2, 3])
    for (const choice of choices.filter(({ address }) => address.port === 2)) choice.release()
    expect(portsOf(times(3, pick))).toEqual([2, 2, 3])
  })

  it('are counted across a reload, and forgotten when they are over', () => {
    const open = new Map<string, number>()
    const before = times(2, createBalancer({ to: to.slice(0, 1), balance: 'round-robin' }, open))
    const pick = createBalancer({ to: to.slice(0, 2), balance: 'least-connections' }, open)
    const after = times(2, pick)
    expect(portsOf(after)).toEqual([2, 2])
    for (const choice of [...before, ...after]) choice.release()
    expect(open.size).toBe(0)
  })

  it('have one upstream where one is named', () => {
    const pick = createBalancer({ to: to[0] as (typeof to)[number], balance: 'round-robin' }, new Map())
    expect(portsOf(times(2, pick))).toEqual([1, 1])
  })
})
