/** Chooses the nodes of an existing cluster that client, server and waypoint are pinned to. */
import type { NodeRole } from '../../../harness/model.js'
import { roleLabel } from '../cluster/render/names.js'

/** The part of a node that is used (Kubernetes API, core/v1 Node). */
export interface NodeInfo {
  readonly metadata: { readonly name: string; readonly labels?: Readonly<Record<string, string>> }
  readonly spec: {
    readonly unschedulable?: boolean
    readonly taints?: readonly { readonly key: string; readonly value?: string; readonly effect: string }[]
  }
  readonly status: { readonly conditions?: readonly { readonly type: string; readonly status: string }[] }
}

const roles = ['client', 'server', 'waypoint'] as const

/**
 * A node for each role: the first that fits its selector, else the next ready one by name. With fewer than three nodes
 * the last ones are shared. What controls a mesh goes to a node that plays no role, or else to the waypoint's. Throws when a
 * role has none, or one that no pod can be pinned to.
 */
export function assignNodes(
  nodes: readonly NodeInfo[],
  selectors: Readonly<Partial<Record<NodeRole, Readonly<Record<string, string>> | undefined>>>,
): Readonly<Record<NodeRole | 'control-plane', string>> {
  const usable = nodes.filter(isUsable).sort((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1))
  if (usable.length === 0) throw new Error('no node is ready and takes pods without a toleration')
  const assigned: Partial<Record<NodeRole, string>> = {}
  for (const role of roles) {
    const selector = selectors[role]
    if (!selector) continue
    const chosen = usable.find(
      (node) =>
        admits(node, role) &&
        Object.entries(selector).every(([key, value]) => node.metadata.labels?.[key] === value),
    )
    if (!chosen) throw new Error(`no ready node for the ${role}: ${JSON.stringify(selector)}`)
    assigned[role] = chosen.metadata.name
  }
  for (const role of roles) {
    if (assigned[role] !== undefined) continue
    const taken = Object.values(assigned)
    const admitting = usable.filter((node) => admits(node, role))
    const free = admitting.find(({ metadata }) => !taken.includes(metadata.name)) ?? admitting.at(-1)
    if (!free) throw new Error(`no ready node takes pods of the ${role}`)
    assigned[role] = free.metadata.name
  }
  const named = assigned as Record<NodeRole, string>
  const taken = Object.values(named)
  const free = usable.find(({ metadata, spec }) => !taken.includes(metadata.name) && !spec.taints?.length)
  const all = { ...named, 'control-plane': free?.metadata.name ?? named.waypoint }
  const chosen = new Set(Object.values(all))
  usable.filter(({ metadata }) => chosen.has(metadata.name)).forEach(refuseOtherHostname)
  return all
}

const hostnameLabel = 'kubernetes.io/hostname'

/** Pods are pinned by this label, which is a node's name nearly everywhere; where it is not, none would ever have a place. */
function refuseOtherHostname({ metadata: { name, labels } }: NodeInfo): void {
  const hostname = labels?.[hostnameLabel] ?? name
  if (hostname !== name)
    throw new Error(
      `the node ${name} has the label ${hostnameLabel}=${hostname}, which is not its name, and pods are pinned by it`,
    )
}

function isUsable({ spec, status }: NodeInfo): boolean {
  const ready = (status.conditions ?? []).some(
    (condition) => condition.type === 'Ready' && condition.status === 'True',
  )
  const repels = (spec.taints ?? []).some(
    ({ key, effect }) => key !== roleLabel && effect !== 'PreferNoSchedule',
  )
  return ready && !repels && spec.unschedulable !== true
}

/** Nodes may be kept for one role by the taint that our pods of that role tolerate. */
function admits({ spec }: NodeInfo, role: NodeRole): boolean {
  return (spec.taints ?? []).every(({ key, value }) => key !== roleLabel || value === role)
}
