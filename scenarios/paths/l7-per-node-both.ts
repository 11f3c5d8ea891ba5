/** A shared proxy on both nodes: the nearest that per-node proxies come to a pair of sidecars. */
import type { Path } from '../../harness/model.js'

export const l7PerNodeBoth: Path = {
  name: 'l7-per-node-both',
  label: 'L7 per node, both ends',
  summary: "client → its node's shared proxy → the server's node's shared proxy → server",
  colour: { light: '#5f6b00', dark: '#c3cf3a' },
  hops: [
    { name: 'client-node-proxy', role: 'per-node', layer: 'l7', node: 'client' },
    { name: 'server-node-proxy', role: 'per-node', layer: 'l7', node: 'server' },
  ],
  legs: ['plain', 'plain', 'plain'],
}
