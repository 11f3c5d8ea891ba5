/** L4 in the kernel with WireGuard between the nodes: bytes are encrypted, identities of workloads are not proven by it. */
import type { Path } from '../../harness/model.js'

export const l4KernelWireguard: Path = {
  name: 'l4-kernel-wireguard',
  label: 'L4 kernel, WireGuard',
  summary: 'client → kernel ⇒ WireGuard between nodes ⇒ kernel → server',
  colour: { light: '#6b3fa0', dark: '#b79be6' },
  hops: [],
  legs: ['plain'],
}
