import { describe, expect, it } from 'vitest'
import { paths } from '../../../scenarios/paths/index.js'
import type { Path } from '../../../harness/model.js'
import { hopSpecs } from '../hops/testing.js'
import { envoyCounters, parseStats, statsPath } from './counters.js'

const { 'l4-l7-l4': l4L7L4, 'l7-per-node': l7PerNode } = paths

function spec(path: Path, index: number) {
  const found = hopSpecs('envoy', path)[index]
  if (!found) throw new Error(`no hop ${index}`)
  return found
}

/** As Envoy 1.40 answered after 2 000 requests over eight connections. */
const waypointStats = `cluster.next.ssl.handshake: 1
cluster.next.upstream_cx_rx_bytes_total: 2290119
cluster.next.upstream_cx_total: 1
cluster.next.upstream_cx_tx_bytes_total: 325017
cluster.next.upstream_rq_total: 8
cluster.service.upstream_cx_rx_bytes_total: 2284000
cluster.service.upstream_cx_total: 8
cluster.service.upstream_rq_total: 2000
http.hbone.downstream_cx_total: 1
http.hbone.downstream_rq_total: 8
http.l7.downstream_cx_rx_bytes_total: 256000
http.l7.downstream_cx_total: 8
http.l7.downstream_cx_tx_bytes_total: 2284000
http.l7.downstream_rq_total: 2000
listener.downstream.downstream_cx_total: 1
listener.downstream.ssl.handshake: 1
`

describe('counters', () => {
  it('of a waypoint count the streams inside HBONE as its connections', () => {
    expect(envoyCounters(waypointStats, spec(l4L7L4, 1))).toEqual({
      requests: 2000,
      downstreamConnections: 8,
      upstreamConnections: 1,
      hboneStreams: 16,
      tlsHandshakesServer: 1,
      tlsHandshakesClient: 1,
      receivedBytes: 256000,
      sentBytes: 2284000,
      peers: ['spiffe://cluster.local/ns/bench/sa/client', 'spiffe://cluster.local/ns/bench/sa/server'],
    })
  })

  it('of an L4 hop have no requests', () => {
    expect(envoyCounters(waypointStats, spec(l4L7L4, 0))).not.toHaveProperty('requests')
  })

  it('name no peers before a handshake', () => {
    const cold = waypointStats.replaceAll(/(ssl\.handshake): \d+/g, '$1: 0')
    expect(envoyCounters(cold, spec(l4L7L4, 1))).not.toHaveProperty('peers')
  })

  it('of a plain hop have neither streams nor handshakes', () => {
    const counters = envoyCounters('http.l7.downstream_rq_total: 3\n', spec(l7PerNode, 0))
    expect(counters).toMatchObject({ requests: 3, hboneStreams: 0, tlsHandshakesServer: 0 })
  })

  it('are not read from an error page', () => {
    expect(() => parseStats('<html>no such page</html>')).toThrow('not an Envoy statistic')
  })

  it('are asked for by a filter that names each of them', () => {
    const filter = new RegExp(decodeURIComponent(statsPath.split('=')[1] ?? ''))
    for (const name of parseStats(waypointStats).keys()) expect(name).toMatch(filter)
    expect('http.admin.downstream_rq_total').not.toMatch(filter)
  })
})
