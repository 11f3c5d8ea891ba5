/** What ambient mode is in the large: a lean tunnel on each node, and Envoy only where L7 is wanted. */
import { envoyHop } from './hop.js'
import { createHopMesh } from '../hops/hop-mesh.js'
import { ownTunnel } from '../hops/own-hops.js'

export const tunnelEnvoy = createHopMesh({
  name: 'tunnel+envoy',
  summary: "this repository's tunnel with an Envoy waypoint",
  paths: ['l4-l7-l4'],
  l4: ownTunnel,
  l7: envoyHop,
})
