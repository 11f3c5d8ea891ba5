import { expect, test } from 'vitest'
import { localSettings, pinOf, pinned, unmetPins } from './settings.js'

test('parts that are named stay on their cores, the others go where they like', () => {
  const settings = localSettings.parse({ pin: { generator: '0', hops: '1-3' } })
  expect(pinned(['node', 'x'], 'generator', settings)).toEqual(['taskset', '-c', '0', 'node', 'x'])
  expect(pinned(['node', 'x'], 'hops', settings)).toEqual(['taskset', '-c', '1-3', 'node', 'x'])
  expect(pinned(['node', 'x'], 'server', settings)).toEqual(['node', 'x'])
  expect(['application', 'l4', 'l7', 'generator'].map((category) => pinOf({ category } as never))).toEqual([
    'server',
    'hops',
    'hops',
    'generator',
  ])
})

test('what is no list of cores is refused with its field', () => {
  expect(() => localSettings.parse({ pin: { hops: 'all' } })).toThrow(/hops/)
  expect(() => localSettings.parse({ pins: {} })).toThrow(/pins/)
  expect(localSettings.parse({})).toEqual({ pin: {} })
})

test('cores that this process may not use are an unmet need, those of a cpuset that it may are none', async () => {
  const pin = (server: string) => localSettings.parse({ pin: { server } })
  const lacks = async (list: string, allowed?: string) =>
    (await unmetPins('netns', pin(list), allowed)).filter(({ need }) => need.startsWith('cores '))
  expect(await lacks('9999')).toMatchObject([{ need: 'cores 9999 for platformSettings.netns.pin.server' }])
  expect(await lacks('1', '1')).toEqual([])
  expect(await lacks('0', '1')).toMatchObject([{ found: 'this process may use 1' }])
  expect(await lacks('2-3,6', '1-3,6')).toEqual([])
  expect(await lacks('3-4', '1-3,6')).toHaveLength(1)
  expect(await unmetPins('local', localSettings.parse({}))).toEqual([])
})

test('a range that counts down is refused', () => {
  expect(() => localSettings.parse({ pin: { hops: '3-1' } })).toThrow(/counts upwards/)
})
