/** Services and L4 policy by the kernel's own means: no proxy on the way, so what it costs is kernel time. */
import type { Path } from '../../harness/model.js'

export const l4Kernel: Path = {
  name: 'l4-kernel',
  label: 'L4 kernel',
  summary: 'client → kernel (services and policy) → server, nothing encrypted',
  colour: { light: '#a0437f', dark: '#d98fbf' },
  hops: [],
  legs: ['plain'],
}
