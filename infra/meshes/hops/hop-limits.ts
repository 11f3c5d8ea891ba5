/**
 * What another vendor's hop is told so that it works under the same conditions as this repository's own: a proxy that
 * retries, buffers or pools more than its neighbour is not comparable with it.
 *
 * The values are the defaults of infra/images; a test holds the two together.
 */
import type { Fact } from '../../../harness/model.js'

export const hopLimits = {
  /** Threads that carry traffic. */
  workers: 1,
  retries: 0,
  /** Whole request; 0: no limit. */
  requestTimeoutMs: 0,
  connectTimeoutMs: 5_000,
  /** A client's connection without requests is closed after this. */
  idleMs: 3_600_000,
  /** A kept connection to an upstream is closed after this. */
  upstreamIdleMs: 600_000,
  /** An HBONE connection without streams is closed after this. */
  tunnelIdleMs: 300_000,
  /** A client has this long to send a request's headers. */
  headersTimeoutMs: 10_000,
  headerCount: 100,
  headerBytes: 32_768,
  /** HTTP/2 streams that one connection carries before the pool opens another. */
  streamsPerConnection: 100,
  streamWindowBytes: 4 * 2 ** 20,
  connectionWindowBytes: 16 * 2 ** 20,
  /** Connections to one upstream. */
  upstreamConnections: 20_000,
  upstreamRequests: 20_000,
  /** Requests that wait for a connection. */
  pendingRequests: 20_000,
}

/** The limits as one row of the report's sizing table; `hbone`: this vendor's hops carry it. */
export function sizingFact(vendor: string, hbone = false): Fact {
  const { workers, retries, connectTimeoutMs, upstreamIdleMs, streamsPerConnection, upstreamConnections } =
    hopLimits
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
