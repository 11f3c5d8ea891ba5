/** The paths on the proxy that Istio and Cilium use, without a cluster: plain Envoy in every role. */
import { envoyHop } from './hop.js'
import { createHopMesh } from '../hops/hop-mesh.js'

export const envoy = createHopMesh({
  name: 'envoy',
  summary: 'plain Envoy in every role: sidecar, tunnel, waypoint, per-node proxy',
  paths: ['l4-only', 'l7-sidecar-to-sidecar', 'l4-l7-l4', 'l7-per-node'],
  l4: envoyHop,
  l7: envoyHop,
})
