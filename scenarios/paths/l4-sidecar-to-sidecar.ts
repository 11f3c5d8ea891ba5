/** Sidecars that only carry bytes: what a sidecar mesh costs a service whose port is declared as TCP. */
import type { Path } from '../../harness/model.js'

export const l4SidecarToSidecar: Path = {
  name: 'l4-sidecar-to-sidecar',
  label: 'L4-L4 sidecars',
  summary: 'client → sidecar ⇒ sidecar → server, as TCP proxies, mutual TLS between them',
  colour: { light: '#3b4ba3', dark: '#9aa6ee' },
  hops: [
    { name: 'client-sidecar', role: 'sidecar-outbound', layer: 'l4', node: 'client' },
    { name: 'server-sidecar', role: 'sidecar-inbound', layer: 'l4', node: 'server' },
  ],
  legs: ['plain', 'mtls', 'plain'],
}
