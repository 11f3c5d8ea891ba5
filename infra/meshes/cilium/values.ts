/** Helm values of Cilium's chart for each mode, as pure data. Keys: the chart's README at 1.19-dev and 1.20's notes. */
import type { Endpoint } from '../../../harness/model.js'
import type { Ground } from '../clusters/values.js'
import { mirrored, type Mirrors } from '../../supply/pull.js'
import { hopLimits } from '../hops/hop-limits.js'
import { proxyResources } from '../hops/sizing.js'

/** What encrypts traffic between nodes: a setting of the whole cluster, so each has a cluster of its own. */
export type CiliumEncryption = 'none' | 'wireguard' | 'ztunnel'

/** Modes that decide the whole cluster; each is a mesh of its own. */
export type CiliumMode = CiliumEncryption | 'gateway'

export interface CiliumOptions {
  readonly encryption: CiliumEncryption
  /** SPIRE, and handshakes between agents where a policy asks for them. */
  readonly mutualAuth: boolean
  /** Flow visibility: on, as Cilium's own default is. */
  readonly hubble: boolean
  /**
   * Gateways of the Gateway API. The chart then takes pods' connections from the socket's load balancer to one for each
   * packet, on every path: so this, too, has a cluster of its own.
   */
  readonly gateways: boolean
  readonly apiServer: Endpoint
  /** Kubernetes node names. */
  readonly nodes: Pick<Ground['nodes'], 'waypoint' | 'control-plane'>
  /** Archives are loaded by tag, and containerd cannot find a digest that it did not pull. */
  readonly imagesByTag: boolean
  readonly mirrors?: Mirrors
  /** Names of Secrets in Cilium's namespace, and in SPIRE's. */
  readonly pullSecrets?: readonly string[]
}

/**
 * What tells clusters of a Cilium cluster mesh apart; here there is only one. Not the cluster's own name: the chart takes no
 * more than 32 characters, and no others than lower-case letters, digits and hyphens.
 */
const ciliumClusterName = 'meshbench'

export const ciliumNamespace = 'kube-system'
export const spireNamespace = 'cilium-spire'

/** Port of the shared Envoy's Prometheus endpoint on every node. */
export const envoyMetricsPort = 9964

const anyNode = [{ operator: 'Exists' }]

export function ciliumValues(options: CiliumOptions) {
  const { apiServer, nodes, hubble, mirrors = {}, pullSecrets = [] } = options
  const image = (repository: string) => ({
    ...(mirrored(repository, mirrors) === repository ? {} : { repository: mirrored(repository, mirrors) }),
    pullPolicy: 'IfNotPresent',
    ...(options.imagesByTag ? { useDigest: false } : {}),
  })
  const onControlPlane = {
    nodeSelector: { 'kubernetes.io/hostname': nodes['control-plane'] },
    tolerations: anyNode,
  }
  return {
    cluster: { name: ciliumClusterName },
    image: image('quay.io/cilium/cilium'),
    ...(pullSecrets.length === 0 ? {} : { imagePullSecrets: pullSecrets.map((name) => ({ name })) }),
    ipam: { mode: 'kubernetes' },
    kubeProxyReplacement: true,
    // Without kube-proxy nothing else leads to the API server.
    k8sServiceHost: apiServer.host,
    k8sServicePort: apiServer.port,
    routingMode: 'tunnel',
    l7Proxy: true,
    // The chart has no value of its own for it; the agent's default is an hour, and 0 is none.
    extraConfig: { 'http-request-timeout': String(hopLimits.requestTimeoutMs / 1000) },
    envoy: {
      enabled: true,
      image: image('quay.io/cilium/cilium-envoy'),
      resources: proxyResources,
      // Envoy's default is a worker for each core of the node; the starter takes arguments as the chart writes them.
      extraArgs: [`--concurrency ${hopLimits.workers}`],
      // Cilium's default is 3, Istio's 2.
      httpRetryCount: hopLimits.retries,
      idleTimeoutDurationSeconds: hopLimits.upstreamIdleMs / 1000,
      connectTimeoutSeconds: hopLimits.connectTimeoutMs / 1000,
      clusterMaxConnections: hopLimits.upstreamConnections,
      clusterMaxRequests: hopLimits.upstreamRequests,
      clusterMaxPendingRequests: hopLimits.pendingRequests,
    },
    encryption: encryptionValues(options, image),
    ...authenticationValues(options, image, onControlPlane),
    prometheus: { enabled: true },
    operator: { replicas: 1, image: image('quay.io/cilium/operator'), ...onControlPlane },
    hubble: { enabled: hubble, relay: { enabled: false }, ui: { enabled: false } },
    gatewayAPI: options.gateways ? gatewayValues(options) : { enabled: false },
  }
}

/**
 * On the network of one node: a node port would be served by the Envoy of the node that the client is on, wherever it leads
 * (`bpf_lxc` takes it for a service of its own).
 */
function gatewayValues({ nodes }: CiliumOptions) {
  const ofWaypoint = { matchLabels: { 'kubernetes.io/hostname': nodes.waypoint } }
  return { enabled: true, gatewayClass: { create: false }, hostNetwork: { enabled: true, nodes: ofWaypoint } }
}

type ImageValues = (repository: string) => object

function encryptionValues({ encryption }: CiliumOptions, image: ImageValues) {
  switch (encryption) {
    case 'none':
      return { enabled: false }
    case 'wireguard':
      // Nodes' own traffic stays plain, so that a baseline without encryption exists on this cluster.
      return { enabled: true, type: 'wireguard', nodeEncryption: false }
    case 'ztunnel':
      return {
        enabled: true,
        type: 'ztunnel',
        ztunnel: {
          image: image('quay.io/cilium/ztunnel'),
          resources: proxyResources,
          extraEnv: [{ name: 'ZTUNNEL_WORKER_THREADS', value: String(hopLimits.workers) }],
        },
      }
  }
}

/** Off by default since 1.20, and deprecated: `authentication.enabled` must be said. */
function authenticationValues({ mutualAuth }: CiliumOptions, image: ImageValues, placement: object) {
  if (!mutualAuth) return { authentication: { enabled: false } }
  return {
    authentication: {
      enabled: true,
      mutual: {
        spire: {
          enabled: true,
          install: {
            enabled: true,
            // It is made before the chart, which would lay its pods into it before the Secrets that they are pulled with.
            existingNamespace: true,
            initImage: image('docker.io/library/busybox'),
            server: {
              image: image('ghcr.io/spiffe/spire-server'),
              // A cluster of one run needs no volume that outlives a pod.
              dataStorage: { enabled: false },
              ...placement,
            },
            agent: { image: image('ghcr.io/spiffe/spire-agent'), tolerations: anyNode },
          },
        },
      },
    },
  }
}
