/**
 * What runs a cluster beside what is measured on it, program by program. On a small host it takes a large share of the
 * CPUs; it has rows of its own in the bill, so that only strangers count as foreign.
 */
import type { Component } from '../../../../harness/model.js'
import type { ContainerSelector } from '../../../../harness/model/cluster-access.js'

/** Programs that run on every node outside of pods. */
export type NodeProgram = 'kubelet' | 'containerd'

/**
 * Command names as the kernel keeps them, which is 15 characters. By name and not by cgroup: without CPU accounting of
 * systemd's, as is usual on version 1, a node's own programs share its root with whatever else was started there.
 */
export const commandNames: Readonly<Record<NodeProgram, readonly string[]>> = {
  kubelet: ['kubelet'],
  // A shim holds each pod.
  containerd: ['containerd', 'containerd-shim'],
}

/** Parts of Kubernetes that are pods; which of them there are depends on the cluster. */
const pods: Readonly<Record<string, ContainerSelector>> = {
  'kube-apiserver': { namespace: 'kube-system', podSelector: 'component=kube-apiserver' },
  etcd: { namespace: 'kube-system', podSelector: 'component=etcd' },
  'kube-controller-manager': { namespace: 'kube-system', podSelector: 'component=kube-controller-manager' },
  'kube-scheduler': { namespace: 'kube-system', podSelector: 'component=kube-scheduler' },
  CoreDNS: { namespace: 'kube-system', podSelector: 'k8s-app=kube-dns' },
  'kube-proxy': { namespace: 'kube-system', podSelector: 'k8s-app=kube-proxy' },
  kindnet: { namespace: 'kube-system', podSelector: 'app=kindnet' },
  'local-path-provisioner': {
    namespace: 'local-path-storage',
    podSelector: 'app=local-path-provisioner',
  },
}

export type ClusterProgram = { readonly component: Component } & (
  { readonly program: NodeProgram } | { readonly pods: ContainerSelector }
)

export const clusterPrograms: readonly ClusterProgram[] = [
  ...(Object.keys(commandNames) as NodeProgram[]).map((program) => ({ ...rowOf(program), program })),
  ...Object.entries(pods).map(([name, selector]) => ({ ...rowOf(name), pods: selector })),
]

function rowOf(name: string): { component: Component } {
  return { component: { name: `kubernetes/${name}`, category: 'platform', node: 'control-plane' } }
}
