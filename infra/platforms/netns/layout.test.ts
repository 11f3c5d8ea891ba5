import { expect, test } from 'vitest'
import { addressesOf, nodeLines, podLines, switchLines, wireQueue } from './layout.js'

const addresses = addressesOf(77)

test('delay and loss ask for netem, a rate alone for tbf, nothing for nothing', () => {
  const queue = (settings: Parameters<typeof wireQueue>[0]) => wireQueue(settings)?.join(' ')
  expect(queue({})).toBeUndefined()
  expect(queue({ rateMbit: 100 })).toBe('qdisc add dev eth0 root tbf rate 100mbit burst 64kb latency 50ms')
  expect(queue({ delayMs: 2.5, lossPercent: 0.1, rateMbit: 100 })).toBe(
    'qdisc add dev eth0 root netem delay 2.5ms loss 0.1% rate 100mbit',
  )
})

test('nodes share a wire and know the way to the pods of the others; a pod knows its node alone', () => {
  const links = { segmentation: 'offloaded' } as const
  expect(switchLines(addresses, { client: 11, server: 12, waypoint: 13 }, links)).toContain(
    'link add server mtu 1500 type veth peer name eth0 mtu 1500 netns 12',
  )
  expect(nodeLines(addresses, 'client', links)).toEqual([
    'link set lo up',
    'addr add 10.77.0.1/24 dev eth0',
    'link set eth0 up',
    'route add 10.77.12.0/24 via 10.77.0.2',
    'route add 10.77.13.0/24 via 10.77.0.3',
  ])
  expect(podLines(addresses, 'server', 1, 42, links)).toEqual({
    onNode: [
      'link add pod1 mtu 1500 type veth peer name eth0 mtu 1500 netns 42',
      'addr add 10.77.12.1/32 dev pod1',
      'link set pod1 up',
      'route add 10.77.12.3/32 dev pod1',
    ],
    inPod: [
      'link set lo up',
      'addr add 10.77.12.3/32 dev eth0',
      'link set eth0 up',
      'route add 10.77.12.1 dev eth0 scope link',
      'route add default via 10.77.12.1',
    ],
  })
})

test('without segmentation offload every sender makes packets of the wire’s size', () => {
  expect(nodeLines(addresses, 'client', { segmentation: 'off' })).toContain('link set eth0 gso_max_segs 1 up')
})
