/** A hop of an Istio arm: which containers are charged for it, and where its counters are. */
import type { Arm, Component, Hop, Path } from '../../../harness/model.js'
import type { ArmObjects, ClusterAccess } from '../../../harness/model/cluster-access.js'
import { bindHopOf } from '../clusters/raise.js'
import type { PodAddress } from '../hops/queries.js'
import type { IstioHopKind } from './counters.js'
import { gatewayName, waypointName } from './manifests.js'
import { istioNamespace } from './values.js'

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

/** The one process of a node's ztunnel. */
export const ztunnelOn = (nodeName: string) => `istio-ambient/ztunnel on ${nodeName}`

export function bindHop(
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
  const process = isShared ? ztunnelOn(cluster.nodes[hop.node]) : undefined
  const component = bindHopOf(cluster, { arm, path }, hop, address, { process, container: 'istio-proxy' })
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
