/**
 * What a tunnel tells of connections by who is at their ends: opened, closed, bytes and how long they stood. Labels are
 * those of ztunnel's `istio_tcp_*` that a tunnel without a control plane knows
 * (https://istio.io/latest/docs/reference/config/metrics/); the duration is of ztunnel's access log.
 */
import type { SpliceOptions } from '../kit/net/splice.js'
import type { Security } from '../kit/process/config.js'
import type { countersThrough } from '../kit/process/hop-metrics.js'
import type { Registry } from '../kit/process/metrics.js'

/** Who is at the ends of a connection, as this side of the tunnel knows them. */
export interface ConnectionEnds {
  readonly reporter: 'source' | 'destination'
  /** SPIFFE ids; undefined where nobody has proved who it is. */
  readonly source: string | undefined
  readonly destination: string | undefined
  /** `host:port` that the client asked for. */
  readonly service: string
  readonly security: Security
}

/** What `splice` is to call for a connection: the counters of the hop, and the connection's own where it has some. */
export function meteredBy(
  { toUpstream, toDownstream }: ReturnType<typeof countersThrough>,
  meter: ReturnType<ConnectionMetrics['open']> | undefined,
): SpliceOptions {
  if (meter === undefined) return { aToB: toUpstream, bToA: toDownstream }
  return {
    aToB: (bytes) => {
      toUpstream(bytes)
      meter.received.add(bytes)
    },
    bToA: (bytes) => {
      toDownstream(bytes)
      meter.sent.add(bytes)
    },
    onClose: () => {
      meter.close()
    },
  }
}

const labelNames = [
  'reporter',
  'source_principal',
  'destination_principal',
  'destination_service',
  'connection_security_policy',
]

const policyNames: Readonly<Record<Security, string>> = { plain: 'none', tls: 'tls', mtls: 'mutual_tls' }

/** Seconds: from connections for one request to those that are kept for an hour. */
const durationBounds = [0.001, 0.01, 0.1, 1, 10, 60, 600, 3600]

export function createConnectionMetrics(registry: Registry) {
  const counter = (what: string, help: string) =>
    registry.counter(`meshbench_tcp_${what}_total`, help, labelNames)
  const opened = counter('connections_opened', 'Connections that were carried on.')
  const closed = counter('connections_closed', 'Connections that were carried on and are over.')
  const received = counter('received_bytes', 'Bytes of clients, by the ends of their connections.')
  const sent = counter('sent_bytes', 'Bytes for clients, by the ends of their connections.')
  const duration = registry.histogram(
    'meshbench_tcp_connection_duration_seconds',
    'From the connection being carried on to its end.',
    labelNames,
    durationBounds,
  )
  return {
    /** One connection begins: bytes are told as they pass, and its end once. */
    open({ reporter, source = 'unknown', destination = 'unknown', service, security }: ConnectionEnds) {
      const values = [reporter, source, destination, service, policyNames[security]]
      opened.labels(...values).add()
      const sinceMs = performance.now()
      return {
        received: received.labels(...values),
        sent: sent.labels(...values),
        close(): void {
          closed.labels(...values).add()
          duration.labels(...values).observe((performance.now() - sinceMs) / 1000)
        },
      }
    },
  }
}

export type ConnectionMetrics = ReturnType<typeof createConnectionMetrics>
