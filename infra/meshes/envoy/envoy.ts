/** The paths on the proxy that Istio and Cilium use, without a cluster, and mixes of it with this repository's own hops. */
import { envoyHop } from './hop.js'
import { createHopMesh } from '../hops/hop-mesh.js'
import { ownProxy, ownTunnel } from '../hops/own-hops.js'

export const envoy = createHopMesh({
  name: 'envoy',
  summary: 'plain Envoy in every role: sidecar, tunnel, waypoint, per-node proxy',
  paths: ['l4-only', 'l7-sidecar-to-sidecar', 'l4-l7-l4', 'l7-per-node'],
  l4: envoyHop,
  l7: envoyHop,
})

/** What ambient mode is in the large: a lean tunnel on each node, and Envoy only where L7 is wanted. */
export const tunnelEnvoy = createHopMesh({
  name: 'tunnel+envoy',
  summary: "this repository's tunnel with an Envoy waypoint",
  paths: ['l4-l7-l4'],
  l4: ownTunnel,
  l7: envoyHop,
})

/** The other mix: tells apart what Envoy's tunnel costs from what its HTTP costs. */
export const envoyProxy = createHopMesh({
  name: 'envoy+proxy',
  summary: "Envoy as tunnel with this repository's proxy as waypoint",
  paths: ['l4-l7-l4'],
  l4: envoyHop,
  l7: ownProxy,
})
