/**
 * Reads what Istio's proxies and ztunnel counted, so that plaintext never counts: a bypassed or downgraded mesh shows
 * as hops that did not move, which refuses the trial.
 *
 * Labels: https://istio.io/latest/docs/reference/config/metrics/ and ztunnel's ARCHITECTURE.md.
 */
import { defined } from '../../../harness/model/defined.js'
import type { HopCounters } from '../../../harness/model.js'
import {
  parsePrometheus,
  selectSamples,
  sumSamples,
  type LabelMatch,
  type Sample,
} from '../../../harness/process/prometheus.js'

export type IstioHopKind =
  'sidecar-outbound' | 'sidecar-inbound' | 'waypoint' | 'gateway' | 'ztunnel-outbound' | 'ztunnel-inbound'

const mutualTls: LabelMatch = { connection_security_policy: 'mutual_tls' }

/**
 * Series that belong to this hop and this arm's namespace: a ztunnel serves all arms of its node. Envoy as a source
 * always reports the policy as unknown, so that only the destination's word counts there.
 */
function labelsOf(kind: IstioHopKind, namespace: string): LabelMatch {
  switch (kind) {
    case 'gateway':
    case 'sidecar-outbound':
      return {
        reporter: 'source',
        source_workload_namespace: namespace,
        destination_service_namespace: namespace,
      }
    case 'sidecar-inbound':
      return { reporter: 'destination', destination_workload_namespace: namespace, ...mutualTls }
    case 'waypoint':
      return { reporter: 'waypoint', destination_service_namespace: namespace, ...mutualTls }
    case 'ztunnel-outbound':
      return { reporter: 'source', source_workload_namespace: namespace, ...mutualTls }
    case 'ztunnel-inbound':
      return { reporter: 'destination', destination_workload_namespace: namespace, ...mutualTls }
  }
}

/** The label that names the peer on the encrypted leg; Envoy as a source does not know it. */
const peerLabel: Readonly<Record<IstioHopKind, string | undefined>> = {
  'sidecar-outbound': undefined,
  'sidecar-inbound': 'source_principal',
  // Its clients have no identity.
  gateway: undefined,
  waypoint: 'source_principal',
  'ztunnel-outbound': 'destination_principal',
  'ztunnel-inbound': 'source_principal',
}

export interface IstioHop {
  readonly kind: IstioHopKind
  readonly layer: 'l4' | 'l7'
  readonly namespace: string
}

/** What one page of a hop says of one arm. */
export interface IstioView {
  readonly counters: HopCounters
  /** How often each peer was seen; absent where nothing on the page names peers. */
  readonly peerCounts?: Readonly<Record<string, number>>
  /** What Envoy counted of the encrypted leg; absent where it was not asked to, and for ztunnel. */
  readonly tls?: TlsLeg
  /** How often an Envoy's policies let somebody in, who is then one that they name. */
  readonly admitted?: number
}

/** The encrypted leg of one Envoy since it started. */
export interface TlsLeg {
  readonly handshakes: number
  /** As TLS names them, for example `TLS_AES_256_GCM_SHA384`, `X25519MLKEM768`. */
  readonly ciphers: readonly string[]
  readonly curves: readonly string[]
}

/** Cumulative counters of one hop from its Prometheus text. Throws on text that is not an exposition. */
export function readIstioCounters(text: string, hop: IstioHop): HopCounters {
  return readIstioView(text, hop).counters
}

/**
 * The same with what proofs look at. Envoy's own counters are the first witness, since every Envoy has them; where Istio's
 * extension is in it, `istio_*` is a second one, and what both have seen counts.
 */
export function readIstioView(text: string, hop: IstioHop): IstioView {
  const { kind, layer, namespace } = hop
  const samples = parsePrometheus(text)
  const labels = labelsOf(kind, namespace)
  const metric = layer === 'l7' ? 'istio_requests_total' : 'istio_tcp_connections_opened_total'
  const hasExtension = samples.some(({ name }) => name === metric)
  const byIstio = sumSamples(samples, metric, labels)
  const byEnvoy = kind.startsWith('ztunnel') ? undefined : countOfEnvoy(samples, hop)
  const count = byEnvoy === undefined ? byIstio : hasExtension ? Math.min(byEnvoy, byIstio) : byEnvoy
  const label = peerLabel[kind]
  const peerCounts =
    label === undefined || (byEnvoy !== undefined && !hasExtension)
      ? undefined
      : countPeers(selectSamples(samples, metric, labels), label)
  const peers = defined({ peers: peerCounts && Object.keys(peerCounts).sort() })
  const more = defined({
    peerCounts,
    tls: byEnvoy === undefined ? undefined : tlsOf(samples, hop),
    admitted: byEnvoy === undefined ? undefined : admittedOf(samples),
  })
  if (layer === 'l7') return { counters: { requests: count, ...peers }, ...more }
  const bytes =
    byEnvoy !== undefined && !hasExtension
      ? // What a byte carrier sends its upstream is what its client sent, and the other way round.
        {
          receivedBytes: sumSamples(samples, 'envoy_cluster_upstream_cx_tx_bytes_total', clusterOfHop(hop)),
          sentBytes: sumSamples(samples, 'envoy_cluster_upstream_cx_rx_bytes_total', clusterOfHop(hop)),
        }
      : {
          receivedBytes: sumSamples(samples, 'istio_tcp_received_bytes_total', labels),
          sentBytes: sumSamples(samples, 'istio_tcp_sent_bytes_total', labels),
        }
  return {
    counters: {
      downstreamConnections: count,
      ...(kind.startsWith('ztunnel') ? { hboneStreams: count } : {}),
      ...bytes,
      ...peers,
    },
    ...more,
  }
}

/** Peers that carried anything; a series that stands at 0 saw nobody. */
function countPeers(series: readonly Sample[], label: string): Record<string, number> {
  const counts: Record<string, number> = {}
  for (const { labels, value } of series) {
    const peer = labels[label] ?? 'unknown'
    if (value > 0) counts[peer] = (counts[peer] ?? 0) + value
  }
  return counts
}

/** Clusters of one Envoy that lead to the arm's server: names as istiod gives them, `direction|port|subset|host`. */
function clusterOfHop({ kind, namespace }: IstioHop): LabelMatch {
  const toServer = (name: string) => name.split('|')[3]?.includes(`.${namespace}.svc.`) === true
  switch (kind) {
    // All that comes in there is the pod's own.
    case 'sidecar-inbound':
      return { cluster_name: (name) => name.startsWith('inbound|') }
    case 'waypoint':
      return { cluster_name: (name) => name.startsWith('inbound-vip|') && toServer(name) }
    default:
      return { cluster_name: (name) => name.startsWith('outbound|') && toServer(name) }
  }
}

/** Clusters that TLS goes out by: to the server itself, or by that of HBONE, which a gateway of an ambient mesh has. */
function sendingClusters(hop: IstioHop): LabelMatch {
  const { cluster_name: toServer } = clusterOfHop(hop)
  const isServers = (name: string) => (typeof toServer === 'function' ? toServer(name) : false)
  return {
    cluster_name: (name) => isServers(name) || (hop.kind === 'gateway' && name === 'connect_originate'),
  }
}

/** What policies let in, by HTTP or by TCP; undefined where this Envoy has no policy, or keeps no such counters. */
function admittedOf(samples: readonly Sample[]): number | undefined {
  const series = samples.filter(({ labels }) => labels.authz_enforce_result === 'allowed')
  return series.length === 0 ? undefined : series.reduce((sum, { value }) => sum + value, 0)
}

/** Undefined where this Envoy keeps no such counters, as Istio's own bootstrap has it by default. */
function countOfEnvoy(samples: readonly Sample[], hop: IstioHop): number | undefined {
  const name = hop.layer === 'l7' ? 'envoy_cluster_upstream_rq_total' : 'envoy_cluster_upstream_cx_total'
  const series = selectSamples(samples, name, clusterOfHop(hop))
  return series.length === 0 ? undefined : series.reduce((sum, { value }) => sum + value, 0)
}

/**
 * TLS is the upstream's where a hop sends it, and the listener's where one takes it. Without such counters nothing was
 * encrypted, or it cannot be told: no handshakes either way.
 */
function tlsOf(samples: readonly Sample[], hop: IstioHop): TlsLeg {
  const sends = hop.kind === 'sidecar-outbound' || hop.kind === 'gateway'
  const prefix = sends ? 'envoy_cluster_ssl_' : 'envoy_listener_ssl_'
  const labels = sends ? sendingClusters(hop) : {}
  const used = (what: string) => {
    const names = samples.filter(({ name, value }) => value > 0 && name.startsWith(`${prefix}${what}_`))
    const matching = names.filter(({ name }) => sumSamples(samples, name, labels) > 0)
    return [...new Set(matching.map(({ name }) => name.slice(`${prefix}${what}_`.length)))].sort()
  }
  return {
    handshakes: sumSamples(samples, `${prefix}handshake`, labels),
    ciphers: used('ciphers'),
    curves: used('curves'),
  }
}
