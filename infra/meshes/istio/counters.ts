/**
 * Reads what Istio's proxies and ztunnel counted, so that plaintext never counts: a bypassed or downgraded mesh shows
 * as hops that did not move, which refuses the trial.
 *
 * Labels: https://istio.io/latest/docs/reference/config/metrics/ and ztunnel's ARCHITECTURE.md.
 */
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
  /** The arm's namespace. */
  readonly namespace: string
}

/** Cumulative counters of one hop from its Prometheus text. Throws on text that is not an exposition. */
export function readIstioCounters(text: string, { kind, layer, namespace }: IstioHop): HopCounters {
  const samples = parsePrometheus(text)
  const labels = labelsOf(kind, namespace)
  const metric = layer === 'l7' ? 'istio_requests_total' : 'istio_tcp_connections_opened_total'
  const count = sumSamples(samples, metric, labels)
  const peers = peersIn(samples, metric, labels, peerLabel[kind])
  if (layer === 'l7') return { requests: count, ...peers }
  return {
    downstreamConnections: count,
    ...(kind.startsWith('ztunnel') ? { hboneStreams: count } : {}),
    receivedBytes: sumSamples(samples, 'istio_tcp_received_bytes_total', labels),
    sentBytes: sumSamples(samples, 'istio_tcp_sent_bytes_total', labels),
    ...peers,
  }
}

/** Peers that carried anything; a series that stands at 0 saw nobody. */
function peersIn(samples: readonly Sample[], metric: string, labels: LabelMatch, label: string | undefined) {
  if (label === undefined) return {}
  const seen = selectSamples(samples, metric, labels)
    .filter(({ value }) => value > 0)
    .map((sample) => sample.labels[label] ?? 'unknown')
  return { peers: [...new Set(seen)].sort() }
}
