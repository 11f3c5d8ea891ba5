/** L4 in the kernel with handshakes between agents, once for a pair of identities: the payload itself is not encrypted. */
import type { Path } from '../../harness/model.js'

export const l4KernelMutualAuth: Path = {
  name: 'l4-kernel-mutual-auth',
  label: 'L4 kernel, mutual authentication',
  summary: 'client → kernel → server, authenticated beside the payload, nothing encrypted',
  colour: { light: '#8a2f4f', dark: '#e08aa5' },
  hops: [],
  legs: ['plain'],
}
