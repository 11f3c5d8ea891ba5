/** What comes from outside into a mesh of sidecars: a gateway at its edge, and the server's own proxy behind it. */
import type { Path } from '../../harness/model.js'

export const ingressToSidecar: Path = {
  name: 'ingress-to-sidecar',
  label: 'Ingress to sidecar',
  summary: 'client outside of the mesh → gateway ⇒ sidecar → server, mutual TLS behind the gateway',
  colour: { light: '#9a3f2b', dark: '#e39a86' },
  hops: [
    { name: 'gateway', role: 'ingress', layer: 'l7', node: 'waypoint' },
    { name: 'server-sidecar', role: 'sidecar-inbound', layer: 'l7', node: 'server' },
  ],
  legs: ['plain', 'mtls', 'plain'],
}
