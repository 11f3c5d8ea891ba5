/** Builds the nodes and their pods, and says in which of them each process of an arm belongs. */
import type { ByteStream, Component, Endpoint, Hop, NodeRole, Path, Scope } from '../../../harness/model.js'
import type { ArmNetwork, Pod } from '../../meshes/kernel/arm-network.js'
import {
  addressesOf,
  nodeLines,
  nodeRoles,
  podLines,
  podLink,
  podsPerNode,
  switchLines,
  wireQueue,
} from './layout.js'
import type { Namespace, Namespaces } from './namespaces.js'
import type { NetnsSettings } from './settings.js'
import { createReach } from './reach.js'

export interface NodeNetwork extends ArmNetwork {
  readonly nodes: Readonly<Record<NodeRole, Namespace>>
  pod(node: NodeRole, name: string): Promise<Pod & { readonly namespace: Namespace }>
  readonly connect: (endpoint: Endpoint) => ByteStream
}

export interface NetworkOptions {
  readonly namespaces: Namespaces
  readonly settings: NetnsSettings
  readonly scope: Scope
  /** Second byte of all its addresses. */
  readonly block: number
}

export async function createNetwork(options: NetworkOptions): Promise<NodeNetwork> {
  const { namespaces, settings, scope, block } = options
  const addresses = addressesOf(block)
  const wire = await namespaces.create(`wire ${block}`)
  const made = await Promise.all(nodeRoles.map((node) => namespaces.create(`node ${node} ${block}`)))
  const [client, server, waypoint] = made as [Namespace, Namespace, Namespace]
  const nodes = { client, server, waypoint }
  const pids = { client: client.pid, server: server.pid, waypoint: waypoint.pid }
  await wire.ip(switchLines(addresses, pids, settings))
  const queue = wireQueue(settings)
  for (const node of nodeRoles) {
    await nodes[node].ip(nodeLines(addresses, node, settings))
    await nodes[node].run(['sh', '-c', 'echo 1 > /proc/sys/net/ipv4/ip_forward'])
    if (queue) await nodes[node].run(['tc', ...queue])
  }
  const pods = new Map<string, ReturnType<NodeNetwork['pod']>>()
  const counts = { client: 0, server: 0, waypoint: 0 }
  const createPod = async (node: NodeRole, name: string) => {
    const index = counts[node]++
    if (index >= podsPerNode) throw new Error(`node ${node} has addresses for ${podsPerNode} pods`)
    const namespace = await namespaces.create(`pod ${name} ${block}`)
    const { onNode, inPod } = podLines(addresses, node, index, namespace.pid, settings)
    await nodes[node].ip(onNode)
    await namespace.ip(inPod)
    return { node, namespace, link: podLink(index), address: addresses.pod(node, index) }
  }
  return {
    nodes,
    serviceAddress: addresses.service,
    nodeAddress: addresses.node,
    podRange: addresses.podRange,
    pod(node, name) {
      const key = `${node}/${name}`
      const found = pods.get(key) ?? createPod(node, name)
      pods.set(key, found)
      return found
    },
    connect: await createReach(wire, `reach-${block}.sock`, scope),
  }
}

const onNode: ReadonlySet<Hop['role']> = new Set(['tunnel-outbound', 'tunnel-inbound', 'per-node'])

/** Where a component's process runs: sidecars beside their application, what serves a node on the node, others apart. */
export async function placeComponent(
  network: NodeNetwork,
  component: Component,
  path: Path | undefined,
): Promise<{ readonly namespace: Namespace; readonly address: string }> {
  const role = path?.hops.find(({ name }) => name === component.hop)?.role
  const node = component.node === 'control-plane' ? 'client' : component.node
  // What serves an arm's L4 without being a hop of its path is the node's, as WireGuard is.
  if (role === undefined ? component.category === 'l4' : onNode.has(role))
    return { namespace: network.nodes[node], address: network.nodeAddress(node) }
  const alone = role === 'waypoint' || role === 'ingress' || component.category === 'called-service'
  return network.pod(node, alone ? component.name : node)
}
