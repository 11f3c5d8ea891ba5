/** The sidecarless mesh: lean tunnels on the nodes, and one waypoint where L7 is wanted. */
import type { Path } from '../../harness/model.js'

export const l4L7L4: Path = {
  name: 'l4-l7-l4',
  label: 'L4-L7-L4',
  summary: 'client → tunnel ⇒ waypoint ⇒ tunnel → server, two HBONE legs',
  colour: { light: '#00795a', dark: '#1fbf92' },
  hops: [
    { name: 'client-tunnel', role: 'tunnel-outbound', layer: 'l4', node: 'client' },
    { name: 'waypoint', role: 'waypoint', layer: 'l7', node: 'waypoint' },
    { name: 'server-tunnel', role: 'tunnel-inbound', layer: 'l4', node: 'server' },
  ],
  legs: ['plain', 'hbone', 'hbone', 'plain'],
}
