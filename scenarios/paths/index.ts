/** Registry of paths: a new path is one file and one line here. */
import type { Path } from '../../harness/model.js'
import { baseline } from './baseline.js'
import { ingressAlone } from './ingress-alone.js'
import { ingressToSidecar } from './ingress-to-sidecar.js'
import { ingress } from './ingress.js'
import { l4KernelMutualAuth } from './l4-kernel-mutual-auth.js'
import { l4KernelWireguard } from './l4-kernel-wireguard.js'
import { l4Kernel } from './l4-kernel.js'
import { l4L7L4 } from './l4-l7-l4.js'
import { l4Only } from './l4-only.js'
import { l4SidecarToSidecar } from './l4-sidecar-to-sidecar.js'
import { l4Ztunnel } from './l4-ztunnel.js'
import { l7PerNodeBoth } from './l7-per-node-both.js'
import { l7PerNode } from './l7-per-node.js'
import { l7SidecarToSidecar } from './l7-sidecar-to-sidecar.js'

export const paths = {
  baseline,
  'l4-only': l4Only,
  'l7-sidecar-to-sidecar': l7SidecarToSidecar,
  'l4-l7-l4': l4L7L4,
  'l7-per-node': l7PerNode,
  'l7-per-node-both': l7PerNodeBoth,
  ingress,
  'ingress-to-sidecar': ingressToSidecar,
  'ingress-alone': ingressAlone,
  'l4-sidecar-to-sidecar': l4SidecarToSidecar,
  'l4-kernel': l4Kernel,
  'l4-kernel-wireguard': l4KernelWireguard,
  'l4-kernel-mutual-auth': l4KernelMutualAuth,
  'l4-ztunnel': l4Ztunnel,
} satisfies Record<string, Path>

export type PathName = keyof typeof paths
