/** The metrics that every hop exposes, by the names of the images' contract, so that a harness can prove the path. */
import type { Registry } from './metrics.js'

export function createHopMetrics(registry: Registry) {
  return {
    registry,
    requests: registry.counter('meshbench_requests_total', 'Requests answered.', ['code_class']),
    downstreamConnections: registry.counter(
      'meshbench_downstream_connections_total',
      'Connections, or inside HBONE streams, accepted from clients.',
      ['listener'],
    ),
    upstreamConnections: registry.counter(
      'meshbench_upstream_connections_total',
      'TCP connections opened towards upstreams.',
      ['destination'],
    ),
    hboneStreams: registry.counter('meshbench_hbone_streams_total', 'CONNECT streams accepted or opened.', [
      'direction',
    ]),
    hboneConnections: registry.gauge(
      'meshbench_hbone_connections',
      'Open TLS connections that carry HBONE.',
      ['side'],
    ),
    // `side`: server or client; `peer`: its SPIFFE id.
    tlsHandshakes: registry.counter('meshbench_tls_handshakes_total', 'Completed mutual TLS handshakes.', [
      'side',
      'peer',
    ]),
    tlsResumptions: registry.counter(
      'meshbench_tls_resumptions_total',
      'Completed mutual TLS handshakes that resumed a session.',
      ['side'],
    ),
    tlsHandshakeFailures: registry.counter(
      'meshbench_tls_handshake_failures_total',
      'Refused TLS handshakes.',
      ['side', 'reason'],
    ),
    // `side`: downstream or upstream.
    receivedBytes: registry.counter('meshbench_received_bytes_total', 'Payload bytes received.', ['side']),
    sentBytes: registry.counter('meshbench_sent_bytes_total', 'Payload bytes sent.', ['side']),
  }
}

export type HopMetrics = ReturnType<typeof createHopMetrics>

/** Counts an answered request by the class of its status; what is beyond the classes is a server's error (RFC 9110 §15). */
export function requestCounter({ requests }: HopMetrics): (status: number) => void {
  const classes = ['1xx', '2xx', '3xx', '4xx', '5xx'].map((name) => requests.labels(name))
  return (status) => {
    classes[Math.min(5, Math.floor(status / 100)) - 1]?.add()
  }
}

/** What `splice` calls: bytes of one side are received by a hop, and sent by it on the other. */
export function countersThrough({ receivedBytes, sentBytes }: HopMetrics) {
  const counter = (from: string, to: string) => {
    const [received, sent] = [receivedBytes.labels(from), sentBytes.labels(to)]
    return (bytes: number): void => {
      received.add(bytes)
      sent.add(bytes)
    }
  }
  return {
    toUpstream: counter('downstream', 'upstream'),
    toDownstream: counter('upstream', 'downstream'),
  }
}

/** Adds the process metrics under the names that Prometheus client libraries use. */
export function addProcessMetrics(registry: Registry): void {
  const user = registry.counter('process_cpu_user_seconds_total', 'User CPU time spent.').labels()
  const system = registry.counter('process_cpu_system_seconds_total', 'System CPU time spent.').labels()
  const resident = registry.gauge('process_resident_memory_bytes', 'Resident memory.').labels()
  const heap = registry.gauge('nodejs_heap_size_used_bytes', 'V8 heap in use.').labels()
  const external = registry
    .gauge('nodejs_external_memory_bytes', 'Memory of buffers outside the V8 heap.')
    .labels()
  registry.onCollect(() => {
    const cpu = process.cpuUsage()
    user.set(cpu.user / 1e6)
    system.set(cpu.system / 1e6)
    const memory = process.memoryUsage()
    resident.set(memory.rss)
    heap.set(memory.heapUsed)
    external.set(memory.external)
  })
}
