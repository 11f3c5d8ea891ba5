import { describe, expect, test } from 'vitest'
import { readTestdata } from '../clusters/testing.js'
import { readIstioCounters, readIstioView, type IstioHop, type IstioView } from './counters.js'

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

  /** Pages of a real ztunnel on the client's and on the server's node, with two arms and all that proofs try there. */
  const read = (page: string, kind: 'ztunnel-outbound' | 'ztunnel-inbound', path: string) =>
    readIstioCounters(metrics(page), { kind, layer: 'l4', namespace: `mb-istio-ambient-${path}` })
  const id = (path: string, account: string) =>
    `spiffe://cluster.local/ns/mb-istio-ambient-${path}/sa/${account}`

  test('towards a waypoint the client side sees the waypoint', () => {
    expect(read('ztunnel-at-client', 'ztunnel-outbound', 'l4-l7-l4')).toMatchObject({
      // Of the client, and of who must be refused.
      downstreamConnections: 2,
      peers: [id('l4-l7-l4', 'waypoint')],
    })
  })

  test('the server side sees the waypoint or the gateway, and plaintext is no traffic', () => {
    const waypoint = read('ztunnel-at-server', 'ztunnel-inbound', 'l4-l7-l4')
    expect(waypoint).toMatchObject({ downstreamConnections: 1, peers: [id('l4-l7-l4', 'waypoint')] })
    const gateway = read('ztunnel-at-server', 'ztunnel-inbound', 'ingress')
    expect(gateway).toMatchObject({ downstreamConnections: 15, peers: [id('ingress', 'gateway-istio')] })
    // Somebody has tried both in plaintext.
    expect(metrics('ztunnel-at-server').match(/source_workload="prober".*policy="unknown"/g)).not.toBeNull()
    expect(read('ztunnel-at-server', 'ztunnel-outbound', 'ingress')).toMatchObject({
      ...{ downstreamConnections: 0, hboneStreams: 0, receivedBytes: 0, sentBytes: 0 },
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

describe('pages of stock Envoys under Istio 1.31, as they were recorded', () => {
  const tls = { handshakes: 1, ciphers: ['TLS_AES_128_GCM_SHA256'], curves: ['X25519MLKEM768'] }
  const bytes = { receivedBytes: 121_194, sentBytes: 959_396 }
  const l7 = { layer: 'l7', namespace: 'mb-istio-sidecar-l7-sidecar-to-sidecar' } as const
  const l4 = { layer: 'l4', namespace: 'mb-istio-sidecar-l4-sidecar-to-sidecar' } as const
  const gateway = { layer: 'l7', namespace: 'mb-istio-sidecar-ingress-to-sidecar' } as const
  const waypoint = { layer: 'l7', namespace: 'mb-istio-ambient-l4-l7-l4' } as const
  const pages: Readonly<Record<string, { hop: IstioHop; view: IstioView }>> = {
    'stock-sidecar-client': {
      hop: { kind: 'sidecar-outbound', ...l7 },
      view: { counters: { requests: 1 }, tls },
    },
    'stock-sidecar-server': {
      hop: { kind: 'sidecar-inbound', ...l7 },
      view: { counters: { requests: 1 }, tls, admitted: 1 },
    },
    'stock-sidecar-client-tcp': {
      hop: { kind: 'sidecar-outbound', ...l4 },
      view: { counters: { downstreamConnections: 33, ...bytes }, tls: { ...tls, handshakes: 33 } },
    },
    // A stranger was shaken hands with, and let no further.
    'stock-sidecar-server-tcp': {
      hop: { kind: 'sidecar-inbound', ...l4 },
      view: {
        counters: { downstreamConnections: 34, ...bytes },
        tls: { ...tls, handshakes: 34 },
        admitted: 33,
      },
    },
    'stock-gateway': { hop: { kind: 'gateway', ...gateway }, view: { counters: { requests: 1 }, tls } },
    // Of an ambient mesh: it sends by the cluster of HBONE.
    'stock-gateway-ambient': {
      hop: { ...gateway, kind: 'gateway', namespace: 'mb-istio-ambient-ingress' },
      view: { counters: { requests: 481 }, tls },
    },
    'stock-waypoint': {
      hop: { kind: 'waypoint', ...waypoint },
      view: {
        counters: { requests: 481 },
        tls: { handshakes: 2, ciphers: ['TLS_AES_256_GCM_SHA384'], curves: ['X25519'] },
        admitted: 481,
      },
    },
  }
  test.each(Object.entries(pages))('%s', (page, { hop, view }) => {
    expect(readIstioView(metrics(page), hop)).toEqual(view)
  })
  test.each(Object.entries(pages))(
    'without counters of TLS no hand was shaken: %s',
    (page, { hop, view }) => {
      const plain = metrics(page).replaceAll(/^envoy_(?:cluster|listener)_ssl_.*\n/gm, '')
      const none = { handshakes: 0, ciphers: [], curves: [] }
      expect(readIstioView(plain, hop)).toEqual({ ...view, tls: none })
    },
  )
  test('nobody but a gateway sends by the cluster of HBONE', () => {
    const hop = { layer: 'l7', namespace: 'mb-istio-ambient-ingress' } as const
    const page = metrics('stock-gateway-ambient')
    expect(readIstioView(page, { ...hop, kind: 'gateway' }).tls?.handshakes).toBe(1)
    expect(readIstioView(page, { ...hop, kind: 'sidecar-outbound' }).tls?.handshakes).toBe(0)
  })
  test("where Istio's extension counts, too, only what both have seen counts, and it names the peer", () => {
    const server = { kind: 'sidecar-inbound', ...l7 } as const
    const withExtension = (page: string) =>
      metrics('stock-sidecar-server') + metrics(page).replaceAll(sidecars, l7.namespace)
    expect(readIstioView(withExtension('sidecar-server'), server)).toMatchObject({
      counters: { requests: 1 },
      peerCounts: { [`spiffe://cluster.local/ns/${l7.namespace}/sa/client`]: 5000 },
    })
    expect(readIstioCounters(withExtension('sidecar-server-plaintext'), server).requests).toBe(0)
  })
})
