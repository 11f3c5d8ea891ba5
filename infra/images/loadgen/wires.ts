/** The protocols that the open-loop engine speaks, by name. */
import { http1Wire } from './http1-wire.js'
import { grpcWire, h2Wire } from './http2-wire.js'
import type { Spec } from './spec.js'
import { tcpWire } from './tcp-wire.js'
import type { WireFactory } from './wire.js'

export const wires = {
  http1: http1Wire,
  h2: h2Wire,
  grpc: grpcWire,
  tcp: tcpWire,
} satisfies Record<Spec['protocol'], WireFactory>
