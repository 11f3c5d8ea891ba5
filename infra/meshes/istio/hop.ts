/** A hop of an Istio arm: which containers are charged for it, and where its counters are. */
import type { Arm, Component, Hop, Path } from '../../../harness/model.js'
import { nodeOffPath, type ArmObjects, type ClusterAccess } from '../../../harness/model/cluster-access.js'
import type { PodAddress } from '../hops/queries.js'
import type { IstioHopKind } from './counters.js'
import { gatewayName, waypointName } from './manifests.js'
import { istioNamespace, type IstioMode } from './values.js'
import { defined } from '../../../harness/model/defined.js'

/** A hop of an arm: what is charged for it, and where its counters are. */
export interface BoundHop {
  readonly component: Component
  readonly kind: IstioHopKind
  readonly layer: 'l4' | 'l7'
  readonly address: PodAddress
}

const kinds: Readonly<Partial<Record<Hop['role'], IstioHopKind>>> = {
  'sidecar-outbound': 'sidecar-outbound',
  'sidecar-inbound': 'sidecar-inbound',
  waypoint: 'waypoint',
  ingress: 'gateway',
  'tunnel-outbound': 'ztunnel-outbound',
  'tunnel-inbound': 'ztunnel-inbound',
}

export function bindHop(
  mode: IstioMode,
  { arm, path }: { readonly arm: Arm; readonly path: Path },
  hop: Hop,
  objects: ArmObjects,
  cluster: ClusterAccess,
): BoundHop {
  const kind = kinds[hop.role]
  if (!kind) throw new Error(`Istio has no hop of the role ${hop.role}`)
  const address = addressOf(kind, hop, objects, cluster)
  // One ztunnel carries all arms of its node.
  const isShared = kind.startsWith('ztunnel')
  const component: Component = {
    name: `${arm.id}/${hop.name}`,
    arm: arm.id,
    hop: hop.name,
    category: hop.layer,
    node: hop.node,
    ...(isShared ? { process: `istio-${mode}/ztunnel on ${cluster.nodes[hop.node]}` } : {}),
  }
  const containers = {
    namespace: address.namespace,
    podSelector: address.selector,
    container: 'istio-proxy',
    ...defined({ nodeName: address.nodeName }),
  }
  const isSpare = isShared && arm.copy?.which === 'spare'
  cluster.bind(
    component,
    containers,
    isSpare ? { ...containers, nodeName: nodeOffPath(cluster.nodes, path) } : undefined,
  )
  return { component, kind, layer: hop.layer, address }
}

function addressOf(kind: IstioHopKind, hop: Hop, objects: ArmObjects, cluster: ClusterAccess): PodAddress {
  const { namespace, clientSelector, serverSelector } = objects
  switch (kind) {
    case 'sidecar-outbound':
      return { namespace, selector: clientSelector }
    case 'sidecar-inbound':
      return { namespace, selector: serverSelector }
    case 'waypoint':
      return { namespace, selector: `gateway.networking.k8s.io/gateway-name=${waypointName}` }
    case 'gateway':
      return { namespace, selector: `gateway.networking.k8s.io/gateway-name=${gatewayName}` }
    case 'ztunnel-outbound':
    case 'ztunnel-inbound':
      return { namespace: istioNamespace, selector: 'app=ztunnel', nodeName: cluster.nodes[hop.node] }
  }
}
