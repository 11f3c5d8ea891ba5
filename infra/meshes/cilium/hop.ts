/** A hop of a Cilium arm that is in user space: which node's program is charged for it, and where its counters are. */
import type { Arm, Component, Hop, Path } from '../../../harness/model.js'
import { nodeOffPath, type ClusterAccess } from '../../../harness/model/cluster-access.js'
import type { PodAddress } from '../hops/queries.js'
import { ciliumNamespace } from './values.js'

export const envoyProcess = (mesh: string, nodeName: string) => `${mesh}/envoy on ${nodeName}`
export const ztunnelProcess = (mesh: string, nodeName: string) => `${mesh}/ztunnel on ${nodeName}`

/** A hop in user space. What the kernel does is no hop: it is in the host's total. */
export interface CiliumHop {
  readonly component: Component
  readonly kind: 'envoy' | 'gateway' | 'ztunnel-outbound' | 'ztunnel-inbound'
  readonly node: Hop['node']
  readonly address: PodAddress
}

export function bindHop(
  mesh: string,
  { arm, path }: { readonly arm: Arm; readonly path: Path },
  hop: Hop,
  cluster: ClusterAccess,
): CiliumHop {
  const kind = kindOf(hop)
  // With one Envoy it is the server's: an ingress rule is enforced where the server is.
  const node = kind === 'envoy' && arm.path === 'l7-per-node' ? 'server' : hop.node
  const nodeName = cluster.nodes[node]
  const isEnvoy = kind === 'envoy' || kind === 'gateway'
  const address: PodAddress = {
    namespace: ciliumNamespace,
    selector: isEnvoy ? 'k8s-app=cilium-envoy' : 'app=ztunnel-cilium',
    nodeName,
  }
  const component: Component = {
    name: `${arm.id}/${hop.name}`,
    arm: arm.id,
    hop: hop.name,
    category: hop.layer,
    node,
    process: isEnvoy ? envoyProcess(mesh, nodeName) : ztunnelProcess(mesh, nodeName),
  }
  const containers = { namespace: ciliumNamespace, podSelector: address.selector, nodeName }
  const isSpare = arm.copy?.which === 'spare'
  cluster.bind(
    component,
    containers,
    isSpare ? { ...containers, nodeName: nodeOffPath(cluster.nodes, path) } : undefined,
  )
  return { component, kind, node, address }
}

function kindOf({ role }: Hop): CiliumHop['kind'] {
  if (role === 'per-node') return 'envoy'
  if (role === 'ingress') return 'gateway'
  if (role === 'tunnel-outbound') return 'ztunnel-outbound'
  if (role === 'tunnel-inbound') return 'ztunnel-inbound'
  throw new Error(`Cilium has no hop of the role ${role}`)
}
