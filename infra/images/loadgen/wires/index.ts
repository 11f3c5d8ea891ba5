/** The protocols that the open-loop engine speaks, by name. */
import { Http1Wire } from './http1-wire.js'
import { grpcWire, h2Wire } from './http2-wire.js'
import type { Spec } from '../spec.js'
import { TcpWire } from './tcp-wire.js'
import type { WireFactory } from './wire.js'

export const wires = {
  http1: (spec, events) => new Http1Wire(spec, events),
  h2: h2Wire,
  grpc: grpcWire,
  tcp: (spec, events) => new TcpWire(spec, events),
} satisfies Record<Spec['protocol'], WireFactory>
