import { expect, test } from 'vitest'
import { policyLines, readCounters, serviceLines } from './rules.js'

const rules = {
  service: '10.100.96.1',
  server: { address: '10.100.12.2', port: 40_001 },
  clientAddress: '10.100.11.2',
}

test('the service leads to the pod, and only the client may come', () => {
  expect(serviceLines(rules).join('\n')).toContain(
    'ip daddr 10.100.96.1 tcp dport 8080 counter name connections dnat to 10.100.12.2:40001',
  )
  const policy = policyLines(rules).map((line) => line.trim())
  const [allow, deny] = ['allowed accept', 'denied drop'].map((end) =>
    policy.findIndex((line) => line.endsWith(end)),
  )
  expect(policy[allow ?? -1]).toContain('ip saddr 10.100.11.2')
  expect(allow).toBeLessThan(deny ?? -1)
})

test('named counters are read as nft prints them', () => {
  const text =
    'table ip meshbench {\n\tcounter allowed {\n\t\tpackets 5 bytes 300\n\t}\n\tcounter denied {\n\t\tpackets 0 bytes 0\n\t}\n}\n'
  expect(readCounters(text)).toEqual({ allowed: 5, denied: 0 })
})
