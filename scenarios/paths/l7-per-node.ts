/** One proxy that all workloads of a node share, as Linkerd 1.x and Cilium's Envoy. */
import type { Path } from '../../harness/model.js'

export const l7PerNode: Path = {
  name: 'l7-per-node',
  label: 'L7 per node',
  summary: "client → the node's one shared proxy → server",
  colour: { light: '#8f6400', dark: '#e69f00' },
  hops: [{ name: 'node-proxy', role: 'per-node', layer: 'l7', node: 'client' }],
  legs: ['plain', 'plain'],
}
