/** What each of Cilium's paths puts into an arm's namespace, as pure data. */
import type { ArmObjects, ArmShape } from '../../../harness/model/cluster-access.js'
import { gatewayApiGroup, httpListener, httpRoute } from '../clusters/gateway-api.js'
import { manifest, type Manifest } from '../hops/yaml.js'

export type CiliumPath =
  | 'l4-kernel'
  | 'l4-kernel-wireguard'
  | 'l4-kernel-mutual-auth'
  | 'l7-per-node'
  | 'l7-per-node-both'
  | 'l4-ztunnel'
  | 'ingress-alone'

/** The shared Envoy answers 403 for this path wherever the L7 rules below hold. */
export const deniedPath = '/denied-by-policy'

export function ciliumShape(path: CiliumPath): ArmShape {
  return path === 'l4-ztunnel'
    ? { namespace: { labels: { 'io.cilium/mtls-enabled': 'true' } } }
    : { service: { appProtocol: 'http' } }
}

export function ciliumManifests(path: CiliumPath, objects: ArmObjects): readonly Manifest[] {
  switch (path) {
    case 'l4-kernel':
    case 'l4-kernel-wireguard':
      return [serverPolicy(objects, {})]
    case 'l4-kernel-mutual-auth':
      return [serverPolicy(objects, { mutualAuth: true })]
    case 'l7-per-node':
      return [serverPolicy(objects, { http: true })]
    case 'l7-per-node-both':
      return [serverPolicy(objects, { http: true }), clientPolicy(objects)]
    case 'l4-ztunnel':
      // Its packets are addressed to port 15008 before any policy sees them, so an L4 policy would deny them all.
      return []
    case 'ingress-alone':
      return [
        serverPolicy(objects, { from: { fromEntities: ['ingress'] } }),
        gateway(objects),
        httpRoute(objects, { group: gatewayApiGroup, kind: 'Gateway', name: gatewayName }),
      ]
  }
}

const gatewayName = 'gateway'
/** On the network of the waypoint's node, where its Envoy listens; one for each Gateway of a cluster, which has one here. */
export const gatewayPort = 8080
export const gatewayClassName = 'cilium'

/** Not the chart's, which would come only where the CRDs are there before it is rendered. */
export const gatewayClassManifests = (): readonly Manifest[] => [
  manifest(
    `${gatewayApiGroup}/v1`,
    'GatewayClass',
    { name: gatewayClassName },
    {
      controllerName: 'io.cilium/gateway-controller',
    },
  ),
]

function gateway({ namespace }: ArmObjects): Manifest {
  const spec = { gatewayClassName, listeners: [httpListener(gatewayPort)] }
  return manifest(`${gatewayApiGroup}/v1`, 'Gateway', { name: gatewayName, namespace }, spec)
}

/** Reads and writes are allowed, everything else is not: an HTTP rule is what sends traffic through Envoy. */
const httpRules = { http: [{ path: '/echo.*' }, { method: 'POST' }] }

const policy = (name: string, namespace: string, spec: object) =>
  manifest('cilium.io/v2', 'CiliumNetworkPolicy', { name, namespace }, spec)

interface ServerRules {
  readonly http?: boolean
  readonly mutualAuth?: boolean
  /** Who may come, when it is not the client: what Cilium calls `ingress` is whatever its gateways let in. */
  readonly from?: { readonly fromEntities: readonly string[] }
}

/** Only the client may reach the server; kubelets and the API server may, too, for probes and counters. */
function serverPolicy({ namespace, service }: ArmObjects, rules: ServerRules): Manifest {
  const { http, mutualAuth, from = { fromEndpoints: [{ matchLabels: { app: 'client' } }] } } = rules
  return policy('server', namespace, {
    endpointSelector: { matchLabels: { app: 'server' } },
    ingress: [
      {
        ...from,
        ...(mutualAuth ? { authentication: { mode: 'required' } } : {}),
        toPorts: [
          { ports: [{ port: String(service.port), protocol: 'TCP' }], ...(http ? { rules: httpRules } : {}) },
        ],
      },
      { fromEntities: ['host', 'remote-node', 'kube-apiserver'] },
    ],
  })
}

/** The second Envoy, on the client's node: the nearest thing to two sidecars. An egress policy must let DNS out. */
function clientPolicy({ namespace, service }: ArmObjects): Manifest {
  return policy('client', namespace, {
    endpointSelector: { matchLabels: { app: 'client' } },
    egress: [
      {
        toEndpoints: [{ matchLabels: { app: 'server' } }],
        toPorts: [{ ports: [{ port: String(service.port), protocol: 'TCP' }], rules: httpRules }],
      },
      {
        toEndpoints: [
          { matchLabels: { 'k8s:io.kubernetes.pod.namespace': 'kube-system', 'k8s:k8s-app': 'kube-dns' } },
        ],
        toPorts: [{ ports: [{ port: '53', protocol: 'ANY' }] }],
      },
    ],
  })
}
