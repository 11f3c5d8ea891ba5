/**
 * This repository's own proxy and tunnel: the same data plane on every platform, so that topologies can be compared
 * with one implementation. It is never labelled as any other mesh.
 */
import { createHopMesh } from '../hops/hop-mesh.js'
import { ownProxy, ownTunnel } from '../hops/own-hops.js'

export const reference = createHopMesh({
  name: 'reference',
  summary: "this repository's own L7 proxy and L4 tunnel",
  paths: ['l4-only', 'l7-sidecar-to-sidecar', 'l4-l7-l4', 'l7-per-node', 'ingress'],
  manyClients: 'always',
  l4: ownTunnel,
  l7: ownProxy,
  notes: [{ name: 'reference mTLS', value: 'TLS 1.3, ECDSA P-256 SPIFFE identities, one authority per run' }],
})
