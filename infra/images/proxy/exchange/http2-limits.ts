/** What the peers of an HTTP/2 connection may ask of the proxy. */
import type { ConnectionLimits } from '../../kit/h2/settings.js'
import type { ProxyLimits } from '../shapes.js'

/** What a peer may hold of our memory by one stream whose other side is slow. */
const streamWindowBytes = 1_048_576

export function http2Limits(limits: ProxyLimits): ConnectionLimits {
  return {
    streamsPerConnection: limits.streamsPerConnection,
    headerBytes: limits.headBytes,
    headerCount: limits.headerCount,
    // As many as the limit needs, each full, and some that are short.
    continuationFrames: 8 + Math.ceil(limits.headBytes / 16_384),
    resetsPerSecond: limits.resetsPerSecond,
    controlFramesPerSecond: 5000,
    streamWindowBytes,
  }
}
