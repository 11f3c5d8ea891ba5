/**
 * Addresses and commands of the network between namespaces: three nodes on one bridge, routed pods behind each, as a small
 * cluster has them. Pure, so that every command can be read in a test.
 */
import type { NodeRole } from '../../../harness/model.js'

export const nodeRoles = ['client', 'server', 'waypoint'] as const satisfies readonly NodeRole[]

const numberOf = (node: NodeRole) => nodeRoles.indexOf(node) + 1

/** Addresses of one such network; `block` tells several of them apart. */
export function addressesOf(block: number) {
  const prefix = `10.${block}`
  return {
    wire: `${prefix}.0.254`,
    node: (node: NodeRole) => `${prefix}.0.${numberOf(node)}`,
    podRange: (node: NodeRole) => `${prefix}.${10 + numberOf(node)}.0/24`,
    podGateway: (node: NodeRole) => `${prefix}.${10 + numberOf(node)}.1`,
    /** Of the `index`-th pod of a node, counted from 0. */
    pod: (node: NodeRole, index: number) => `${prefix}.${10 + numberOf(node)}.${index + 2}`,
    /** Of the service, which no interface has: somebody on the way has to know what it stands for. */
    service: `${prefix}.96.1`,
  }
}

export type Addresses = ReturnType<typeof addressesOf>

export const podsPerNode = 250

export interface Links {
  /** Packets may be larger than the wire's within the host, and are cut at its end: as it comes. */
  readonly segmentation: 'offloaded' | 'off'
}

/** A sender that may have one segment in a packet makes packets of the wire's size. */
const link = (name: string, { segmentation }: Links) =>
  `link set ${name} ${segmentation === 'off' ? 'gso_max_segs 1 ' : ''}up`

/** Lines of ip(8) for the namespace between the nodes, whose bridge is the wire. `pids`: processes of the nodes. */
export function switchLines(
  addresses: Addresses,
  pids: Readonly<Record<NodeRole, number>>,
  links: Links,
): readonly string[] {
  return [
    'link set lo up',
    'link add wire type bridge',
    `addr add ${addresses.wire}/24 dev wire`,
    'link set wire up',
    ...nodeRoles.flatMap((node) => [
      `link add ${node} mtu 1500 type veth peer name eth0 mtu 1500 netns ${pids[node]}`,
      `link set ${node} master wire`,
      link(node, links),
      // It opens no connection of the measured traffic: from here admin pages are read and proofs are made.
      `route add ${addresses.podRange(node)} via ${addresses.node(node)}`,
    ]),
  ]
}

/** Lines of ip(8) for a node: its own address, and the way to the pods of the others. */
export function nodeLines(addresses: Addresses, node: NodeRole, links: Links): readonly string[] {
  return [
    'link set lo up',
    `addr add ${addresses.node(node)}/24 dev eth0`,
    link('eth0', links),
    ...nodeRoles
      .filter((other) => other !== node)
      .map((other) => `route add ${addresses.podRange(other)} via ${addresses.node(other)}`),
  ]
}

/** Lines of ip(8) for a node that gets a pod, and for the pod. */
export function podLines(
  addresses: Addresses,
  node: NodeRole,
  index: number,
  pid: number,
  links: Links,
): { readonly onNode: readonly string[]; readonly inPod: readonly string[] } {
  const [address, gateway] = [addresses.pod(node, index), addresses.podGateway(node)]
  const name = podLink(index)
  return {
    onNode: [
      `link add ${name} mtu 1500 type veth peer name eth0 mtu 1500 netns ${pid}`,
      `addr add ${gateway}/32 dev ${name}`,
      link(name, links),
      `route add ${address}/32 dev ${name}`,
    ],
    inPod: [
      'link set lo up',
      `addr add ${address}/32 dev eth0`,
      link('eth0', links),
      `route add ${gateway} dev eth0 scope link`,
      `route add default via ${gateway}`,
    ],
  }
}

/** A node's end of the link to its `index`-th pod. */
export const podLink = (index: number) => `pod${index}`

export interface WireSettings {
  readonly delayMs?: number | undefined
  readonly lossPercent?: number | undefined
  readonly rateMbit?: number | undefined
}

/** Arguments of tc(8) for what leaves a node; undefined when the wire is as it comes. `tbf` does without netem. */
export function wireQueue({ delayMs, lossPercent, rateMbit }: WireSettings): readonly string[] | undefined {
  const add = ['qdisc', 'add', 'dev', 'eth0', 'root']
  if (delayMs !== undefined || lossPercent !== undefined)
    return [
      ...add,
      'netem',
      ...(delayMs === undefined ? [] : ['delay', `${delayMs}ms`]),
      ...(lossPercent === undefined ? [] : ['loss', `${lossPercent}%`]),
      ...(rateMbit === undefined ? [] : ['rate', `${rateMbit}mbit`]),
    ]
  if (rateMbit === undefined) return undefined
  return [...add, 'tbf', 'rate', `${rateMbit}mbit`, 'burst', '64kb', 'latency', '50ms']
}
