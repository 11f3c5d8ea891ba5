/** What is charged for Cilium itself on a cluster, whatever arms are measured there. */
import type { Component } from '../../../harness/model.js'
import type { ClusterAccess } from '../../../harness/model/cluster-access.js'
import { envoyProcess, ztunnelProcess } from './hop.js'
import { ciliumNamespace, spireNamespace, type CiliumOptions } from './values.js'

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
  ) => {
    cluster.bind(component, { namespace: ciliumNamespace, podSelector, ...more })
    return component
  }
  const controlPlane = (name: string): Component => ({
    name: `${mesh}/${name}`,
    category: 'control-plane',
    node: 'control-plane',
  })
  const perNode = [...new Set(Object.values(cluster.nodes))].flatMap((nodeName) => {
    const node = roleOf(cluster, nodeName)
    const agent = { ...controlPlane(`agent on ${nodeName}`), node }
    const process = envoyProcess(mesh, nodeName)
    const envoy: Component = { name: process, category: 'l7', node, process }
    const tunnelProcess = ztunnelProcess(mesh, nodeName)
    const tunnel: Component = { name: tunnelProcess, category: 'l4', node, process: tunnelProcess }
    return [
      bind(agent, 'k8s-app=cilium', { nodeName }),
      bind(envoy, 'k8s-app=cilium-envoy', { nodeName }),
      ...(options.encryption === 'ztunnel' ? [bind(tunnel, 'app=ztunnel-cilium', { nodeName })] : []),
    ]
  })
  const spire = options.mutualAuth
    ? [
        bind(controlPlane('spire-server'), 'app=spire-server', { namespace: spireNamespace }),
        bind(controlPlane('spire-agent'), 'app=spire-agent', { namespace: spireNamespace }),
      ]
    : []
  return [...perNode, bind(controlPlane('operator'), 'io.cilium/app=operator'), ...spire]
}

function roleOf(cluster: ClusterAccess, nodeName: string): Component['node'] {
  const roles = ['client', 'server', 'waypoint'] as const
  return roles.find((role) => cluster.nodes[role] === nodeName) ?? 'control-plane'
}
