import { expect, test } from 'vitest'
import type { Component, HopCounters } from '../../model.js'
import { fold } from './copies.js'

const requests = (count: number) => ({ requests: count }) as HopCounters

/** An arm's hop and the same of its spare copy, behind these applications. */
function counted(applications: readonly Component[]) {
  const hop = (arm: string): Component => ({
    ...{ name: `${arm}/proxy`, arm, hop: 'proxy', category: 'l7', node: 'client' },
    ...(arm.endsWith('+spare') ? { copy: { of: 'a', which: 'spare' } } : {}),
  })
  const components = [...applications, hop('a'), hop('a+spare')]
  const counters = Object.fromEntries(components.map(({ name }, index) => [name, requests(10 ** index)]))
  const { components: left, edges } = fold(components, [counters], ['a+spare'])
  return { left: left.map(({ name }) => name), counters: edges[0] }
}
const echo = (arm?: string): Component => ({
  name: arm === undefined ? 'echo' : `${arm}/echo`,
  category: 'application',
  node: 'server',
  ...(arm === undefined ? {} : { arm }),
})

test('a copy’s counters are added to its arm’s, and those of its application to the one that all share', () => {
  expect(counted([echo()])).toEqual({
    left: ['echo', 'a/proxy'],
    counters: { echo: requests(1), 'a/proxy': requests(110) },
  })
})

test('… or to the arm’s own, where each has one', () => {
  expect(counted([echo('b'), echo('a'), echo('a+spare')])).toEqual({
    left: ['b/echo', 'a/echo', 'a/proxy'],
    counters: { 'b/echo': requests(1), 'a/echo': requests(110), 'a/proxy': requests(11_000) },
  })
})
