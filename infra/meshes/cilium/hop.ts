/** What is charged for Cilium on a cluster: hops in user space with their counters, and what is there whatever arms are measured. */
import type { Arm, Component, Hop, HopCounters, Path } from '../../../harness/model.js'
import type { ClusterAccess } from '../../../harness/model/cluster-access.js'
import { parsePrometheus, sumSamples } from '../../../harness/process/prometheus.js'
import { bindHopOf, bindOfMesh, controlPlane, nodesOf, perNode } from '../clusters/raise.js'
import type { PodAddress } from '../hops/queries.js'
import { ciliumNamespace, spireNamespace, type CiliumOptions } from './values.js'

const envoyProcess = (mesh: string, nodeName: string) => `${mesh}/envoy on ${nodeName}`
const ztunnelProcess = (mesh: string, nodeName: string) => `${mesh}/ztunnel on ${nodeName}`

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
  const process = isEnvoy ? envoyProcess(mesh, nodeName) : ztunnelProcess(mesh, nodeName)
  const component = bindHopOf(cluster, { arm, path }, { ...hop, node }, address, { process })
  return { component, kind, node, address }
}

function kindOf({ role }: Hop): CiliumHop['kind'] {
  if (role === 'per-node') return 'envoy'
  if (role === 'ingress') return 'gateway'
  if (role === 'tunnel-outbound') return 'ztunnel-outbound'
  if (role === 'tunnel-inbound') return 'ztunnel-inbound'
  throw new Error(`Cilium has no hop of the role ${role}`)
}

/** Listeners that policies make, and those that Gateways make for plain HTTP. */
const prefixes = { policy: 'proxy', gateway: 'listener-insecure' } as const

/**
 * Requests of a node's Envoy. Listeners of one origin share a stat prefix; Envoy's own metrics and health listeners
 * have others, and are left out. There is no label of a namespace: what arms share on a node cannot be told apart by
 * it, which `Component.process` says.
 */
export function readCiliumEnvoyCounters(text: string, origin: keyof typeof prefixes): HopCounters {
  const samples = parsePrometheus(text)
  return {
    requests: sumSamples(samples, 'envoy_http_downstream_rq_total', {
      envoy_http_conn_manager_prefix: prefixes[origin],
    }),
  }
}

/** Agents, operator and SPIRE are the control plane; Envoys are there on every node, used or not. */
export function bindShared(
  mesh: string,
  options: Pick<CiliumOptions, 'encryption' | 'mutualAuth'>,
  cluster: ClusterAccess,
): readonly Component[] {
  const bind = (
    component: Component,
    podSelector: string,
    more: { nodeName?: string; namespace?: string } = {},
  ) => bindOfMesh(cluster, component, { namespace: ciliumNamespace, podSelector, ...more })
  const onNodes = nodesOf(cluster).flatMap(({ nodeName, node }) => {
    const agent = { ...controlPlane(mesh, `agent on ${nodeName}`), node }
    const envoy = perNode(envoyProcess(mesh, nodeName), 'l7', node)
    const tunnel = perNode(ztunnelProcess(mesh, nodeName), 'l4', node)
    return [
      bind(agent, 'k8s-app=cilium', { nodeName }),
      bind(envoy, 'k8s-app=cilium-envoy', { nodeName }),
      ...(options.encryption === 'ztunnel' ? [bind(tunnel, 'app=ztunnel-cilium', { nodeName })] : []),
    ]
  })
  const spire = options.mutualAuth
    ? [
        bind(controlPlane(mesh, 'spire-server'), 'app=spire-server', { namespace: spireNamespace }),
        bind(controlPlane(mesh, 'spire-agent'), 'app=spire-agent', { namespace: spireNamespace }),
      ]
    : []
  return [...onNodes, bind(controlPlane(mesh, 'operator'), 'io.cilium/app=operator'), ...spire]
}
