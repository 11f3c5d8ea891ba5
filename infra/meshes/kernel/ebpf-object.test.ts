import { expect, test } from 'vitest'
import { objectFor, withSettings } from './ebpf-object.js'

const rules = {
  service: '10.100.96.1',
  server: { address: '10.100.12.2', port: 40_001 },
  clientAddress: '10.100.11.2',
}

test('the object in the repository is the one that is meant, and takes a service in network order', async () => {
  const object = await objectFor(rules)
  const settings = [10, 100, 96, 1, 10, 100, 12, 2, 10, 100, 11, 2, 0x1f, 0x90, 0x9c, 0x41]
  expect(object.includes(Buffer.concat([Buffer.from('settings'), Buffer.from(settings)]))).toBe(true)
})

test('an object that has been written over already is refused', async () => {
  const object = await objectFor(rules)
  expect(() => withSettings(object, rules)).toThrow('no settings')
})
