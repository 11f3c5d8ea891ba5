/** Brings Cilium up as the network of a cluster and raises its arms: policies, charges and proofs of each mode. */
import type { Arm, Fact, MeshContext, MeshSession, RaisedArm } from '../../../harness/model.js'
import { cilium } from '../../supply/versions.js'
import { clusterOf, type ClusterAccess } from '../../../harness/model/cluster-access.js'
import { settingsFor } from '../clusters/settings.js'
import { overlayFacts } from '../clusters/values.js'
import { hopLimits } from '../hops/hop-limits.js'
import { hasGateway } from '../clusters/gateway-api.js'
import { unlessHopeless } from '../clusters/install-errors.js'
import { bringUpArm, type ArmToRaise } from '../clusters/raise.js'
import { readIstioCounters } from '../istio/counters.js'
import { fetchFromPods, type ServiceEndpoint } from '../hops/queries.js'
import { sizingFacts } from '../hops/sizing.js'
import { assetsFrom, isLoaded, runSteps } from '../hops/steps.js'
import { pathsOf } from '../paths-of.js'
import { bindHop, bindShared, readCiliumEnvoyCounters } from './hop.js'
import {
  ciliumCharts,
  ciliumDownloads,
  ciliumOptions,
  ciliumSteps,
  gatewayController,
  meshName,
  needsSpire,
  waitForSpire,
} from './install.js'
import { ciliumSettings } from './settings.js'
import { ciliumManifests, ciliumShape, gatewayPort, type CiliumPath } from './manifests.js'
import { proveCiliumArm } from './prove.js'
import {
  ciliumNamespace,
  envoyMetricsPort,
  spireNamespace,
  type CiliumMode,
  type CiliumOptions,
} from './values.js'

const ztunnelMetricsPort = 15020

export async function installCilium(mode: CiliumMode, context: MeshContext): Promise<MeshSession> {
  const { host, progress, request, scope } = context
  const mesh = meshName(mode)
  const cluster = clusterOf(host, mesh)
  const settings = settingsFor(ciliumSettings, mesh, request)
  const paths = pathsOf(mesh, request)
  const assets = assetsFrom(ciliumDownloads(mode, paths), settings, cluster)
  const imagesByTag = await isLoaded({ cluster, assets })
  const options = ciliumOptions(mode, settings, paths, cluster, imagesByTag)
  const charts = ciliumCharts(mode, options, settings)
  const namespaces = [ciliumNamespace]
  await runSteps(
    ciliumSteps(options, charts, settings),
    { mesh, cluster, assets, namespaces },
    progress,
    scope,
  )
  if (mode === 'wireguard') exemptBaseline(request.arms, cluster)
  return {
    facts: [...ciliumFacts(mode, options, cluster), ...overlayFacts(mesh, charts, settings)],
    components: bindShared(mesh, options, cluster),
    raise: (arm, path) => raiseCiliumArm(mode, { arm, path, host, cluster, signal: scope.signal }),
  }
}

/** With WireGuard on, every pod's traffic between nodes is encrypted, the baseline's too: only nodes' own is not. */
function exemptBaseline(arms: readonly Arm[], cluster: ClusterAccess): void {
  for (const arm of arms) if (arm.role !== 'subject') cluster.shapeArm(arm, { hostNetwork: true })
}

const security: Readonly<Record<CiliumMode, string>> = {
  none: 'identity-based policy; nothing is encrypted, and mutual authentication shakes hands beside the payload, once for a pair of identities',
  wireguard:
    'identity-based policy; WireGuard encrypts between nodes, not within one, and authenticates nodes, not workloads',
  ztunnel: "mutual TLS for each connection by Cilium's own ztunnel; experimental in Cilium",
  gateway:
    'identity-based policy; the server admits what gateways let in and nothing else; nothing is encrypted',
}

const baselines: Readonly<Record<CiliumMode, string>> = {
  none: "pods on Cilium's eBPF network without a policy: it already carries what kindnet and kube-proxy carry elsewhere",
  wireguard:
    "the nodes' own network, since every pod's traffic is encrypted here; so what is added includes the pod network",
  ztunnel: "pods on Cilium's eBPF network in a namespace that is not enrolled",
  gateway:
    "pods on Cilium's eBPF network without a policy; with the Gateway API on, their services are resolved for each packet and not in the socket",
}

function ciliumFacts(mode: CiliumMode, options: CiliumOptions, cluster: ClusterAccess): readonly Fact[] {
  const { hubble, mutualAuth } = options
  const mesh = meshName(mode)
  return [
    { name: `${mesh} version`, value: `${cilium.version} on Kubernetes ${cluster.kubernetesVersion}` },
    { name: `${mesh} security`, value: security[mode] },
    { name: `${mesh} baseline`, value: baselines[mode] },
    {
      name: `${mesh} Envoy`,
      value: `one per node, shared by all its pods; at L7 that of the ${mode === 'gateway' ? 'waypoint' : 'server'} node`,
    },
    { name: `${mesh} Hubble`, value: hubble ? 'on, as by default' : 'off' },
    ...(mutualAuth
      ? [{ name: `${mesh} mutual authentication`, value: 'deprecated since Cilium 1.20, to be removed' }]
      : []),
    {
      name: `${mesh} kernel time`,
      value: 'eBPF, VXLAN and WireGuard run in the kernel and are charged to no pod: see the unaccounted row',
    },
    ...sizingFacts(mesh, {
      workers: `${hopLimits.workers} per Envoy and ztunnel; the kernel uses every CPU that packets arrive on`,
    }),
  ]
}

async function raiseCiliumArm(mode: CiliumMode, toRaise: ArmToRaise): Promise<RaisedArm> {
  const { arm, path, host, cluster } = toRaise
  const name = path.name as CiliumPath
  const objects = cluster.objectsOf(arm)
  const { raised, hops, serverEndpoint } = await bringUpArm(toRaise, {
    shape: ciliumShape(name),
    manifests: ciliumManifests(name, objects),
    controller: gatewayController,
    ...(needsSpire([path]) && { before: () => unlessHopeless(cluster, [spireNamespace], waitForSpire) }),
    enter: hasGateway(path) ? () => gatewayEndpoint(cluster) : undefined,
    bind: (hop) => bindHop(meshName(mode), { arm, path }, hop, cluster),
    async read({ address, kind }) {
      if (kind === 'envoy' || kind === 'gateway') {
        const text = await fetchFromPods(cluster, { ...address, port: envoyMetricsPort, path: '/metrics' })
        return readCiliumEnvoyCounters(text, kind === 'gateway' ? 'gateway' : 'policy')
      }
      const page = { ...address, port: ztunnelMetricsPort, path: '/stats/prometheus' }
      const text = await fetchFromPods(cluster, page)
      return readIstioCounters(text, { kind, layer: 'l4', namespace: objects.namespace })
    },
  })
  const { endpoint, readCounters } = raised
  return {
    ...raised,
    prove: () =>
      proveCiliumArm({
        ...{ path: name, cluster, host, objects, endpoint, serverEndpoint, hops, readCounters },
      }),
  }
}

/** The gateway's port on the node whose Envoy it is. */
async function gatewayEndpoint(cluster: ClusterAccess): Promise<ServiceEndpoint> {
  const node = cluster.nodes.waypoint
  const path = 'jsonpath={.status.addresses[?(@.type=="InternalIP")].address}'
  // Of both families where it has both.
  const [host = ''] = (await cluster.kubectl(['get', 'node', node, '-o', path])).trim().split(' ')
  if (host === '') throw new Error(`the node ${node} of the gateway has no address`)
  return { host, port: gatewayPort, authority: `${host}:${gatewayPort}` }
}
