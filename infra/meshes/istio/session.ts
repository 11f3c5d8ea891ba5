/** Brings Istio up on a cluster and raises its arms: installation, shapes, manifests, charges and proofs of one mode. */
import type {
  Arm,
  Component,
  Fact,
  MeshContext,
  MeshSession,
  Path,
  ProofCheck,
  RaisedArm,
} from '../../../harness/model.js'
import { mirrored } from '../../supply/pull.js'
import { istio } from '../../supply/versions.js'
import { defined } from '../../../harness/model/defined.js'
import { requestHeadersOf, settingsOf } from '../../../harness/model/variants.js'
import {
  clusterOf,
  type ArmObjects,
  type ArmShape,
  type ClusterAccess,
} from '../../../harness/model/cluster-access.js'
import { hasGateway } from '../clusters/gateway-api.js'
import { bindOfMesh, bringUpArm, controlPlane, nodesOf, perNode, type ArmToRaise } from '../clusters/raise.js'
import { settingsFor } from '../clusters/settings.js'
import { manifestSteps, overlayFacts, pullSecretNames, type LaidRelease } from '../clusters/values.js'
import { fetchFromPods, serviceEndpoint, type RequestHeaders } from '../hops/queries.js'
import { sizingFacts } from '../hops/sizing.js'
import { assetsFrom, isLoaded, runSteps } from '../hops/steps.js'
import type { Manifest } from '../hops/yaml.js'
import { pathsOf } from '../paths-of.js'
import { readBuild } from './build.js'
import { readIstioView, type IstioView } from './counters.js'
import { functionFacts, istioFunctions } from './functions.js'
import { bindHop, ztunnelOn, type BoundHop } from './hop.js'
import { ciliumNamespace } from '../cilium/values.js'
import { bindCiliumCni, ciliumCniFact } from './cilium-cni.js'
import { istioCharts, istioDownloads, istioSteps } from './install.js'
import { istioSettings, type IstioSettings } from './settings.js'
import { foundSteps, installedFacts, onInstalled, type Installed } from './installed.js'
import {
  ambientIngressShape,
  ambientManifests,
  ambientShape,
  deploymentOf,
  gatewayService,
  ingressManifests,
  metricsPort,
  sidecarIngressShape,
  sidecarManifests,
  sidecarShape,
  type EnvoyOptions,
} from './manifests.js'
import { proveIstioArm } from './prove.js'
import { istioNamespace, type IstioMode, type IstioOptions } from './values.js'

export async function installIstio(mode: IstioMode, context: MeshContext): Promise<MeshSession> {
  const { host, progress, request, scope } = context
  const mesh = `istio-${mode}`
  const cluster = clusterOf(host, mesh)
  const settings: IstioSettings = settingsFor(istioSettings[mode], mesh, request)
  const { mirrors, cacheDir, pullSecrets } = settings
  const paths = pathsOf(mesh, request)
  const assets = assetsFrom(istioDownloads(mode, paths, settings), { mirrors, cacheDir }, cluster)
  const imagesByTag = await isLoaded({ cluster, assets })
  const options: IstioOptions = {
    mode,
    nodes: cluster.nodes,
    hub: imagesByTag ? istio.hub : mirrored(istio.hub, mirrors),
    gateways: paths.some(hasGateway),
    pullSecrets: pullSecretNames(mesh, pullSecrets),
    ...defined({ platform: settings.platform }),
  }
  const charts = istioCharts(options, settings, cluster, imagesByTag)
  const envoy = { telemetry: hasTelemetry(charts), ...defined({ curves: settings.curves }) }
  const { installed } = settings
  const steps = installed
    ? [...foundSteps(mode, installed), ...manifestSteps(settings.manifests)]
    : istioSteps(options, cluster, charts, settings)
  // Where pods are looked at while a step waits for them.
  const namespaces = [istioNamespace, ...(settings.cni === 'cilium' ? [ciliumNamespace] : [])]
  await runSteps(steps, { mesh, cluster, assets, namespaces }, progress, scope)
  const { config } = request
  const ofArm = (arm: Pick<Arm, 'mesh' | 'variant'>) => settingsOf(config, arm)
  const own = request.arms.filter((arm) => arm.mesh === mesh)
  const requestHeaders = requestHeadersOf(config)
  return {
    facts: [
      ...(installed ? await installedFacts(cluster, mesh, installed) : installationFacts(mode, cluster)),
      ...securityFacts(mode),
      ...(settings.curves ? [{ name: `${mesh} curves`, value: settings.curves.join(', ') }] : []),
      ...(settings.cni === 'cilium' ? [ciliumCniFact] : []),
      ...functionFacts(mesh, own.map(ofArm)),
      ...overlayFacts(mesh, installed ? [] : charts, settings),
    ],
    components: [
      ...bindControlPlane(mode, cluster),
      ...(settings.cni === 'cilium' ? bindCiliumCni(cluster) : []),
    ],
    raise: (arm, path) =>
      raiseIstioArm({
        ...{ mode, arm, path, host, cluster, pullSecrets, installed, requestHeaders },
        signal: scope.signal,
        envoy: { ...envoy, functions: istioFunctions(istioSettings[mode].parse(ofArm(arm))) },
      }),
  }
}

/** Hard-coded in istiod, whatever the mesh's policy of retries is (pilot/pkg/networking/core/route). */
const inboundRetries =
  '0 where requests leave; 2 where they come in, for a connection that is reset before the request was sent'

function installationFacts(mode: IstioMode, cluster: ClusterAccess): readonly Fact[] {
  const mesh = `istio-${mode}`
  return [
    { name: `${mesh} version`, value: `${istio.version} on Kubernetes ${cluster.kubernetesVersion}` },
    ...sizingFacts(mesh, mode === 'sidecar' ? { retries: inboundRetries } : {}),
  ]
}

function securityFacts(mode: IstioMode): readonly Fact[] {
  const mesh = `istio-${mode}`
  const native = 'native (init containers that stay), one Envoy beside each pod'
  return [
    {
      name: `${mesh} security`,
      value: 'STRICT mutual TLS for each connection, both ends; the server admits only its peer on the path',
    },
    ...(mode === 'sidecar' ? [{ name: `${mesh} sidecars`, value: native }] : []),
  ]
}

/** What is charged to the control plane, and the ztunnel of every node, since an arm's path crosses some of them alone. */
function bindControlPlane(mode: IstioMode, cluster: ClusterAccess): readonly Component[] {
  const mesh = `istio-${mode}`
  const bind = (component: Component, podSelector: string, container: string, nodeName?: string) =>
    bindOfMesh(cluster, component, {
      ...{ namespace: istioNamespace, podSelector, container },
      ...defined({ nodeName }),
    })
  const istiod = bind(controlPlane(mesh, 'istiod'), 'app=istiod', 'discovery')
  if (mode === 'sidecar') return [istiod]
  const ztunnels = nodesOf(cluster).map(({ nodeName, node }) =>
    bind(perNode(ztunnelOn(nodeName), 'l4', node), 'app=ztunnel', 'istio-proxy', nodeName),
  )
  return [istiod, bind(controlPlane(mesh, 'istio-cni'), 'k8s-app=istio-cni-node', 'install-cni'), ...ztunnels]
}

interface RaiseOptions extends ArmToRaise {
  readonly mode: IstioMode
  /** Files of Secrets that injected proxies are pulled with. */
  readonly pullSecrets: readonly string[]
  readonly envoy: EnvoyOptions
  readonly requestHeaders: RequestHeaders
  /** Given where the installation was there before the run. */
  readonly installed: Installed | undefined
}

/** Off where the user's values say so: then nothing may ask for it. */
function hasTelemetry(charts: readonly LaidRelease[]): boolean {
  const istiod = charts.find(({ release }) => release === 'istiod')
  const { telemetry } = (istiod?.merged ?? {}) as { readonly telemetry?: { readonly enabled?: boolean } }
  return telemetry?.enabled !== false
}

function planArm(
  mode: IstioMode,
  path: Path,
  objects: ArmObjects,
  waypointNode: string,
  options: EnvoyOptions,
): { shape: ArmShape; manifests: readonly Manifest[] } {
  if (hasGateway(path)) {
    const shape = mode === 'sidecar' ? sidecarIngressShape() : ambientIngressShape()
    return { shape, manifests: ingressManifests(mode, objects, waypointNode, options) }
  }
  if (mode === 'sidecar') {
    const layer = path.hops.some((hop) => hop.layer === 'l7') ? 'l7' : 'l4'
    return { shape: sidecarShape(layer), manifests: sidecarManifests(layer, objects, options) }
  }
  const withWaypoint = path.hops.some(({ role }) => role === 'waypoint')
  return { shape: ambientShape(withWaypoint), manifests: ambientManifests(withWaypoint, objects, options) }
}

async function raiseIstioArm(options: RaiseOptions): Promise<RaisedArm> {
  const { mode, arm, path, host, cluster, pullSecrets, envoy, installed, requestHeaders } = options
  const objects = cluster.objectsOf(arm)
  const planned = planArm(mode, path, objects, cluster.nodes.waypoint, envoy)
  const { shape, manifests } = installed ? onInstalled(installed, planned.shape, planned.manifests) : planned
  const readView = async ({ address, kind, layer }: BoundHop): Promise<IstioView> => {
    const page = { ...address, port: metricsPort, path: '/stats/prometheus' }
    const text = await fetchFromPods(cluster, page)
    return readIstioView(text, { kind, layer, namespace: objects.namespace })
  }
  const { raised, hops, serverEndpoint } = await bringUpArm(options, {
    ...{ shape, manifests, pullSecrets, deploymentOf },
    controller: mode === 'ambient' ? 'istiod with the ambient profile' : 'istiod',
    enter: hasGateway(path)
      ? () => serviceEndpoint(cluster, { ...objects, service: gatewayService })
      : undefined,
    bind: (hop) => bindHop({ arm, path }, hop, objects, cluster),
    read: async (bound) => (await readView(bound)).counters,
  })
  const proxy = hops.find(({ kind }) => !kind.startsWith('ztunnel'))
  const build = proxy && (await readBuild(cluster, proxy.address))
  return {
    ...raised,
    ...defined({ build }),
    prove: (): Promise<readonly ProofCheck[]> =>
      proveIstioArm({
        ...{ mode, cluster, host, objects, endpoint: serverEndpoint, hops, readView, requestHeaders },
        runAsStranger: (argv) => cluster.runAsStranger(arm, argv),
      }),
  }
}
