/** What comes from outside: a gateway takes requests from clients that are no part of the mesh and carries them into it. */
import type { Path } from '../../harness/model.js'

export const ingress: Path = {
  name: 'ingress',
  label: 'Ingress',
  summary: 'client outside of the mesh → gateway ⇒ tunnel → server, HBONE behind the gateway',
  colour: { light: '#7d5a00', dark: '#d9b04c' },
  hops: [
    { name: 'gateway', role: 'ingress', layer: 'l7', node: 'waypoint' },
    { name: 'server-tunnel', role: 'tunnel-inbound', layer: 'l4', node: 'server' },
  ],
  legs: ['plain', 'hbone', 'plain'],
}
