/** What raising an arm on a cluster is to every mesh there: what is laid first, who is charged for what, and where requests go. */
import type { Arm, Component, Hop, HopCounters, Host, Path, RaisedArm } from '../../../harness/model.js'
import { nodeOffPath, type ArmShape, type ClusterAccess } from '../../../harness/model/cluster-access.js'
import { defined } from '../../../harness/model/defined.js'
import { serviceEndpoint, type PodAddress, type ServiceEndpoint } from '../hops/queries.js'
import { applyManifests } from '../hops/steps.js'
import type { Manifest } from '../hops/yaml.js'
import { readReferenceCounters } from '../reference/counters.js'
import { waitForGateway } from './gateway-api.js'
import { explainFailure, unlessHopeless } from './install-errors.js'
import { applyPullSecrets } from './values.js'

export interface ArmToRaise {
  readonly arm: Arm
  readonly path: Path
  readonly host: Host
  readonly cluster: ClusterAccess
  /** Aborted when the run is interrupted: then nobody waits for an explanation. */
  readonly signal: AbortSignal
}

interface ArmParts<Bound> {
  /** How its namespace, pods and service look. */
  readonly shape: ArmShape
  /** What its namespace holds before its pods start. */
  readonly manifests: readonly Manifest[]
  /** Files of Secrets that injected proxies are pulled with. */
  readonly pullSecrets?: readonly string[]
  /** What has to answer before the application starts; absent: nothing. */
  readonly before?: () => Promise<void>
  /** What programs its gateways, and must therefore run. */
  readonly controller: string
  /** The Deployment that is made for a gateway; absent: none is. */
  readonly deploymentOf?: (gateway: Manifest) => string
  /** Where requests enter, when it is not the server's own address. */
  readonly enter?: (() => Promise<ServiceEndpoint>) | undefined
  /** Charges a hop for its containers. */
  readonly bind: (hop: Hop) => Bound
  readonly read: (bound: Bound) => Promise<HopCounters>
}

/** An arm that is up, for its proofs. */
interface BroughtUp<Bound> {
  readonly raised: Omit<RaisedArm, 'prove'> & { readonly endpoint: ServiceEndpoint }
  readonly hops: readonly Bound[]
  /** The server's own, which is another one behind a gateway. */
  readonly serverEndpoint: ServiceEndpoint
}

/** Policies come first: pods that start before them would be plain, or deny everyone. */
export async function bringUpArm<Bound extends { readonly component: Component }>(
  { arm, path, host, cluster, signal }: ArmToRaise,
  {
    shape,
    manifests,
    pullSecrets = [],
    before,
    controller,
    deploymentOf,
    enter,
    bind,
    read,
  }: ArmParts<Bound>,
): Promise<BroughtUp<Bound>> {
  const { mesh } = arm
  const objects = cluster.objectsOf(arm)
  cluster.shapeArm(arm, shape)
  const { namespace } = objects
  try {
    await cluster.ensureNamespace(arm)
    await applyPullSecrets(cluster, namespace, pullSecrets)
    await applyManifests(cluster, manifests)
    await before?.()
    const { component: application } = await host.startApplication(arm, path)
    await cluster.ensureClient(arm)
    for (const gateway of manifests.filter(({ kind }) => kind === 'Gateway'))
      await unlessHopeless(cluster, [namespace], (watched) =>
        waitForGateway(watched, {
          ...{ mesh, namespace, gateway, controller },
          ...defined({ deployment: deploymentOf?.(gateway) }),
        }),
      )
    const serverEndpoint = await serviceEndpoint(cluster, objects)
    const endpoint = (await enter?.()) ?? serverEndpoint
    const hops = path.hops.map(bind)
    const components = hops.map(({ component }) => component)
    const readCounters = async (name: string) => {
      const bound = hops.find(({ component }) => component.name === name)
      // The application is this repository's own, whatever carries its traffic.
      return bound ? read(bound) : readReferenceCounters(await host.fetchAdmin(name, '/metrics'))
    }
    return { raised: { endpoint, application, components, readCounters }, hops, serverEndpoint }
  } catch (error) {
    signal.throwIfAborted()
    throw await explainFailure({ step: arm.id, mesh, cluster, error })
  }
}

/** Charges a hop of an arm for its containers, which arms share where a `process` is named: a spare copy has those of another node. */
export function bindHopOf(
  cluster: ClusterAccess,
  { arm, path }: Pick<ArmToRaise, 'arm' | 'path'>,
  { name, layer, node }: Pick<Hop, 'name' | 'layer' | 'node'>,
  { namespace, selector, nodeName }: PodAddress,
  { process, container }: { readonly process?: string | undefined; readonly container?: string },
): Component {
  const component: Component = {
    ...{ name: `${arm.id}/${name}`, arm: arm.id, hop: name, category: layer, node },
    ...defined({ process }),
  }
  const containers = { namespace, podSelector: selector, ...defined({ container, nodeName }) }
  const isSpare = process !== undefined && arm.copy?.which === 'spare'
  const elsewhere = isSpare ? { ...containers, nodeName: nodeOffPath(cluster.nodes, path) } : undefined
  cluster.bind(component, containers, elsewhere)
  return component
}

/** Charges a mesh itself for containers, whatever arms are measured. */
export function bindOfMesh(
  cluster: ClusterAccess,
  component: Component,
  containers: Parameters<ClusterAccess['bind']>[1],
): Component {
  cluster.bind(component, containers)
  return component
}

/** Every node, with the part that it plays: of several the first. */
export function nodesOf({ nodes }: Pick<ClusterAccess, 'nodes'>): readonly {
  readonly nodeName: string
  readonly node: Component['node']
}[] {
  const roles = ['client', 'server', 'waypoint', 'control-plane'] as const
  return [...new Set(roles.map((role) => nodes[role]))].map((nodeName) => ({
    nodeName,
    node: roles.find((role) => nodes[role] === nodeName) ?? 'control-plane',
  }))
}

/** What a mesh runs once on a node for all arms: a row of its own, but in the trials of an arm that has it as a hop. */
export const perNode = (process: string, category: 'l4' | 'l7', node: Component['node']): Component => ({
  ...{ name: process, category, node, process },
})

/** A part of a mesh's control plane. */
export const controlPlane = (mesh: string, name: string): Component => ({
  ...{ name: `${mesh}/${name}`, category: 'control-plane', node: 'control-plane' },
})
