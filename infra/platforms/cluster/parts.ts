/** What the pods of a host of a cluster share: how they are made, where they go, and who knows of them. */
import { defined } from '../../../harness/model/defined.js'
import type { Arm, Endpoint } from '../../../harness/model.js'
import type { ArmShape } from '../../../harness/model/cluster-access.js'
import type { Reach } from './api/reach.js'
import type { ArmState } from './arms.js'
import type { KubeHostOptions } from './host-options.js'
import type { Namespaces } from './namespaces.js'
import type { WorkloadTemplate } from './render/manifests.js'
import type { PodsWanted, Rollout } from './rollout.js'
import type { Components } from './usage/components.js'

export interface HostParts {
  readonly options: KubeHostOptions
  readonly stateOf: (arm: Arm) => ArmState
  readonly components: Components
  readonly rollout: Rollout
  readonly namespaces: Namespaces
  readonly reach: Reach
}

/** Starts every namespace. On a cluster that was there, those of one run are told from others' by it. */
export const namespacePrefix = ({ own, scope }: Pick<KubeHostOptions, 'own' | 'scope'>) =>
  own ? 'mb' : `mb-${scope.runId}`

type OwnParts = 'kind' | 'name' | 'node' | 'containers' | 'volumes' | 'serviceAccount'

/** A workload of this run on the node of its role. */
export function workloadOf(
  options: KubeHostOptions,
  { namespace }: { readonly namespace: string },
  own: Pick<WorkloadTemplate, OwnParts> & Partial<WorkloadTemplate>,
): WorkloadTemplate {
  return {
    namespace,
    runId: options.scope.runId,
    component: own.name,
    imagePullPolicy: options.own ? 'Never' : 'IfNotPresent',
    // By name: nodes of a cluster that was there carry no label of ours, and one of several roles that of the first alone.
    nodeSelector: { 'kubernetes.io/hostname': options.nodes[own.node] },
    ...own,
  }
}

export function podShape(
  { shape }: { readonly shape?: ArmShape },
  pod: 'clientPod' | 'serverPod',
): Partial<WorkloadTemplate> {
  return defined({ marks: shape?.[pod], hostNetwork: shape?.hostNetwork })
}

/** The pods of an application or a client, as they are waited for. */
export function podsOf(state: ArmState, role: 'client' | 'server', app: string = role): PodsWanted {
  return {
    namespace: state.namespace,
    selector: `app=${app}`,
    role,
    ...defined({ expectContainers: state.shape?.expectContainers }),
  }
}

/** Where a sidecar finds what shares its pod. */
export function onLoopback(ports: Readonly<Record<string, number>>): Record<string, Endpoint> {
  return Object.fromEntries(Object.entries(ports).map(([name, port]) => [name, { host: '127.0.0.1', port }]))
}
