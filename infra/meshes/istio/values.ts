/** Helm values of Istio's charts, as pure data: both modes get the same limits, and nothing that the charts default. */
import { defined } from '../../../harness/model/defined.js'
import { istio } from '../../supply/versions.js'
import type { ChartRelease } from '../clusters/values.js'
import { hopLimits } from '../hops/hop-limits.js'
import { controlPlaneRequests, proxyResources } from '../hops/sizing.js'

export const istioNamespace = 'istio-system'

export type IstioMode = 'sidecar' | 'ambient'

/** Charts that values can be given to. */
export const releaseNames = {
  sidecar: ['istio-base', 'istiod'],
  // The last only where Cilium is the network under it.
  ambient: ['istio-base', 'istiod', 'istio-cni', 'ztunnel', 'cilium'],
} as const

export interface IstioOptions {
  readonly mode: IstioMode
  /** Kubernetes node names. */
  readonly nodes: { readonly waypoint: string; readonly 'control-plane': string }
  /** `docker.io/istio`, or its mirror. */
  readonly hub?: string
  /** Whether a path comes in through a gateway, which needs the Gateway API's CRDs. */
  readonly gateways?: boolean
  /** Names of Secrets in Istio's namespace, and in those of pods with an injected proxy. */
  readonly pullSecrets?: readonly string[]
  /** What Kubernetes runs on, where Istio's charts know it under a name: paths of CNI plugins, quotas and the like. */
  readonly platform?: IstioPlatform
}

/** As the charts' files `profile-platform-*.yaml` are named. */
export const istioPlatforms = ['gke', 'k3d', 'k3s', 'microk8s', 'minikube', 'openshift'] as const
export type IstioPlatform = (typeof istioPlatforms)[number]

/** Tolerates what keeps other workloads off the benchmark's nodes. */
const anyNode = [{ operator: 'Exists' }]
const on = (node: string) => ({ 'kubernetes.io/hostname': node })

const image = (hub: string) => ({ hub, tag: istio.version, imagePullPolicy: 'IfNotPresent' })

const secretsOf = ({ pullSecrets = [] }: IstioOptions) =>
  pullSecrets.length === 0 ? {} : { imagePullSecrets: pullSecrets }
const platformOf = ({ platform }: IstioOptions) => defined({ platform })

/** The `ambient` profile also teaches sidecars HBONE, so it must not be on a sidecar cluster. */
const profileOf = (mode: IstioMode) => (mode === 'ambient' ? { profile: 'ambient' } : {})

/** What proves a path: Istio's bootstrap leaves these of Envoy's counters out unless they are named. */
const provingStats = {
  inclusionRegexps: [
    // HBONE leaves by a cluster of its own, whose name istiod ends with a semicolon.
    'cluster\\.((in|out)bound.*|connect_originate;?)\\.(upstream_(rq_total|cx_(total|[rt]x_bytes_total))|ssl\\.(handshake|ciphers\\..*|curves\\..*))',
    'listener\\..*\\.ssl\\.(handshake|ciphers\\..*|curves\\..*)',
    // Peers that a policy let in: what tells identities where Istio's extension is not there.
    '.*rbac\\.(allowed|denied)',
  ],
}

/** A proxy's own configuration, as annotations have it. */
export const proxyConfig = JSON.stringify({ concurrency: hopLimits.workers, proxyStatsMatcher: provingStats })

export function istiodValues(options: IstioOptions) {
  const { mode, nodes, hub = istio.hub } = options
  return {
    ...profileOf(mode),
    global: {
      ...image(hub),
      ...secretsOf(options),
      ...platformOf(options),
      proxy: { resources: proxyResources },
      ...(mode === 'ambient'
        ? {
            waypoint: {
              resources: proxyResources,
              nodeSelector: on(nodes.waypoint),
              tolerations: anyNode,
            },
          }
        : {}),
    },
    autoscaleEnabled: false,
    resources: { requests: controlPlaneRequests },
    nodeSelector: on(nodes['control-plane']),
    tolerations: anyNode,
    meshConfig: {
      // One retry more or less decides an error rate, and Istio's default is 2.
      defaultHttpRetryPolicy: { attempts: hopLimits.retries },
      connectTimeout: `${hopLimits.connectTimeoutMs / 1000}s`,
      defaultConfig: { concurrency: hopLimits.workers, proxyStatsMatcher: provingStats },
    },
  }
}

function cniValues(options: IstioOptions) {
  const { mode, hub = istio.hub } = options
  return {
    ...profileOf(mode),
    global: { ...image(hub), ...secretsOf(options), ...platformOf(options) },
  }
}

function ztunnelValues(options: IstioOptions) {
  const { hub: from, tag, imagePullPolicy } = image(options.hub ?? istio.hub)
  const { platform } = options
  return {
    ...(platform === undefined ? {} : { global: { platform } }),
    ...secretsOf(options),
    hub: from,
    tag,
    variant: 'distroless',
    imagePullPolicy,
    // Default: a quarter of the node's cores, at least two.
    env: { ZTUNNEL_WORKER_THREADS: String(hopLimits.workers) },
    resources: proxyResources,
    // Its access log writes a line for each connection; Envoy's is off by default, and this makes them alike.
    logLevel: 'warn',
  }
}

/** Charts in the order of installation. */
export function istioReleases(options: IstioOptions): readonly ChartRelease[] {
  const { base, istiod, cni, ztunnel } = istio.charts
  const control = [
    { release: 'istio-base', chart: base, values: {} },
    { release: 'istiod', chart: istiod, values: istiodValues(options) },
  ]
  return options.mode === 'sidecar'
    ? control
    : [
        ...control,
        { release: 'istio-cni', chart: cni, values: cniValues(options) },
        { release: 'ztunnel', chart: ztunnel, values: ztunnelValues(options) },
      ]
}
