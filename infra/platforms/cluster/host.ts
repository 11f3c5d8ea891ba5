/**
 * Runs an environment's components as pods, each arm in a namespace of its own.
 *
 * A pod's containers are fixed when it is made, but meshes deploy hop by hop from the server's end. So the pod of an
 * application whose path ends in an inbound sidecar is made when that sidecar is deployed; until then the application
 * is only promised, at the loopback address where its sidecar will find it. The client's pod likewise.
 */
import { join } from 'node:path'
import { defined } from '../../../harness/model/defined.js'
import { readHost } from '../../../harness/process/probes/host.js'
import type { ClusterAccess, ClusterHost } from '../../../harness/model/cluster-access.js'
import type { Scope } from '../../../harness/model.js'
import { readKubernetesVersion, startApiProxy } from './api/api-proxy.js'
import type { Kubectl } from './api/kubectl.js'
import { PodWatch } from './api/pods.js'
import { Reach } from './api/reach.js'
import { startApplication } from './application-pods.js'
import { armStates, servicePort } from './arms.js'
import { Changes } from './changes.js'
import { ensureClient, execInClient } from './client-pods.js'
import { Diagnostics } from './diagnostics.js'
import { deployHop } from './hop-pods.js'
import type { KubeHostOptions } from './host-options.js'
import { Namespaces } from './namespaces.js'
import { namespacePrefix, type HostParts } from './parts.js'
import { machineLabel, machineName, runLabel } from './render/names.js'
import { Rollout } from './rollout.js'
import { createProber, runAsStranger } from './strangers.js'
import { clusterPrograms, type ClusterProgram } from './usage/cluster-programs.js'
import { Components } from './usage/components.js'
import { usageFromKubelets } from './usage/kubelet-usage.js'
import { usageFromNodes } from './usage/node-cgroups.js'

/** A way to a cluster's API server, a watch on its pods, and its version. */
export async function watchCluster(
  kubectl: Kubectl,
  scope: Scope,
): Promise<Pick<KubeHostOptions, 'proxy' | 'pods' | 'kubernetesVersion'>> {
  const proxy = await startApiProxy(kubectl, scope)
  const pods = new PodWatch(proxy)
  scope.defer('stop watching pods', () => pods.close())
  return { proxy, pods, kubernetesVersion: await readKubernetesVersion(proxy) }
}

export async function createKubeHost(options: KubeHostOptions): Promise<ClusterHost> {
  const { kubectl, proxy, pods, scope, own } = options
  const { runId } = scope
  const components = new Components({
    pods,
    usage: own ? usageFromNodes(own.onNode) : usageFromKubelets(proxy),
    nodeFailure: (node) => own?.nodeFailure(node),
  })
  const billed = own ? clusterPrograms : []
  bindCluster(billed, components, options)
  const name = own?.name ?? 'kubernetes'
  const manifestDir = join(scope.stateDir, `manifests-${name}`)
  const folder = join(scope.evidenceDir ?? join(scope.stateDir, 'diagnostics'), name)
  const diagnostics = new Diagnostics({ kubectl, runId, folder, manifestDir })
  const rollout = new Rollout({ ...options, manifestDir, signal: scope.signal, diagnostics })
  const namespaces = new Namespaces({ proxy, pods, rollout, runId, signal: scope.signal })
  // A cluster that goes takes them with it.
  if (!own || own.isKept) scope.defer('delete namespaces', () => namespaces.delete())
  const parts: HostParts = {
    options,
    stateOf: armStates(namespacePrefix(options)),
    components,
    rollout,
    namespaces,
    reach: new Reach({ kubectl, proxy, pods, components, createProber: () => createProber(parts) }),
  }
  const changes = own && new Changes({ components, pods, proxy, onNode: own.onNode, signal: scope.signal })
  return {
    cluster: accessTo(parts),
    facts: options.facts,
    components: billed.map(({ component }) => component),
    startApplication: (arm, path) => startApplication(parts, arm, path),
    deploy: (workload) => deployHop(parts, workload),
    async takeDown(arm) {
      const { namespace } = parts.stateOf(arm)
      // Its events and logs go with it. It goes where they cannot be kept, too, which is told then.
      diagnostics.want()
      const kept = await Promise.allSettled([diagnostics.keep(namespace)])
      await namespaces.takeDown(namespace, scope.signal)
      for (const { reason } of kept.filter((result) => result.status === 'rejected')) throw reason
    },
    keepEvidence: () => diagnostics.collectIfWanted(),
    fetchAdmin: (component, path) => parts.reach.fetchAdmin(component, path),
    exec: (arm, command) => execInClient(parts, arm, command),
    connect: (endpoint) => parts.reach.connect(endpoint),
    readUsage: (measured) => components.readUsage(measured),
    readHost,
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

function accessTo(parts: HostParts): ClusterAccess {
  const { options, stateOf, components, namespaces } = parts
  const { kubectl, pods, own } = options
  return {
    isOwn: own !== undefined,
    isKept: own?.isKept === true,
    marks: { [runLabel]: options.scope.runId, [machineLabel]: machineName() },
    kubernetesVersion: options.kubernetesVersion,
    nodes: options.nodes,
    apiServer: options.apiServer,
    kubectl: (args, access) => kubectl.run(args, access),
    helm: (args, access) => kubectl.helm(args, access),
    ...defined({ onNode: own?.onNode, loadArchive: own?.loadArchive }),
    shapeArm(arm, shape) {
      const state = stateOf(arm)
      if (state.namespaceReady) throw new Error(`${arm.id} has been started: its shape comes too late`)
      state.shape = shape
    },
    objectsOf: (arm) => ({
      namespace: stateOf(arm).namespace,
      service: { name: 'server', port: servicePort },
      clientSelector: 'app=client',
      serverSelector: 'app=server',
    }),
    ensureNamespace: (arm) => namespaces.ensure(stateOf(arm)),
    ensureClient: (arm) => ensureClient(parts, stateOf(arm)),
    runAsStranger: (arm, argv) => runAsStranger(parts, arm, argv),
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
