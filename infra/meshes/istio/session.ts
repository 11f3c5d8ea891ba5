/** Brings Istio up on a cluster and raises its arms: installation, shapes, manifests, charges and proofs of one mode. */
import type {
  Arm,
  Component,
  Hop,
  HopCounters,
  Host,
  MeshContext,
  MeshSession,
  Path,
  ProofCheck,
  RaisedArm,
} from '../../../harness/model.js'
import { mirrored } from '../../supply/pull.js'
import { istio } from '../../supply/versions.js'
import {
  clusterOf,
  type AccessOptions,
  type ArmObjects,
  type ArmShape,
  type ClusterAccess,
} from '../../../harness/model/cluster-access.js'
import { gatewayApiStep, hasGateway, waitForGateway } from '../clusters/gateway-api.js'
import { explainFailure, MeshInstallError } from '../clusters/install-errors.js'
import { chartSettings, settingsFor } from '../clusters/settings.js'
import { readReferenceCounters } from '../reference/counters.js'
import { fetchFromPods, serviceEndpoint, type PodAddress } from '../hops/queries.js'
import { sizingFacts } from '../hops/sizing.js'
import {
  applyManifests,
  assetsFrom,
  helmStep,
  isLoaded,
  kubernetesStep,
  loadImagesStep,
  runSteps,
  undoing,
  waitStep,
  type Step,
} from '../hops/steps.js'
import type { Manifest } from '../hops/yaml.js'
import { pathsOf } from '../paths-of.js'
import { readIstioView, type IstioHopKind, type IstioView } from './counters.js'
import { istioDownloads } from './downloads.js'
import {
  ambientIngressShape,
  ambientManifests,
  ambientShape,
  gatewayName,
  gatewayService,
  ingressManifests,
  metricsPort,
  sidecarIngressShape,
  sidecarManifests,
  sidecarShape,
  waypointName,
} from './manifests.js'
import { proveIstioArm } from './prove.js'
import { istioReleases, type IstioMode, type IstioOptions } from './values.js'

export const istioNamespace = 'istio-system'

export function istioSteps(options: IstioOptions, { isOwn }: Pick<ClusterAccess, 'isOwn'>): readonly Step[] {
  const releases = istioReleases(options).map((release) =>
    helmStep({ ...release, namespace: istioNamespace }),
  )
  const supported = kubernetesStep(`Istio ${istio.version}`, istio.minKubernetesMinor)
  const ready = waitStep('istiod answers', ['rollout', 'status', 'deployment/istiod', '-n', istioNamespace])
  // Sidecars alone need none of it.
  const gateways = options.mode === 'ambient' || options.gateways ? [gatewayApiStep] : []
  return [supported, ...(isOwn ? [] : [noIstioYet]), loadImagesStep, ...gateways, ...releases, ready]
}

/**
 * On a cluster that is somebody's: charts would take over the releases of an Istio that runs there, and taking ours away would
 * take theirs. What is not there now is ours at the end.
 */
const noIstioYet: Step = {
  title: 'no Istio of others',
  async run({ mesh, cluster, undo }) {
    const found = await piecesOfIstio(cluster)
    if (found.length > 0) {
      throw new MeshInstallError(
        `${mesh}: there is an Istio on the cluster already, or what is left of one: ${found.slice(0, 3).join(', ')}`,
        {
          hint: `Use --platform kind; or, if nobody needs it, \`helm uninstall\` its releases in ${istioNamespace} and delete the rest.`,
          detail: found.join('\n'),
          cause: undefined,
        },
      )
    }
    undo('remove what helm leaves of Istio', () => removePieces(cluster))
  },
}

/** Names of cluster-wide objects that every Istio has, with their kinds. */
async function piecesOfIstio(cluster: ClusterAccess, access: AccessOptions = {}): Promise<readonly string[]> {
  const kinds =
    'namespaces,customresourcedefinitions,mutatingwebhookconfigurations,validatingwebhookconfigurations'
  const names = (await cluster.kubectl(['get', kinds, '-o', 'name'], access)).split('\n')
  return names.filter((name) =>
    /^namespace\/istio-system$|\.istio\.io$|webhookconfiguration.*\/istio/.test(name),
  )
}

/** Charts keep their CRDs and namespace; istiod itself makes classes of gateways, and a ConfigMap in every namespace. */
async function removePieces(cluster: ClusterAccess): Promise<void> {
  const rootCertificates = ['--all-namespaces', '--field-selector', 'metadata.name=istio-ca-root-cert']
  await cluster.kubectl(['delete', 'configmaps', ...rootCertificates, '--wait=false'], undoing)
  const classes = ['istio', 'istio-remote', 'istio-waypoint']
  // Where the Gateway API is not there, or no longer, they are not either.
  await cluster
    .kubectl(['delete', 'gatewayclasses', ...classes, '--ignore-not-found'], undoing)
    .catch(() => {})
  const pieces = await piecesOfIstio(cluster, undoing)
  if (pieces.length > 0)
    await cluster.kubectl(['delete', ...pieces, '--ignore-not-found', '--timeout=50s'], undoing)
}

export async function installIstio(mode: IstioMode, context: MeshContext): Promise<MeshSession> {
  const { host, progress, request, scope } = context
  const mesh = `istio-${mode}`
  const cluster = clusterOf(host, mesh)
  const { mirrors, cacheDir } = settingsFor(chartSettings, mesh, request)
  const paths = pathsOf(mesh, request)
  const assets = assetsFrom(istioDownloads(mode, paths), { mirrors, cacheDir })
  const options: IstioOptions = {
    mode,
    nodes: cluster.nodes,
    hub: (await isLoaded({ cluster, assets })) ? istio.hub : mirrored(istio.hub, mirrors),
    gateways: paths.some(hasGateway),
  }
  await runSteps(istioSteps(options, cluster), { mesh, cluster, assets }, progress, scope)
  return {
    facts: istioFacts(mode, cluster),
    components: bindControlPlane(mode, cluster),
    raise: (arm, path) => raiseIstioArm({ mode, arm, path, host, cluster }),
  }
}

function istioFacts(mode: IstioMode, cluster: ClusterAccess) {
  const mesh = `istio-${mode}`
  return [
    { name: `${mesh} version`, value: `${istio.version} on Kubernetes ${cluster.kubernetesVersion}` },
    {
      name: `${mesh} security`,
      value: 'STRICT mutual TLS for each connection, both ends; the server admits only its peer on the path',
    },
    ...(mode === 'sidecar'
      ? [{ name: `${mesh} sidecars`, value: 'native (init containers that stay), one Envoy beside each pod' }]
      : []),
    ...sizingFacts(mesh),
  ]
}

/** What is charged to the control plane, and ztunnels of nodes that no path crosses. */
function bindControlPlane(mode: IstioMode, cluster: ClusterAccess): readonly Component[] {
  const mesh = `istio-${mode}`
  const bind = (
    component: Component,
    podSelector: string,
    container: string,
    nodeName?: string,
  ): Component => {
    cluster.bind(component, {
      namespace: istioNamespace,
      podSelector,
      container,
      ...(nodeName === undefined ? {} : { nodeName }),
    })
    return component
  }
  const controlPlane = (name: string): Component => ({
    name: `${mesh}/${name}`,
    category: 'control-plane',
    node: 'control-plane',
  })
  const istiod = bind(controlPlane('istiod'), 'app=istiod', 'discovery')
  if (mode === 'sidecar') return [istiod]
  const { client, server } = cluster.nodes
  const offPath = [...new Set(Object.values(cluster.nodes))].filter(
    (node) => node !== client && node !== server,
  )
  const idle = offPath.map((node) =>
    bind(
      { name: `${mesh}/ztunnel on ${node}`, category: 'l4', node: nodeRole(cluster, node) },
      'app=ztunnel',
      'istio-proxy',
      node,
    ),
  )
  return [istiod, bind(controlPlane('istio-cni'), 'k8s-app=istio-cni-node', 'install-cni'), ...idle]
}

function nodeRole(cluster: ClusterAccess, node: string): Component['node'] {
  return cluster.nodes['control-plane'] === node ? 'control-plane' : 'waypoint'
}

interface RaiseOptions {
  readonly mode: IstioMode
  readonly arm: Arm
  readonly path: Path
  readonly host: Host
  readonly cluster: ClusterAccess
}

/** What a path is made of in Istio. */
function planArm(
  mode: IstioMode,
  path: Path,
  objects: ArmObjects,
  waypointNode: string,
): { shape: ArmShape; manifests: readonly Manifest[] } {
  if (hasGateway(path)) {
    const shape = mode === 'sidecar' ? sidecarIngressShape() : ambientIngressShape()
    return { shape, manifests: ingressManifests(mode, objects, waypointNode) }
  }
  if (mode === 'sidecar') {
    const layer = path.hops.some((hop) => hop.layer === 'l7') ? 'l7' : 'l4'
    return { shape: sidecarShape(layer), manifests: sidecarManifests(layer, objects) }
  }
  const withWaypoint = path.hops.some(({ role }) => role === 'waypoint')
  return { shape: ambientShape(withWaypoint), manifests: ambientManifests(withWaypoint, objects) }
}

async function raiseIstioArm({ mode, arm, path, host, cluster }: RaiseOptions): Promise<RaisedArm> {
  const objects = cluster.objectsOf(arm)
  const { shape, manifests } = planArm(mode, path, objects, cluster.nodes.waypoint)
  cluster.shapeArm(arm, shape)
  const { application, endpoint, serverEndpoint } = await bringUp()
  const hops = path.hops.map((hop) => bindHop(mode, arm, hop, objects, cluster))
  const hopOf = new Map(hops.map((bound) => [bound.component.name, bound]))

  const readView = async ({ address, kind, layer }: BoundHop): Promise<IstioView> => {
    const page = { ...address, port: metricsPort, path: '/stats/prometheus' }
    const text = await fetchFromPods(cluster, page)
    return readIstioView(text, { kind, layer, namespace: objects.namespace })
  }
  const readCounters = async (component: string): Promise<HopCounters> => {
    const bound = hopOf.get(component)
    return bound ? (await readView(bound)).counters : readApplicationCounters(host, component)
  }
  return {
    endpoint,
    application,
    components: hops.map(({ component }) => component),
    readCounters,
    prove: (): Promise<readonly ProofCheck[]> =>
      proveIstioArm({
        ...{ mode, cluster, host, objects, endpoint: serverEndpoint, hops, readView },
        runAsStranger: (argv) => cluster.runAsStranger(arm, argv),
      }),
  }

  /** Namespace and policies first: pods that start before them would be plain, or deny everyone. */
  async function bringUp() {
    try {
      await cluster.ensureNamespace(arm)
      await applyManifests(cluster, manifests)
      const { component } = await host.startApplication(arm, path)
      await cluster.ensureClient(arm)
      const controller = mode === 'ambient' ? 'istiod with the ambient profile' : 'istiod'
      for (const gateway of manifests.filter(({ kind }) => kind === 'Gateway')) {
        const { namespace } = objects
        await waitForGateway(cluster, { mesh: arm.mesh, namespace, gateway, controller, ownPods: true })
      }
      const serverEndpoint = await serviceEndpoint(cluster, objects)
      const endpoint = hasGateway(path)
        ? await serviceEndpoint(cluster, { ...objects, service: gatewayService })
        : serverEndpoint
      return { application: component, endpoint, serverEndpoint }
    } catch (error) {
      throw await explainFailure({ step: arm.id, mesh: arm.mesh, cluster, error })
    }
  }
}

/** The application is this repository's own, whatever carries its traffic. */
async function readApplicationCounters(host: Host, component: string): Promise<HopCounters> {
  return readReferenceCounters(await host.fetchAdmin(component, '/metrics'))
}

/** A hop of an arm: what is charged for it, and where its counters are. */
export interface BoundHop {
  readonly component: Component
  readonly kind: IstioHopKind
  readonly layer: 'l4' | 'l7'
  readonly address: PodAddress
}

const kinds: Readonly<Partial<Record<Hop['role'], IstioHopKind>>> = {
  'sidecar-outbound': 'sidecar-outbound',
  'sidecar-inbound': 'sidecar-inbound',
  waypoint: 'waypoint',
  ingress: 'gateway',
  'tunnel-outbound': 'ztunnel-outbound',
  'tunnel-inbound': 'ztunnel-inbound',
}

function bindHop(mode: IstioMode, arm: Arm, hop: Hop, objects: ArmObjects, cluster: ClusterAccess): BoundHop {
  const kind = kinds[hop.role]
  if (!kind) throw new Error(`Istio has no hop of the role ${hop.role}`)
  const address = addressOf(kind, hop, objects, cluster)
  const component: Component = {
    name: `${arm.id}/${hop.name}`,
    arm: arm.id,
    hop: hop.name,
    category: hop.layer,
    node: hop.node,
    // One ztunnel carries all arms of its node.
    ...(kind.startsWith('ztunnel') ? { process: `istio-${mode}/ztunnel on ${cluster.nodes[hop.node]}` } : {}),
  }
  cluster.bind(component, {
    namespace: address.namespace,
    podSelector: address.selector,
    container: 'istio-proxy',
    ...(address.nodeName === undefined ? {} : { nodeName: address.nodeName }),
  })
  return { component, kind, layer: hop.layer, address }
}

function addressOf(kind: IstioHopKind, hop: Hop, objects: ArmObjects, cluster: ClusterAccess): PodAddress {
  const { namespace, clientSelector, serverSelector } = objects
  switch (kind) {
    case 'sidecar-outbound':
      return { namespace, selector: clientSelector }
    case 'sidecar-inbound':
      return { namespace, selector: serverSelector }
    case 'waypoint':
      return { namespace, selector: `gateway.networking.k8s.io/gateway-name=${waypointName}` }
    case 'gateway':
      return { namespace, selector: `gateway.networking.k8s.io/gateway-name=${gatewayName}` }
    case 'ztunnel-outbound':
    case 'ztunnel-inbound':
      return { namespace: istioNamespace, selector: 'app=ztunnel', nodeName: cluster.nodes[hop.node] }
  }
}
