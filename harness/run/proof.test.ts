import { describe, expect, test } from 'vitest'
import type { Arm, Component, HopCounters, LoadSpec } from '../model.js'
import { carriedPath } from '../model/paths.js'
import { judgeTrial, type ProofInput } from './proof.js'
import { paths } from '../../scenarios/paths/index.js'

const path = paths['l4-l7-l4']
const arm: Arm = {
  id: 'reference/l4-l7-l4',
  mesh: 'reference',
  path: path.name,
  role: 'subject',
  environment: 'local',
  baseline: 'none/baseline',
}
const load: LoadSpec = {
  engine: 'open-loop',
  model: 'open',
  protocol: 'http1',
  ratePerSecond: 1000,
  connections: 16,
  warmupMs: 100,
  durationMs: 1000,
  payloadBytes: 1024,
  timeoutMs: 1000,
}
const hopOf = (name: string, owner = arm.id, category: Component['category'] = 'l4'): Component => ({
  name: `${owner}/${name}`,
  arm: owner,
  hop: name,
  category,
  node: 'client',
})
const components: Component[] = [
  { name: 'echo', category: 'application', node: 'server' },
  hopOf('client-tunnel'),
  hopOf('waypoint', arm.id, 'l7'),
  hopOf('server-tunnel'),
  hopOf('node-proxy', 'reference/l7-per-node', 'l7'),
]
const zero: HopCounters = {
  requests: 0,
  downstreamConnections: 0,
  receivedBytes: 0,
  sentBytes: 0,
  tlsHandshakesClient: 0,
  tlsHandshakesServer: 0,
}
const peers = ['spiffe://cluster.local/ns/bench/sa/client']
const carried = (counters: Partial<HopCounters> = {}): HopCounters => ({
  ...zero,
  downstreamConnections: 16,
  receivedBytes: 100_000,
  sentBytes: 2_000_000,
  tlsHandshakesClient: 1,
  tlsHandshakesServer: 1,
  peers,
  ...counters,
})
const before = Object.fromEntries(components.map(({ name }) => [name, zero]))
const after: Record<string, HopCounters> = {
  echo: { ...zero, requests: 1100 },
  [`${arm.id}/client-tunnel`]: carried(),
  [`${arm.id}/waypoint`]: carried({ requests: 1100 }),
  [`${arm.id}/server-tunnel`]: carried(),
  'reference/l7-per-node/node-proxy': zero,
}
const input: ProofInput = {
  arm,
  path,
  load,
  traffic: { requests: 1100, connections: 16 },
  components,
  before,
  after,
  maxStreamsPerConnection: 100,
}
const failing = (changes: Partial<ProofInput>) =>
  judgeTrial({ ...input, ...changes })
    .filter(({ ok }) => !ok)
    .map(({ name, expected, actual }) => `${name}: ${expected}, not ${actual}`)

test('traffic that took its path passes every check', () => {
  expect(failing({})).toEqual([])
  expect(judgeTrial(input).map(({ name }) => name)).toEqual(
    expect.arrayContaining([
      'requests at waypoint',
      'requests at echo',
      'mTLS handshakes accepted by server-tunnel',
    ]),
  )
})

const handshakes = (client: number, server: number, peer?: string): HopCounters => {
  const { peers: _, ...counters } = carried({ tlsHandshakesClient: client, tlsHandshakesServer: server })
  return { ...counters, ...(peer === undefined ? {} : { peers: [peer] }) }
}
const ofHops = (client: HopCounters, waypoint: HopCounters, server: HopCounters) => ({
  ...after,
  [`${arm.id}/client-tunnel`]: client,
  [`${arm.id}/waypoint`]: { ...waypoint, requests: 1100 },
  [`${arm.id}/server-tunnel`]: server,
})

test('legs in plain text are proved to have no handshake, where the path itself would encrypt', () => {
  const plain = {
    arm: { ...arm, transport: 'plain' as const },
    path: carriedPath({ transport: 'plain' }, path),
  }
  const none = handshakes(0, 0)
  expect(failing({ ...plain, after: ofHops(none, none, none) })).toEqual([])
  expect(failing({ ...plain, after: ofHops(handshakes(1, 0), none, none) })).toEqual([
    'TLS handshakes at client-tunnel: 0, not 1',
  ])
  // The same counters are no proof of the path as it is.
  expect(failing({ after: ofHops(none, none, none) })).toContain(
    'mTLS handshakes made by client-tunnel: 1, not 0',
  )
})

test('legs with a certificate of the server alone are proved by handshakes in which clients are nobody', () => {
  const tls = { arm: { ...arm, transport: 'tls' as const }, path: carriedPath({ transport: 'tls' }, path) }
  const server = 'spiffe://cluster.local/ns/bench/sa/server'
  const [out, through, last] = [handshakes(1, 0, server), handshakes(1, 1, server), handshakes(0, 1)]
  expect(failing({ ...tls, after: ofHops(out, through, last) })).toEqual([])
  expect(failing({ ...tls, after: ofHops(out, through, handshakes(0, 0)) })).toEqual([
    'TLS handshakes accepted by server-tunnel: 1, not 0',
  ])
  expect(failing({ ...tls, after: ofHops(out, through, handshakes(0, 1, server)) })).toEqual([
    `no identity of a client at server-tunnel: none, not ${server}`,
  ])
})

test.each<[string, Record<string, HopCounters>, string]>([
  [
    'one request went around the waypoint',
    { [`${arm.id}/waypoint`]: carried({ requests: 1099 }) },
    'requests at waypoint: 1100, not 1099',
  ],
  [
    'the server saw a request more',
    { echo: { ...zero, requests: 1101 } },
    'requests at echo: 1100, not 1101',
  ],
  [
    'a tunnel was bypassed',
    { [`${arm.id}/client-tunnel`]: { ...zero, peers } },
    'connections at client-tunnel: 16, not 0',
  ],
  [
    'nobody shook hands',
    { [`${arm.id}/server-tunnel`]: carried({ tlsHandshakesServer: 0 }) },
    'mTLS handshakes accepted by server-tunnel: 1, not 0',
  ],
  [
    'each connection shook hands',
    { [`${arm.id}/server-tunnel`]: carried({ tlsHandshakesServer: 16 }) },
    'mTLS handshakes accepted by server-tunnel: 1, not 16',
  ],
  [
    'a peer had no identity',
    { [`${arm.id}/waypoint`]: carried({ requests: 1100, peers: ['anonymous'] }) },
    'peer identity at waypoint: a SPIFFE id, not anonymous',
  ],
  [
    'another arm carried traffic',
    { 'reference/l7-per-node/node-proxy': carried({ requests: 5 }) },
    'hops off the path stand still: no traffic elsewhere, not traffic at reference/l7-per-node/node-proxy',
  ],
])('%s: refused', (_name, changed, problem) => {
  expect(failing({ after: { ...after, ...changed } })).toContain(problem)
})

describe('a service that functions call', () => {
  const name = `${arm.id}/authorizer`
  const service: Component = {
    ...{ name, arm: arm.id, service: 'authorizer' },
    ...{ category: 'called-service', node: 'waypoint' },
  }
  const asked = (requests: number | undefined, changes: Partial<ProofInput> = {}) =>
    failing({
      components: [...components, service],
      before: { ...before, [name]: zero },
      after: requests === undefined ? after : { ...after, [name]: { ...zero, requests } },
      ...changes,
    })

  test('is asked once for each request by each L7 hop, and no less', () => {
    expect(asked(1100)).toEqual([])
    expect(asked(1099)).toEqual([`requests at ${name}: 1100, not 1099`])
    expect(asked(1101)).toEqual([`requests at ${name}: 1100, not 1101`])
    expect(asked(undefined)).toEqual([`counters of ${name}: readable, not not read`])
  })

  test('gets copies of requests, which may still be on their way', () => {
    const mirror = { ...service, service: 'mirror' as const }
    const copied = (requests: number) =>
      asked(requests, { components: [...components, mirror] }).filter((line) => line.includes(name))
    expect([copied(1100), copied(1)]).toEqual([[], []])
    expect(copied(0)).toEqual([`requests at ${name}: 1 to 1100, not 0`])
    expect(copied(1101)).toEqual([`requests at ${name}: 1 to 1100, not 1101`])
  })

  test('has its keys fetched once, if it is an issuer', () => {
    const issuer = { ...service, service: 'issuer' as const }
    for (const requests of [0, 1, 2])
      expect(asked(requests, { components: [...components, issuer] })).toEqual([])
  })

  test('answers what an engine could not count, and nothing where there are no requests', () => {
    const traffic = { ...input.traffic, uncounted: 2 }
    expect(asked(1102, { traffic })).not.toContain(`requests at ${name}: 1100 to 1102, not 1102`)
    expect(asked(0, { load: { ...load, protocol: 'tcp' } }).filter((line) => line.includes(name))).toEqual([])
  })
})

test('a hop whose counters cannot be read fails its proof', () => {
  const { [`${arm.id}/waypoint`]: _gone, ...rest } = after
  expect(failing({ after: rest })).toContain('counters of waypoint: readable, not not read')
})

test('with a warm pool no new handshake is needed', () => {
  const warm = Object.fromEntries(
    Object.entries(before).map(([name, counters]) => [
      name,
      { ...counters, tlsHandshakesClient: 1, tlsHandshakesServer: 1 },
    ]),
  )
  expect(failing({ before: warm })).toEqual([])
})

test('an engine that cannot count what is in flight at its end may have sent as much more, and no more', () => {
  const seen = (requests: number) => ({
    traffic: { requests: 1084, uncounted: 16, connections: 16 },
    after: { ...after, echo: { ...zero, requests } },
  })
  expect(failing(seen(1100))).toEqual([])
  expect(failing(seen(1084))).toEqual([])
  expect(failing(seen(1101))).toEqual(['requests at echo: 1084 to 1100, not 1101'])
  expect(failing(seen(1083))).toEqual(['requests at echo: 1084 to 1100, not 1083'])
})

test('copies that share a load shake hands once each, and no more', () => {
  const tunnel = `${arm.id}/client-tunnel`
  const handshakes = (count: number) => ({
    after: { ...after, [tunnel]: carried({ tlsHandshakesClient: count }) },
  })
  expect(failing({ ...handshakes(3), carriers: 3 })).toEqual([])
  expect(failing({ ...handshakes(4), carriers: 3 })).toHaveLength(1)
  expect(failing(handshakes(3))).toHaveLength(1)
})
