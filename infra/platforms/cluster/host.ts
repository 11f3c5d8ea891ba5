/**
 * Runs an environment's components as pods, each arm in a namespace of its own.
 *
 * A pod's containers are fixed when it is made, but meshes deploy hop by hop from the server's end. So the pod of an
 * application whose path ends in an inbound sidecar is made when that sidecar is deployed; until then the application
 * is only promised, at the loopback address where its sidecar will find it. The client's pod likewise.
 */
import { join } from 'node:path'
import { defined } from '../../../harness/model/defined.js'
import type { ClusterAccess, ClusterHost } from '../../../harness/model/cluster-access.js'
import { Reach } from './api/reach.js'
import { ApplicationPods } from './application-pods.js'
import { Arms } from './arms.js'
import { Changes } from './changes.js'
import { ClientPods } from './client-pods.js'
import { Diagnostics } from './diagnostics.js'
import { HopPods } from './hop-pods.js'
import type { KubeHostOptions } from './host-options.js'
import { Namespaces } from './namespaces.js'
import type { HostParts } from './parts.js'
import { dnsLabel, machineLabel, machineName, runLabel } from './render/names.js'
import { Rollout } from './rollout.js'
import { Strangers } from './strangers.js'
import { clusterPrograms, type ClusterProgram } from './usage/cluster-programs.js'
import { Components } from './usage/components.js'

export async function createKubeHost(options: KubeHostOptions): Promise<ClusterHost> {
  const { kubectl, proxy, pods, scope } = options
  const { runId } = scope
  const components = new Components(options)
  const billed = options.billsCluster ? clusterPrograms : []
  bindCluster(billed, components, options)
  const manifestDir = join(scope.stateDir, `manifests-${dnsLabel(options.clusterName)}`)
  const diagnostics = new Diagnostics({ kubectl, runId, folder: options.diagnosticsDir, manifestDir })
  const rollout = new Rollout({ ...options, manifestDir, signal: scope.signal, diagnostics })
  const namespaces = new Namespaces({ proxy, pods, rollout, runId, signal: scope.signal })
  if (options.deleteNamespaces) scope.defer('delete namespaces', () => namespaces.delete())
  const parts: HostParts = {
    options,
    arms: new Arms(options.namespacePrefix),
    components,
    rollout,
    namespaces,
  }
  const strangers = new Strangers(parts)
  const reach = new Reach({ kubectl, proxy, pods, components, createProber: () => strangers.createProber() })
  const clients = new ClientPods(parts)
  const applications = new ApplicationPods(parts, clients, reach)
  const hops = new HopPods(parts, applications, clients, reach)
  const { onNode } = options
  const changes = onNode && new Changes({ components, pods, proxy, onNode, signal: scope.signal })
  return {
    cluster: accessTo(parts, clients, strangers),
    facts: options.facts,
    components: billed.map(({ component }) => component),
    startApplication: (arm, path) => applications.start(arm, path),
    deploy: (workload) => hops.deploy(workload),
    async takeDown(arm) {
      const { namespace } = parts.arms.of(arm)
      // Its events and logs go with it. It goes where they cannot be kept, too, which is told then.
      diagnostics.want()
      const kept = await Promise.allSettled([diagnostics.keep(namespace)])
      await namespaces.takeDown(namespace, scope.signal)
      for (const { reason } of kept.filter((result) => result.status === 'rejected')) throw reason
    },
    keepEvidence: () => diagnostics.collectIfWanted(),
    fetchAdmin: (component, path) => reach.fetchAdmin(component, path),
    exec: (arm, command) => clients.exec(arm, command),
    connect: (endpoint) => reach.connect(endpoint),
    readUsage: (measured) => components.readUsage(measured),
    readHost: options.readHost,
    beginTrial: () => components.beginTrial(),
    health(component) {
      const failure = components.health(component)
      if (failure && !changes?.isDown(component)) diagnostics.want()
      return failure
    },
    ...(changes && { change: (component, change) => changes.change(component, change) }),
    // The kubelet looks at its containers once a second, and the API server hears of it later.
    deathNoticedMs: 5_000,
  }
}

/** What a mesh that installs itself may do with the cluster. */
function accessTo(
  { options, arms, components, namespaces }: HostParts,
  clients: ClientPods,
  strangers: Strangers,
): ClusterAccess {
  const { kubectl, pods } = options
  return {
    clusterName: options.clusterName,
    isOwn: options.isOwnCluster,
    isKept: options.isOwnCluster && options.deleteNamespaces,
    marks: { [runLabel]: options.scope.runId, [machineLabel]: machineName() },
    kubernetesVersion: options.kubernetesVersion,
    nodes: options.nodes,
    apiServer: options.apiServer,
    kubectl: (args, access) => kubectl.run(args, access),
    helm: (args, access) => kubectl.helm(args, access),
    nodeExec: options.nodeExec,
    ...defined({ loadArchive: options.loadArchive }),
    shapeArm(arm, shape) {
      const state = arms.of(arm)
      if (state.namespaceReady) throw new Error(`${arm.id} has been started: its shape comes too late`)
      state.shape = shape
    },
    objectsOf: (arm) => arms.objectsOf(arm),
    ensureNamespace: (arm) => namespaces.ensure(arms.of(arm)),
    ensureClient: (arm) => clients.ensure(arms.of(arm)),
    runAsStranger: (arm, argv) => strangers.run(arm, argv),
    bind: (component, containers, standIn) => {
      components.bind(component, containers, standIn)
      // Rejects only when the API server is gone, which everything else will tell.
      void pods.watch(containers.namespace).catch(() => {})
    },
  }
}

/** Kubernetes itself: what there is of it. A part that is no pod of this cluster has no reading, and no row. */
function bindCluster(
  programs: readonly ClusterProgram[],
  components: Components,
  { nodes, pods }: KubeHostOptions,
): void {
  const nodeNames = [...new Set(Object.values(nodes))]
  for (const billed of programs) {
    if ('program' in billed) components.bindProgram(billed.component, billed.program, nodeNames)
    else {
      components.bind(billed.component, billed.pods)
      void pods.watch(billed.pods.namespace).catch(() => {})
    }
  }
}
