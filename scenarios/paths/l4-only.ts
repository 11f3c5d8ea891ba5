/** What traffic pays that needs only mutual TLS, identity and connection metrics. */
import type { Path } from '../../harness/model.js'

export const l4Only: Path = {
  name: 'l4-only',
  label: 'L4 only',
  summary: 'client → tunnel ⇒ tunnel → server, HBONE between the tunnels',
  colour: { light: '#0b7fc0', dark: '#56b4e9' },
  hops: [
    { name: 'client-tunnel', role: 'tunnel-outbound', layer: 'l4', node: 'client' },
    { name: 'server-tunnel', role: 'tunnel-inbound', layer: 'l4', node: 'server' },
  ],
  legs: ['plain', 'hbone', 'plain'],
}
