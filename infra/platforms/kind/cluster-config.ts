/**
 * Renders the config of a cluster, purely.
 *
 * Format: kind.x-k8s.io/v1alpha4 (kind, pkg/apis/config/v1alpha4/types.go). It has no field for taints, so they are
 * kubeadm patches. Patches carry no `apiVersion`: one that differs from what kind generates is skipped in silence.
 */
import { stringify } from 'yaml'
import { defined } from '../../../harness/model/defined.js'
import type { ClusterNeeds, NodeRole } from '../../../harness/model.js'
import { roleLabel } from '../cluster/render/names.js'

export interface ClusterConfigOptions {
  readonly name: string
  readonly nodeImage: string
  readonly workers: number
  readonly cgroup: 'v1' | 'v2'
  readonly needs: ClusterNeeds
}

/** Which roles each worker plays; with three, one each. */
export function rolesOf(workers: number): readonly (readonly NodeRole[])[] {
  if (workers >= 3) return [['client'], ['server'], ['waypoint']]
  if (workers === 2) return [['client'], ['server', 'waypoint']]
  return [['client', 'server', 'waypoint']]
}

/** Kubernetes node name of each role, as kind names its nodes: `<cluster>-worker`, `-worker2`, … */
export function nodeNames(
  name: string,
  workers: number,
): Readonly<Record<NodeRole | 'control-plane', string>> {
  const names: Record<string, string> = { 'control-plane': `${name}-control-plane` }
  rolesOf(workers).forEach((roles, index) => {
    for (const role of roles) names[role] = `${name}-worker${index === 0 ? '' : index + 1}`
  })
  return names as Record<NodeRole | 'control-plane', string>
}

export function renderClusterConfig(options: ClusterConfigOptions): string {
  const { name, nodeImage, workers, cgroup, needs } = options
  const networking = {
    ...(needs.defaultCni ? {} : { disableDefaultCNI: true }),
    ...(needs.kubeProxy ? {} : { kubeProxyMode: 'none' }),
  }
  const worker = (roles: readonly NodeRole[]) => ({
    role: 'worker',
    image: nodeImage,
    // A label holds one value: a node of several roles is named after its first and found by name.
    labels: { [roleLabel]: roles[0] },
    ...(roles.length > 1
      ? {}
      : {
          kubeadmConfigPatches: [
            stringify({
              kind: 'JoinConfiguration',
              nodeRegistration: { taints: [{ key: roleLabel, value: roles[0], effect: 'NoSchedule' }] },
            }),
          ],
        }),
  })
  return stringify({
    kind: 'Cluster',
    apiVersion: 'kind.x-k8s.io/v1alpha4',
    name,
    ...(Object.keys(networking).length > 0 ? { networking } : {}),
    nodes: [{ role: 'control-plane', image: nodeImage }, ...rolesOf(workers).map(worker)],
    ...kubeletPatch({ nodeImage, cgroup }),
  })
}

/** Kubernetes' minor version as the image's tag says it; 0 where it says none. */
const minorOf = (nodeImage: string) => Number(/:v?1\.(\d+)\./.exec(nodeImage)?.[1] ?? 0)

/** Whether a cluster of this image is told to start what has ended again within a second. */
export const restartsQuickly = (nodeImage: string): boolean => minorOf(nodeImage) >= 32

/**
 * What every node's kubelet is told (kubelet.config.k8s.io/v1beta1, KubeletConfiguration).
 *
 * What an experiment ends again and again comes back after 1 s at most, and not after up to 5 min. Kubernetes has it since
 * 1.32, and needs a gate until 1.34 (KEP-5593); a version that an image does not name is left as it is.
 */
function kubeletPatch({ nodeImage, cgroup }: Pick<ClusterConfigOptions, 'nodeImage' | 'cgroup'>) {
  const isQuick = restartsQuickly(nodeImage)
  const settings = defined({
    // From Kubernetes 1.35 on it refuses cgroup v1 unless it is told otherwise; older ones ignore the field.
    failCgroupV1: cgroup === 'v1' ? false : undefined,
    featureGates: isQuick && minorOf(nodeImage) < 35 ? { KubeletCrashLoopBackOffMax: true } : undefined,
    crashLoopBackOff: isQuick ? { maxContainerRestartPeriod: '1s' } : undefined,
  })
  if (Object.keys(settings).length === 0) return {}
  return { kubeadmConfigPatches: [stringify({ kind: 'KubeletConfiguration', ...settings })] }
}
