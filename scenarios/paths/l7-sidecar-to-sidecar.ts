/** The classic mesh: a proxy beside each application, both of which parse every request. */
import type { Path } from '../../harness/model.js'

export const l7SidecarToSidecar: Path = {
  name: 'l7-sidecar-to-sidecar',
  label: 'L7-L7',
  summary: 'client → sidecar ⇒ sidecar → server, mutual TLS between the sidecars',
  colour: { light: '#c44e00', dark: '#ef7f3a' },
  hops: [
    { name: 'client-sidecar', role: 'sidecar-outbound', layer: 'l7', node: 'client' },
    { name: 'server-sidecar', role: 'sidecar-inbound', layer: 'l7', node: 'server' },
  ],
  legs: ['plain', 'mtls', 'plain'],
}
