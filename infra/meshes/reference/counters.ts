/** Reads the counters that this repository's own hops expose, as infra/images/README.md names them. */
import type { HopCounters } from '../../../harness/model.js'
import { parsePrometheus, sumSamples } from '../../../harness/process/prometheus.js'

export function readReferenceCounters(text: string): HopCounters {
  const samples = parsePrometheus(text)
  const handshakes = samples.filter(({ name }) => name === 'meshbench_tls_handshakes_total')
  const peers = handshakes.map(({ labels }) => labels.peer ?? '').filter((peer) => peer !== '')
  return {
    requests: sumSamples(samples, 'meshbench_requests_total'),
    downstreamConnections: sumSamples(samples, 'meshbench_downstream_connections_total'),
    upstreamConnections: sumSamples(samples, 'meshbench_upstream_connections_total'),
    hboneStreams: sumSamples(samples, 'meshbench_hbone_streams_total'),
    tlsHandshakesServer: sumSamples(samples, 'meshbench_tls_handshakes_total', { side: 'server' }),
    tlsHandshakesClient: sumSamples(samples, 'meshbench_tls_handshakes_total', { side: 'client' }),
    tlsResumptionsClient: sumSamples(samples, 'meshbench_tls_resumptions_total', { side: 'client' }),
    receivedBytes: sumSamples(samples, 'meshbench_received_bytes_total', { side: 'downstream' }),
    sentBytes: sumSamples(samples, 'meshbench_sent_bytes_total', { side: 'downstream' }),
    ...(peers.length === 0 ? {} : { peers: [...new Set(peers)].sort() }),
  }
}
