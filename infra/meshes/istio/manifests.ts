/** What enrols an arm in Istio and what its namespace holds, as pure data, one function for each path. */
import type { ArmObjects, ArmShape } from '../../../harness/model/cluster-access.js'
import { gatewayApiGroup, httpListener, httpRoute } from '../clusters/gateway-api.js'
import { hopLimits } from '../hops/hop-limits.js'
import { proxySizing } from '../hops/sizing.js'
import { manifest, type Manifest } from '../hops/yaml.js'
import { noFunctions, nothingAsked, type AskedOfClients, type IstioFunctions } from './functions.js'
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
  /** What is turned on beyond carrying traffic; absent: nothing. */
  readonly functions?: IstioFunctions
}

export function sidecarManifests(
  layer: SidecarLayer,
  objects: ArmObjects,
  { telemetry = true, curves, functions = noFunctions }: EnvoyOptions = {},
): readonly Manifest[] {
  const prompt = telemetry ? [promptTcpTelemetry(objects.namespace)] : []
  // Functions of requests are of hops that parse them, and of connections of hops that do not.
  const parsed = layer === 'l7' ? functions : noFunctions
  return [
    strictMutualTls(objects),
    destinationRule(objects, parsed, { tls: { mode: 'ISTIO_MUTUAL' } }),
    ...(layer === 'l7' ? [virtualService(objects, functions)] : prompt),
    ...serverPolicies(objects, 'client', layer === 'l7' ? functions.asked : portsAsked(functions)),
    ...(curves ? [curvesToServer(objects, 'SIDECAR_OUTBOUND', curves)] : []),
  ]
}

export function ambientManifests(
  withWaypoint: boolean,
  objects: ArmObjects,
  { functions = noFunctions }: Pick<EnvoyOptions, 'functions'> = {},
): readonly Manifest[] {
  return [
    strictMutualTls(objects),
    // Behind a waypoint the server's ztunnel sees the waypoint's identity, not the client's.
    ...serverPolicies(objects, withWaypoint ? waypointName : 'client', portsAsked(functions)),
    ...(withWaypoint ? waypointManifests(objects, functions) : []),
  ]
}

/** A service has one kind of route: an HTTPRoute, which is stable there, unless a function is asked for that it has not. */
function waypointManifests(objects: ArmObjects, functions: IstioFunctions): readonly Manifest[] {
  const isRouted = functions.shares.length > 0 || Object.keys(functions.route).length > 0
  return [
    waypoint(objects),
    ...waypointPolicies(objects, functions.asked),
    destinationRule(objects, functions),
    isRouted ? virtualService(objects, functions) : waypointRoute(objects),
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
  { curves, functions = noFunctions }: EnvoyOptions = {},
): readonly Manifest[] {
  const asked = mode === 'sidecar' ? functions.asked : portsAsked(functions)
  return [
    strictMutualTls(objects),
    ...serverPolicies(objects, gatewayAccount, asked),
    gatewayPlacement(objects, gatewayNode),
    gateway(objects),
    destinationRule(objects, functions, mode === 'sidecar' ? { tls: { mode: 'ISTIO_MUTUAL' } } : {}),
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
  const cluster = { service: serviceHost(objects), portNumber: service.port }
  const value = { transport_socket: { name: 'envoy.transport_sockets.tls', typed_config: tls } }
  const metadata = { name: 'curves', namespace }
  return manifest('networking.istio.io/v1alpha3', 'EnvoyFilter', metadata, {
    configPatches: [
      { applyTo: 'CLUSTER', match: { context, cluster }, patch: { operation: 'MERGE', value } },
    ],
  })
}

/** No port is exempt: counters of the application are read from within its pod. */
function strictMutualTls({ namespace }: ArmObjects): Manifest {
  const metadata = { name: 'default', namespace }
  return manifest('security.istio.io/v1', 'PeerAuthentication', metadata, { mtls: { mode: 'STRICT' } })
}

/** Who may reach the server's pods, by mTLS identity: what the reference mesh's hops check, too. */
function serverPolicies(objects: ArmObjects, peer: string, asked: AskedOfClients): readonly Manifest[] {
  return policies(objects, 'server', { selector: { matchLabels: { app: 'server' } } }, peer, asked)
}

function waypointPolicies(objects: ArmObjects, asked: AskedOfClients): readonly Manifest[] {
  const targetRefs = [{ group: '', kind: 'Service', name: objects.service.name }]
  return policies(objects, 'waypoint', { targetRefs }, 'client', asked)
}

/** What functions ask of a client goes into the rules that name its identity: a second policy would let in by itself. */
function policies(
  { namespace }: ArmObjects,
  name: string,
  target: object,
  peer: string,
  { jwtRules, requestPrincipals, allow, deny }: AskedOfClients,
): readonly Manifest[] {
  const policy = (kind: string, suffix: string, spec: object) =>
    manifest('security.istio.io/v1', kind, { name: `${name}${suffix}`, namespace }, { ...target, ...spec })
  const source = {
    principals: [principal(namespace, peer)],
    ...(requestPrincipals.length === 0 ? {} : { requestPrincipals }),
  }
  const rules = (allow.length === 0 ? [{}] : allow).map((rule) => ({ from: [{ source }], ...rule }))
  return [
    policy('AuthorizationPolicy', '', { action: 'ALLOW', rules }),
    ...(deny.length === 0 ? [] : [policy('AuthorizationPolicy', '-deny', { action: 'DENY', rules: deny })]),
    ...(jwtRules.length === 0 ? [] : [policy('RequestAuthentication', '', { jwtRules })]),
  ]
}

/** Of what carries connections. */
function portsAsked({ ports }: IstioFunctions): AskedOfClients {
  if (ports.length === 0) return nothingAsked
  return { ...nothingAsked, allow: [{ to: [{ operation: { ports: ports.map(String) } }] }] }
}

/** Host name that the sidecar and the waypoint route by. */
function serviceHost({ namespace, service }: ArmObjects): string {
  return `${service.name}.${namespace}.svc.cluster.local`
}

/** Pool limits of whatever Envoy speaks to the server: the client's sidecar, the waypoint, or the gateway. */
function destinationRule(
  objects: ArmObjects,
  { traffic, pool, shares }: IstioFunctions,
  tls: { tls?: object } = {},
): Manifest {
  const { namespace } = objects
  return manifest(
    'networking.istio.io/v1',
    'DestinationRule',
    { name: 'server', namespace },
    {
      host: serviceHost(objects),
      trafficPolicy: {
        ...tls,
        connectionPool: {
          tcp: {
            maxConnections: hopLimits.upstreamConnections,
            connectTimeout: `${hopLimits.connectTimeoutMs / 1000}s`,
            ...pool.tcp,
          },
          http: {
            http1MaxPendingRequests: hopLimits.pendingRequests,
            http2MaxRequests: hopLimits.upstreamRequests,
            idleTimeout: `${hopLimits.upstreamIdleMs / 1000}s`,
            h2UpgradePolicy: 'DO_NOT_UPGRADE',
            ...pool.http,
          },
        },
        ...traffic,
      },
      // All of the server's pods in each.
      ...(shares.length > 0 && {
        subsets: shares.map((_, index) => ({ name: subsetName(index), labels: { app: 'server' } })),
      }),
    },
  )
}

const subsetName = (index: number) => `share-${index + 1}`

function virtualService(objects: ArmObjects, { route, shares }: IstioFunctions): Manifest {
  const host = serviceHost(objects)
  const port = { number: objects.service.port }
  const targets =
    shares.length === 0
      ? [{ destination: { host, port } }]
      : shares.map((weight, index) => ({ destination: { host, subset: subsetName(index), port }, weight }))
  const metadata = { name: 'server', namespace: objects.namespace }
  return manifest('networking.istio.io/v1', 'VirtualService', metadata, {
    hosts: [host],
    http: [{ retries: { attempts: hopLimits.retries }, ...route, route: targets }],
  })
}

/**
 * Envoy reports a TCP connection with its first periodic report, 5 s after it opened unless told otherwise; a short
 * trial would end before its connections were counted.
 */
function promptTcpTelemetry(namespace: string): Manifest {
  const metadata = { name: 'prompt-tcp', namespace }
  return manifest('telemetry.istio.io/v1', 'Telemetry', metadata, {
    metrics: [{ providers: [{ name: 'prometheus' }], reportingInterval: '1s' }],
  })
}

function waypoint({ namespace }: ArmObjects): Manifest {
  const metadata = { name: waypointName, namespace, labels: { 'istio.io/waypoint-for': 'service' } }
  return manifest(`${gatewayApiGroup}/v1`, 'Gateway', metadata, {
    gatewayClassName: 'istio-waypoint',
    listeners: [{ name: 'mesh', port: 15008, protocol: 'HBONE' }],
  })
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
  // A load balancer's address would never come on a cluster that has none, and the Gateway would wait for it.
  const annotations = { 'networking.istio.io/service-type': 'ClusterIP' }
  return manifest(
    `${gatewayApiGroup}/v1`,
    'Gateway',
    { name: gatewayName, namespace, annotations },
    {
      gatewayClassName: 'istio',
      infrastructure: { parametersRef: { group: '', kind: 'ConfigMap', name: gatewayName } },
      listeners: [httpListener(gatewayService.port)],
    },
  )
}
