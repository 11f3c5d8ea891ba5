import { describe, expect, test } from 'vitest'
import { readTestdata } from '../testdata/transcript-cluster.js'
import { readIstioCounters, readIstioView } from './counters.js'

const metrics = (name: string) => readTestdata(`metrics/${name}.prom`)
const sidecars = 'mb-l7-sidecar-to-sidecar'

describe('sidecars', () => {
  const server = { kind: 'sidecar-inbound', layer: 'l7', namespace: sidecars } as const

  test('the server counts requests of every status that came with mutual TLS, and names the peer', () => {
    expect(readIstioCounters(metrics('sidecar-server'), server)).toEqual({
      requests: 5000,
      peers: [`spiffe://cluster.local/ns/${sidecars}/sa/client`],
    })
  })

  test('plaintext is no traffic: a PERMISSIVE server that got it looks bypassed', () => {
    expect(readIstioCounters(metrics('sidecar-server-plaintext'), server)).toEqual({ requests: 0, peers: [] })
  })

  test('traffic of another namespace is no traffic', () => {
    expect(readIstioCounters(metrics('sidecar-server-idle'), server)).toEqual({ requests: 0, peers: [] })
  })

  test('the client counts what it sent to the service, not what it sent to DNS', () => {
    const client = { kind: 'sidecar-outbound', layer: 'l7', namespace: sidecars } as const
    expect(readIstioCounters(metrics('sidecar-client'), client)).toEqual({ requests: 5000 })
  })

  test('as byte carriers they count connections and bytes', () => {
    const tcp = { kind: 'sidecar-inbound', layer: 'l4', namespace: 'mb-l4-sidecar-to-sidecar' } as const
    expect(readIstioCounters(metrics('sidecar-server-tcp'), tcp)).toEqual({
      downstreamConnections: 16,
      receivedBytes: 640_000,
      sentBytes: 5_440_000,
      peers: ['spiffe://cluster.local/ns/mb-l4-sidecar-to-sidecar/sa/client'],
    })
  })

  test('an HTTP proxy on the way leaves the byte carrier still: the wrong protocol is seen', () => {
    const tcp = { kind: 'sidecar-inbound', layer: 'l4', namespace: sidecars } as const
    expect(readIstioCounters(metrics('sidecar-server'), tcp).downstreamConnections).toBe(0)
  })
})

describe('ztunnel', () => {
  test("each arm sees its own namespace's connections and peers on a shared ztunnel", () => {
    const read = (namespace: string) =>
      readIstioCounters(metrics('ztunnel-client'), { kind: 'ztunnel-outbound', layer: 'l4', namespace })
    expect(read('mb-l4-only')).toMatchObject({
      downstreamConnections: 16,
      hboneStreams: 16,
      receivedBytes: 640_000,
      sentBytes: 5_440_000,
      peers: ['spiffe://cluster.local/ns/mb-l4-only/sa/server'],
    })
    expect(read('mb-l4-l7-l4').peers).toEqual(['spiffe://cluster.local/ns/mb-l4-l7-l4/sa/waypoint'])
  })

  test('behind a waypoint the server side sees the waypoint, whose pool is smaller', () => {
    const inbound = { kind: 'ztunnel-inbound', layer: 'l4', namespace: 'mb-l4-l7-l4' } as const
    expect(readIstioCounters(metrics('ztunnel-server'), inbound)).toMatchObject({
      downstreamConnections: 2,
      peers: ['spiffe://cluster.local/ns/mb-l4-l7-l4/sa/waypoint'],
    })
  })

  test.each(['ztunnel-outbound', 'ztunnel-inbound'] as const)('plaintext is no traffic: %s', (kind) => {
    const counters = readIstioCounters(metrics('ztunnel-plaintext'), {
      kind,
      layer: 'l4',
      namespace: 'mb-l4-only',
    })
    expect(counters).toEqual({
      downstreamConnections: 0,
      hboneStreams: 0,
      receivedBytes: 0,
      sentBytes: 0,
      peers: [],
    })
  })
})

describe('waypoint', () => {
  const waypoint = { kind: 'waypoint', layer: 'l7', namespace: 'mb-l4-l7-l4' } as const

  test('counts requests that came over HBONE with the client as peer', () => {
    expect(readIstioCounters(metrics('waypoint'), waypoint)).toEqual({
      requests: 5000,
      peers: ['spiffe://cluster.local/ns/mb-l4-l7-l4/sa/client'],
    })
  })

  test('requests without mutual TLS are no traffic', () => {
    expect(readIstioCounters(metrics('waypoint-plaintext'), waypoint)).toEqual({ requests: 0, peers: [] })
  })
})

test('an error page is an error, not a hop without traffic', () => {
  const read = () =>
    readIstioCounters('Error trying to reach service: dial tcp 10.244.1.7:15020: connect refused', {
      kind: 'waypoint',
      layer: 'l7',
      namespace: 'x',
    })
  expect(read).toThrow('metrics line 1')
})

describe("Envoy's own counters, which an Envoy without Istio's filters has, too", () => {
  const toServer = 'cluster_name="outbound|8080||server.bench.svc.cluster.local"'
  const client = { kind: 'sidecar-outbound', layer: 'l7', namespace: 'bench' } as const
  const server = { kind: 'sidecar-inbound', layer: 'l7', namespace: 'bench' } as const
  const atClient = `envoy_cluster_upstream_rq_total{${toServer}} 40
envoy_cluster_upstream_rq_total{cluster_name="outbound|53||kube-dns.kube-system.svc.cluster.local"} 7
envoy_cluster_upstream_rq_total{cluster_name="xds-grpc"} 3
envoy_cluster_ssl_handshake{${toServer}} 2
envoy_cluster_ssl_ciphers_TLS_AES_256_GCM_SHA384{${toServer}} 2
envoy_cluster_ssl_curves_X25519MLKEM768{${toServer}} 2
`

  test('the client counts what went to the server, and tells cipher and curve', () => {
    expect(readIstioView(atClient, client)).toEqual({
      counters: { requests: 40 },
      tls: { handshakes: 2, ciphers: ['TLS_AES_256_GCM_SHA384'], curves: ['X25519MLKEM768'] },
    })
  })
  test('a client that spoke plaintext has no handshake', () => {
    const plain = atClient.replaceAll(/^envoy_cluster_ssl.*\n/gm, '')
    expect(readIstioView(plain, client).tls).toEqual({ handshakes: 0, ciphers: [], curves: [] })
  })
  test('the server counts what came in, whoever sent it, and names no peer', () => {
    const page = `envoy_cluster_upstream_rq_total{cluster_name="inbound|8080||"} 40
envoy_listener_ssl_handshake{listener_address="0.0.0.0_15006"} 2
envoy_listener_ssl_ciphers_TLS_AES_256_GCM_SHA384{listener_address="0.0.0.0_15006"} 2
`
    expect(readIstioView(page, server)).toEqual({
      counters: { requests: 40 },
      tls: { handshakes: 2, ciphers: ['TLS_AES_256_GCM_SHA384'], curves: [] },
    })
  })
  test("where Istio's extension counts, too, only what both have seen counts, and it names the peer", () => {
    const both = `envoy_cluster_upstream_rq_total{cluster_name="inbound|8080||"} 40
${metrics('sidecar-server').replaceAll(sidecars, 'bench')}`
    expect(readIstioView(both, server)).toMatchObject({
      counters: { requests: 40 },
      peerCounts: { 'spiffe://cluster.local/ns/bench/sa/client': 5000 },
    })
    const plaintext = `envoy_cluster_upstream_rq_total{cluster_name="inbound|8080||"} 40
${metrics('sidecar-server-plaintext').replaceAll(sidecars, 'bench')}`
    expect(readIstioCounters(plaintext, server).requests).toBe(0)
  })
})
