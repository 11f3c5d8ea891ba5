import { expect, test } from 'vitest'
import { readTransfer, wireguardFact } from './wireguard.js'

test('bytes are read as wg prints them, none before there is a peer', () => {
  const key = 'ov6zK1vJvTgZ3zV1sQmBLgW6mD0c0F0rVq2x3o7h4X0='
  expect(readTransfer(`${key}\t1240\t980\n`)).toEqual({ receivedBytes: 1240, sentBytes: 980 })
  expect(readTransfer('\n')).toEqual({ receivedBytes: 0, sentBytes: 0 })
})

test('the report says which WireGuard it was', () => {
  expect(wireguardFact('wireguard-go').value).toContain('user space')
  expect(wireguardFact('kernel').value).not.toContain('user space')
})
