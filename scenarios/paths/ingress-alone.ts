/** What comes from outside where nothing in user space stands before the server: the gateway is the only hop. */
import type { Path } from '../../harness/model.js'

export const ingressAlone: Path = {
  name: 'ingress-alone',
  label: 'Ingress alone',
  summary: 'client outside → gateway → server, nothing encrypted',
  colour: { light: '#4d6b57', dark: '#a3c4ad' },
  hops: [{ name: 'gateway', role: 'ingress', layer: 'l7', node: 'waypoint' }],
  legs: ['plain', 'plain'],
}
