/** The other mix: tells apart what Envoy's tunnel costs from what its HTTP costs. */
import { envoyHop } from './hop.js'
import { createHopMesh } from '../hops/hop-mesh.js'
import { ownProxy } from '../hops/own-hops.js'

export const envoyProxy = createHopMesh({
  name: 'envoy+proxy',
  summary: "Envoy as tunnel with this repository's proxy as waypoint",
  paths: ['l4-l7-l4'],
  l4: envoyHop,
  l7: ownProxy,
})
