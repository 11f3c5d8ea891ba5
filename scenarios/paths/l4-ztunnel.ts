/** A ztunnel on each node over an eBPF network: L4 with mutual TLS for each connection, where the CNI is the mesh. */
import type { Path } from '../../harness/model.js'

export const l4Ztunnel: Path = {
  name: 'l4-ztunnel',
  label: 'L4 ztunnel on eBPF',
  summary: 'client → ztunnel ⇒ ztunnel → server, HBONE between them, over an eBPF network',
  colour: { light: '#00728f', dark: '#4cc3dd' },
  hops: [
    { name: 'client-tunnel', role: 'tunnel-outbound', layer: 'l4', node: 'client' },
    { name: 'server-tunnel', role: 'tunnel-inbound', layer: 'l4', node: 'server' },
  ],
  legs: ['plain', 'hbone', 'plain'],
}
