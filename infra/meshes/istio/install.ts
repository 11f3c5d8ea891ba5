/** Installs Istio from its charts, or takes care that nothing of others' is in the way, and undoes it where the cluster stays. */
import { gatewayApi, istio } from '../../supply/versions.js'
import { defined } from '../../../harness/model/defined.js'
import type { Downloads, Fact, Path } from '../../../harness/model.js'
import {
  meshLabel,
  type AccessOptions,
  type ClusterAccess,
  type ClusterCommands,
} from '../../../harness/model/cluster-access.js'
import { networkSteps } from '../cilium/install.js'
import { ciliumNamespace } from '../cilium/values.js'
import { gatewayApiStep, hasGateway } from '../clusters/gateway-api.js'
import { MeshInstallError } from '../clusters/install-errors.js'
import type { ChartSettings } from '../clusters/settings.js'
import {
  layValues,
  manifestSteps,
  overlayFacts,
  pullSecretNames,
  pullSecretSteps,
  unknownGround,
  type Ground,
  type LaidRelease,
} from '../clusters/values.js'
import {
  helmStep,
  kubernetesStep,
  loadImagesStep,
  undoing,
  uninstall,
  waitStep,
  type Step,
} from '../hops/steps.js'
import { ciliumUnderIstio, withCiliumCni } from './cilium-cni.js'
import { istioSettings, type IstioSettings } from './settings.js'
import { istioNamespace, istioReleases, type IstioMode, type IstioOptions } from './values.js'

/** What it is installed from. */
export function istioDownloads(
  mode: IstioMode,
  paths: readonly Path[],
  settings: { readonly cni?: 'cilium' | undefined; readonly installed?: object | undefined } = {},
): Downloads {
  if (settings.installed) return {}
  const { base, istiod, cni, ztunnel } = istio.charts
  const { images } = istio
  if (mode === 'ambient') {
    const own = {
      manifests: [gatewayApi],
      charts: [base, istiod, cni, ztunnel],
      images: [images.pilotDistroless, images.proxyDistroless, images.cni, images.ztunnel],
    }
    return settings.cni === 'cilium' ? withCiliumCni(own) : own
  }
  return {
    // Sidecars alone need none of it.
    manifests: paths.some(hasGateway) ? [gatewayApi] : [],
    charts: [base, istiod],
    images: [images.pilot, images.proxy],
  }
}

/** Charts with their values: ours, and with what the user lays over them. */
export function istioCharts(
  options: IstioOptions,
  settings: Pick<IstioSettings, 'values' | 'mirrors' | 'pullSecrets' | 'cni'>,
  ground: Ground,
  imagesByTag: boolean,
): readonly LaidRelease[] {
  const network = settings.cni === 'cilium' ? [ciliumUnderIstio(settings, ground, imagesByTag)] : []
  return [...network, ...layValues(`istio-${options.mode}`, istioReleases(options), settings)]
}

/** What the user lays over an installation, as far as it can be told without a cluster. */
export function istioOverlays(mode: IstioMode, given: unknown, paths: readonly Path[]): readonly Fact[] {
  const settings: IstioSettings = istioSettings[mode].parse(given ?? {})
  const mesh = `istio-${mode}`
  const options: IstioOptions = {
    mode,
    nodes: unknownGround.nodes,
    gateways: paths.some(hasGateway),
    pullSecrets: pullSecretNames(mesh, settings.pullSecrets),
    ...defined({ platform: settings.platform }),
  }
  return overlayFacts(mesh, istioCharts(options, settings, unknownGround, true), settings)
}

export function istioSteps(
  options: IstioOptions,
  { isOwn }: Pick<ClusterAccess, 'isOwn'>,
  releases: readonly LaidRelease[],
  { manifests, pullSecrets }: Pick<ChartSettings, 'manifests' | 'pullSecrets'>,
): readonly Step[] {
  const network = releases.filter(({ release }) => release === 'cilium')
  const own = releases.filter((release) => !network.includes(release))
  const charts = own.map(({ merged, ...release }) =>
    helmStep({ ...release, values: merged, namespace: istioNamespace }),
  )
  const supported = kubernetesStep(`Istio ${istio.version}`, istio.minKubernetesMinor)
  const ready = waitStep('istiod answers', ['rollout', 'status', 'deployment/istiod', '-n', istioNamespace])
  // Sidecars alone need none of it.
  const gateways = options.mode === 'ambient' || options.gateways ? [gatewayApiStep] : []
  return [
    supported,
    ...(isOwn ? [] : [noIstioYet]),
    loadImagesStep,
    ...(network.length === 0
      ? []
      : [...pullSecretSteps(ciliumNamespace, pullSecrets), ...networkSteps(network)]),
    ...gateways,
    ...pullSecretSteps(istioNamespace, pullSecrets),
    ...charts,
    ready,
    ...manifestSteps(manifests),
  ]
}

/**
 * On a cluster that is somebody's: charts would take over the releases of an Istio that runs there, and taking ours away would
 * take theirs. What is not there now is ours at the end.
 */
const noIstioYet: Step = {
  title: 'no Istio of others',
  async run({ mesh, cluster, undo }) {
    const found = await piecesOfIstio(cluster)
    if (found.length > 0) throw await refusal(mesh, cluster, found)
    undo('remove what helm leaves of Istio', () => removePieces(cluster))
    // Before anything else of it: what a run that is killed leaves has to be told from others'.
    const labels = { ...cluster.marks, [meshLabel]: mesh }
    const namespace = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: istioNamespace, labels } }
    await cluster.kubectl(['create', '-f', '-'], { input: JSON.stringify(namespace) })
  },
}

async function refusal(mesh: string, cluster: ClusterAccess, found: readonly string[]): Promise<Error> {
  const [mark = ''] = Object.keys(cluster.marks)
  const path = `jsonpath={.metadata.labels.${mark.replaceAll('.', '\\.')}}`
  const get = ['get', 'namespace', istioNamespace, '--ignore-not-found', '-o', path]
  const owner = (await cluster.kubectl(get)).trim()
  const what = owner === '' ? 'or what is left of one' : `which the run ${owner} made`
  return new MeshInstallError(
    `${mesh}: there is an Istio on the cluster already, ${what}: ${found.slice(0, 3).join(', ')}`,
    {
      hint:
        owner === ''
          ? `Use --platform kind; or, if nobody needs it, \`helm uninstall\` its releases in ${istioNamespace} and delete the rest.`
          : `\`meshbench clean ${owner}\` takes it away, if that run is over.`,
      detail: found.join('\n'),
      cause: undefined,
    },
  )
}

/** What a killed run left of its own, which has its mark: as the end of a run takes it, last first. */
export async function removeIstio(mode: IstioMode, cluster: ClusterCommands): Promise<void> {
  const releases = istioReleases({ mode, nodes: unknownGround.nodes }).map(({ release }) => release)
  for (const release of releases.reverse()) await uninstall(cluster, release, istioNamespace)
  await removePieces(cluster)
}

/** Names of cluster-wide objects that every Istio has, with their kinds. */
async function piecesOfIstio(
  cluster: Pick<ClusterCommands, 'kubectl'>,
  access: AccessOptions = {},
): Promise<readonly string[]> {
  const kinds =
    'namespaces,customresourcedefinitions,mutatingwebhookconfigurations,validatingwebhookconfigurations'
  const names = (await cluster.kubectl(['get', kinds, '-o', 'name'], access)).split('\n')
  return names.filter((name) =>
    /^namespace\/istio-system$|\.istio\.io$|webhookconfiguration.*\/istio/.test(name),
  )
}

/** Charts keep their CRDs and namespace; istiod itself makes classes of gateways, and ConfigMaps in every namespace. */
async function removePieces(cluster: Pick<ClusterCommands, 'kubectl'>): Promise<void> {
  for (const name of ['istio-ca-root-cert', 'istio-ca-crl']) {
    const everywhere = ['--all-namespaces', '--field-selector', `metadata.name=${name}`]
    await cluster.kubectl(['delete', 'configmaps', ...everywhere, '--wait=false'], undoing)
  }
  const classes = ['istio', 'istio-remote', 'istio-waypoint']
  // Where the Gateway API is not there, or no longer, they are not either.
  await cluster
    .kubectl(['delete', 'gatewayclasses', ...classes, '--ignore-not-found'], undoing)
    .catch(() => {})
  const pieces = await piecesOfIstio(cluster, undoing)
  if (pieces.length > 0)
    await cluster.kubectl(['delete', ...pieces, '--ignore-not-found', '--timeout=50s'], undoing)
}
