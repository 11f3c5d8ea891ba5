/** What enrols an arm in Istio and what its namespace holds, as pure data, one function for each path. */
import type { ArmObjects, ArmShape } from '../../../harness/model/cluster-access.js'
import { gatewayApiGroup, httpListener, httpRoute } from '../clusters/gateway-api.js'
import { hopLimits } from '../hops/hop-limits.js'
import { proxySizing, requestTimeout } from '../hops/sizing.js'
import type { Manifest } from '../hops/yaml.js'
import { proxyConfig, type IstioMode } from './values.js'

export const trustDomain = 'cluster.local'
export const waypointName = 'waypoint'
export const gatewayName = 'gateway'
/** Istio names what it makes of a Gateway, its service account too, after the Gateway and its class. */
export const gatewayAccount = `${gatewayName}-istio`
/** The Deployment that istiod makes of a Gateway: a waypoint's has its name alone. */
export function deploymentOf({ metadata: { name } }: Pick<Manifest, 'metadata'>): string {
  return name === gatewayName ? gatewayAccount : name
}
/** Where clients from outside enter: the Service that Istio makes of the Gateway. */
export const gatewayService = { name: gatewayAccount, port: 8080 } as const

/** SPIFFE id of a service account, without the scheme, as policies name it. */
export function principal(namespace: string, serviceAccount: string): string {
  return `${trustDomain}/ns/${namespace}/sa/${serviceAccount}`
}

/** `l7` parses requests, `l4` carries bytes: Istio decides by the service port's protocol. */
export type SidecarLayer = 'l4' | 'l7'

/** Port of the sidecar's and ztunnel's Prometheus endpoint, which capture leaves alone. */
export const metricsPort = 15020

const sidecarAnnotations = {
  // Any one of these drops the defaults of all, so they come together.
  'sidecar.istio.io/proxyCPU': proxySizing.cpuRequest,
  'sidecar.istio.io/proxyCPULimit': proxySizing.cpuLimit,
  'sidecar.istio.io/proxyMemory': proxySizing.memoryRequest,
  'sidecar.istio.io/proxyMemoryLimit': proxySizing.memoryLimit,
  'sidecar.istio.io/nativeSidecar': 'true',
  'proxy.istio.io/config': proxyConfig,
}

export function sidecarShape(layer: SidecarLayer): ArmShape {
  return {
    namespace: { labels: { 'istio-injection': 'enabled' } },
    clientPod: { annotations: sidecarAnnotations },
    serverPod: { annotations: sidecarAnnotations },
    service: { appProtocol: layer === 'l7' ? 'http' : 'tcp' },
    expectContainers: ['istio-proxy'],
  }
}

export function ambientShape(withWaypoint: boolean): ArmShape {
  return {
    namespace: { labels: { 'istio.io/dataplane-mode': 'ambient' } },
    service: {
      // The tunnel carries bytes whatever is in them; only a waypoint asks for the protocol.
      appProtocol: 'http',
      ...(withWaypoint ? { labels: { 'istio.io/use-waypoint': waypointName } } : {}),
    },
  }
}

/** The client is outside of the mesh, beside it in the same namespace. */
export function ambientIngressShape(): ArmShape {
  return { ...ambientShape(false), clientPod: { labels: { 'istio.io/dataplane-mode': 'none' } } }
}

/** Only the server asks for a sidecar: a namespace that injects would ask for the client, too. */
export function sidecarIngressShape(): ArmShape {
  return {
    serverPod: { annotations: sidecarAnnotations, labels: { 'sidecar.istio.io/inject': 'true' } },
    service: { appProtocol: 'http' },
  }
}

export interface EnvoyOptions {
  /** Whether the installation counts by Istio's own extension, which an Envoy of another build has not. */
  readonly telemetry?: boolean
  /** Curves that are offered to the server, best first. */
  readonly curves?: readonly string[]
}

export function sidecarManifests(
  layer: SidecarLayer,
  objects: ArmObjects,
  { telemetry = true, curves }: EnvoyOptions = {},
): readonly Manifest[] {
  const prompt = telemetry ? [promptTcpTelemetry(objects.namespace)] : []
  return [
    strictMutualTls(objects),
    destinationRule(objects, { tls: { mode: 'ISTIO_MUTUAL' } }),
    ...(layer === 'l7' ? [virtualService(objects)] : prompt),
    serverPolicy(objects, 'client'),
    ...(curves ? [curvesToServer(objects, 'SIDECAR_OUTBOUND', curves)] : []),
  ]
}

export function ambientManifests(withWaypoint: boolean, objects: ArmObjects): readonly Manifest[] {
  return [
    strictMutualTls(objects),
    // Behind a waypoint the server's ztunnel sees the waypoint's identity, not the client's.
    serverPolicy(objects, withWaypoint ? waypointName : 'client'),
    ...(withWaypoint
      ? [waypoint(objects), waypointPolicy(objects), destinationRule(objects), waypointRoute(objects)]
      : []),
  ]
}

/**
 * The way in from outside: a gateway of the Gateway API, and from it HBONE to the server's ztunnel, or mutual TLS to its
 * sidecar.
 */
export function ingressManifests(
  mode: IstioMode,
  objects: ArmObjects,
  gatewayNode: string,
  { curves }: EnvoyOptions = {},
): readonly Manifest[] {
  return [
    strictMutualTls(objects),
    serverPolicy(objects, gatewayAccount),
    gatewayPlacement(objects, gatewayNode),
    gateway(objects),
    destinationRule(objects, mode === 'sidecar' ? { tls: { mode: 'ISTIO_MUTUAL' } } : {}),
    httpRoute(objects, { group: gatewayApiGroup, kind: 'Gateway', name: gatewayName }),
    ...(curves && mode === 'sidecar' ? [curvesToServer(objects, 'GATEWAY', curves)] : []),
  ]
}

/** Istio has no setting for mutual TLS of its own: `tlsDefaults` leaves it out. */
function curvesToServer(
  objects: ArmObjects,
  context: 'SIDECAR_OUTBOUND' | 'GATEWAY',
  curves: readonly string[],
): Manifest {
  const { namespace, service } = objects
  const tls = {
    '@type': 'type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext',
    common_tls_context: { tls_params: { ecdh_curves: curves } },
  }
  return {
    apiVersion: 'networking.istio.io/v1alpha3',
    kind: 'EnvoyFilter',
    metadata: { name: 'curves', namespace },
    spec: {
      configPatches: [
        {
          applyTo: 'CLUSTER',
          match: { context, cluster: { service: serviceHost(objects), portNumber: service.port } },
          patch: {
            operation: 'MERGE',
            value: { transport_socket: { name: 'envoy.transport_sockets.tls', typed_config: tls } },
          },
        },
      ],
    },
  }
}

/** No port is exempt: counters of the application are read from within its pod. */
function strictMutualTls({ namespace }: ArmObjects): Manifest {
  return {
    apiVersion: 'security.istio.io/v1',
    kind: 'PeerAuthentication',
    metadata: { name: 'default', namespace },
    spec: { mtls: { mode: 'STRICT' } },
  }
}

/** Who may reach the server's pods, by mTLS identity: what the reference mesh's hops check, too. */
function serverPolicy({ namespace }: ArmObjects, peer: string): Manifest {
  return {
    apiVersion: 'security.istio.io/v1',
    kind: 'AuthorizationPolicy',
    metadata: { name: 'server', namespace },
    spec: {
      selector: { matchLabels: { app: 'server' } },
      action: 'ALLOW',
      rules: [{ from: [{ source: { principals: [principal(namespace, peer)] } }] }],
    },
  }
}

/** Host name that the sidecar and the waypoint route by. */
export function serviceHost({ namespace, service }: ArmObjects): string {
  return `${service.name}.${namespace}.svc.cluster.local`
}

/** Pool limits of whatever Envoy speaks to the server: the client's sidecar, the waypoint, or the gateway. */
function destinationRule(objects: ArmObjects, tls: { tls?: object } = {}): Manifest {
  return {
    apiVersion: 'networking.istio.io/v1',
    kind: 'DestinationRule',
    metadata: { name: 'server', namespace: objects.namespace },
    spec: {
      host: serviceHost(objects),
      trafficPolicy: {
        ...tls,
        connectionPool: {
          tcp: {
            maxConnections: hopLimits.upstreamConnections,
            connectTimeout: `${hopLimits.connectTimeoutMs / 1000}s`,
          },
          http: {
            http1MaxPendingRequests: hopLimits.pendingRequests,
            http2MaxRequests: hopLimits.upstreamRequests,
            idleTimeout: `${hopLimits.upstreamIdleMs / 1000}s`,
            h2UpgradePolicy: 'DO_NOT_UPGRADE',
          },
        },
      },
    },
  }
}

function virtualService(objects: ArmObjects): Manifest {
  const host = serviceHost(objects)
  return {
    apiVersion: 'networking.istio.io/v1',
    kind: 'VirtualService',
    metadata: { name: 'server', namespace: objects.namespace },
    spec: {
      hosts: [host],
      http: [
        {
          ...(requestTimeout === undefined ? {} : { timeout: requestTimeout }),
          retries: { attempts: hopLimits.retries },
          route: [{ destination: { host, port: { number: objects.service.port } } }],
        },
      ],
    },
  }
}

/**
 * Envoy reports a TCP connection with its first periodic report, 5 s after it opened unless told otherwise; a short
 * trial would end before its connections were counted.
 */
function promptTcpTelemetry(namespace: string): Manifest {
  return {
    apiVersion: 'telemetry.istio.io/v1',
    kind: 'Telemetry',
    metadata: { name: 'prompt-tcp', namespace },
    spec: { metrics: [{ providers: [{ name: 'prometheus' }], reportingInterval: '1s' }] },
  }
}

function waypoint({ namespace }: ArmObjects): Manifest {
  return {
    apiVersion: `${gatewayApiGroup}/v1`,
    kind: 'Gateway',
    metadata: { name: waypointName, namespace, labels: { 'istio.io/waypoint-for': 'service' } },
    spec: {
      gatewayClassName: 'istio-waypoint',
      listeners: [{ name: 'mesh', port: 15008, protocol: 'HBONE' }],
    },
  }
}

function waypointPolicy({ namespace, service }: ArmObjects): Manifest {
  return {
    apiVersion: 'security.istio.io/v1',
    kind: 'AuthorizationPolicy',
    metadata: { name: 'waypoint', namespace },
    spec: {
      targetRefs: [{ group: '', kind: 'Service', name: service.name }],
      action: 'ALLOW',
      rules: [{ from: [{ source: { principals: [principal(namespace, 'client')] } }] }],
    },
  }
}

function waypointRoute(objects: ArmObjects): Manifest {
  const { name, port } = objects.service
  return httpRoute(objects, { group: '', kind: 'Service', name, port })
}

/** What Istio lays over the Deployment that it makes of the Gateway; limits are those of every proxy. */
function gatewayPlacement({ namespace }: ArmObjects, node: string): Manifest {
  const pod = {
    nodeSelector: { 'kubernetes.io/hostname': node },
    tolerations: [{ operator: 'Exists' }],
  }
  return {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: gatewayName, namespace },
    data: { deployment: JSON.stringify({ spec: { template: { spec: pod } } }) },
  }
}

function gateway({ namespace }: ArmObjects): Manifest {
  return {
    apiVersion: `${gatewayApiGroup}/v1`,
    kind: 'Gateway',
    metadata: {
      name: gatewayName,
      namespace,
      // A load balancer's address would never come on a cluster that has none, and the Gateway would wait for it.
      annotations: { 'networking.istio.io/service-type': 'ClusterIP' },
    },
    spec: {
      gatewayClassName: 'istio',
      infrastructure: { parametersRef: { group: '', kind: 'ConfigMap', name: gatewayName } },
      listeners: [httpListener(gatewayService.port)],
    },
  }
}
