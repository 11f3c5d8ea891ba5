/**
 * What another vendor's hop is told so that it works under the same conditions as this repository's own: a proxy that
 * retries, buffers or pools more than its neighbour is not comparable with it.
 *
 * The values are the defaults of infra/images; a test holds the two together.
 */
import type { Fact } from '../../../harness/model.js'

export interface HopLimits {
  /** Threads that carry traffic. */
  readonly workers: number
  readonly retries: number
  /** Whole request; 0: no limit. */
  readonly requestTimeoutMs: number
  readonly connectTimeoutMs: number
  /** A client's connection without requests is closed after this. */
  readonly idleMs: number
  /** A kept connection to an upstream is closed after this. */
  readonly upstreamIdleMs: number
  /** An HBONE connection without streams is closed after this. */
  readonly tunnelIdleMs: number
  /** A client has this long to send a request's headers. */
  readonly headersTimeoutMs: number
  readonly headerCount: number
  readonly headerBytes: number
  /** HTTP/2 streams that one connection carries before the pool opens another. */
  readonly streamsPerConnection: number
  readonly streamWindowBytes: number
  readonly connectionWindowBytes: number
  /** Connections to one upstream. */
  readonly upstreamConnections: number
  readonly upstreamRequests: number
  /** Requests that wait for a connection. */
  readonly pendingRequests: number
}

export const hopLimits: HopLimits = {
  workers: 1,
  retries: 0,
  requestTimeoutMs: 0,
  connectTimeoutMs: 5_000,
  idleMs: 3_600_000,
  upstreamIdleMs: 600_000,
  tunnelIdleMs: 300_000,
  headersTimeoutMs: 10_000,
  headerCount: 100,
  headerBytes: 32_768,
  streamsPerConnection: 100,
  streamWindowBytes: 4 * 2 ** 20,
  connectionWindowBytes: 16 * 2 ** 20,
  upstreamConnections: 20_000,
  upstreamRequests: 20_000,
  pendingRequests: 20_000,
}

/** The limits as one row of the report's sizing table; `hbone`: this vendor's hops carry it. */
export function sizingFact(vendor: string, limits: HopLimits, hbone = false): Fact {
  const { workers, retries, connectTimeoutMs, upstreamIdleMs, streamsPerConnection, upstreamConnections } =
    limits
  return {
    name: `${vendor} sizing`,
    value: [
      `${workers} worker`,
      `${retries} retries`,
      `connect timeout ${connectTimeoutMs} ms`,
      `upstream connections kept ${upstreamIdleMs / 1000} s`,
      ...(hbone ? [`${streamsPerConnection} streams per HBONE connection`] : []),
      `at most ${upstreamConnections} upstream connections`,
    ].join(', '),
  }
}
