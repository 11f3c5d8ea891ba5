import { expect, test } from 'vitest'
import { inboundLines, outboundLines, transparentLines, unmetCapture } from './capture.js'
import { testRequest } from '../../../harness/testing/request.js'

const service = { host: '10.100.96.1', port: 8080 }

test('a sidecar is led to in its pod, a hop of the node on the node', () => {
  const rule = 'ip daddr 10.100.96.1 tcp dport 8080 counter name outbound dnat to 10.100.0.1:15001'
  const hop = { host: '10.100.0.1', port: 15_001 }
  for (const [place, hook] of [
    ['pod', 'output'],
    ['node', 'prerouting'],
  ] as const) {
    const text = outboundLines(place, service, hop).join('\n')
    expect(text).toContain(rule)
    expect(text).toContain(`type nat hook ${hook} `)
  }
})

test('only what comes from outside the pod is led to the sidecar before its application', () => {
  const text = inboundLines({ host: '10.100.12.2', port: 40_001 }, { host: '10.100.12.2', port: 40_002 })
  expect(text.join('\n')).toContain('iifname eth0 tcp dport 40001 counter name inbound redirect to :40002')
})

test('what is taken under its own address is counted by its first packets', () => {
  const hop = { host: '10.100.0.1', port: 15_001 }
  const text = transparentLines('outbound', 'ip daddr 10.100.96.1 tcp dport 8080', hop).join('\n')
  expect(text).toContain('tcp dport 8080 tcp flags & (syn | ack | rst | fin) == syn counter name outbound')
  expect(text).toContain('tcp dport 8080 tproxy to 10.100.0.1:15001 meta mark set 1 accept')
})

test('capture where there are no namespaces is an unmet need, with the remedy', async () => {
  const request = testRequest({
    arms: [{ mesh: 'reference', path: 'l4-only' }],
    config: { meshSettings: { reference: { capture: 'redirect' } } },
  })
  const [unmet] = await unmetCapture('reference', request, { offers: ['own-hops'] })
  expect(unmet?.remedy).toContain('--platform netns')
  expect(await unmetCapture('reference', request, { offers: ['own-hops', 'namespaces'] })).toEqual([])
  expect(await unmetCapture('envoy', request, { offers: ['own-hops'] })).toEqual([])
})
