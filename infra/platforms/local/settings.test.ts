import { availableParallelism } from 'node:os'
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

test('cores that the host does not have are an unmet need', async () => {
  const beyond = availableParallelism()
  const unmet = await unmetPins(localSettings.parse({ pin: { server: `0,${beyond}` } }))
  expect(unmet.map(({ need }) => need)).toContain(`core ${beyond} for platformSettings.local.pin.server`)
  expect(await unmetPins(localSettings.parse({}))).toEqual([])
})
