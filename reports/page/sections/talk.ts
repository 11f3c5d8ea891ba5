/** The tables of the talk that this project tests: functions by layer, five views. Text is fixed, figures are not. */

/** What a mesh does, where, and at which layer; `cost` says which measured figure prices it. */
export const functionRows: readonly {
  readonly name: string
  readonly layer: string
  readonly where: string
  readonly cost: 'l4' | 'l7' | 'none'
}[] = [
  {
    name: 'Request load balancing, retry, timeout, circuit breaking, JWT validation, header manipulation, traffic splitting, mirroring, locality-aware routing, fault injection',
    layer: 'L7',
    where: 'user space',
    cost: 'l7',
  },
  {
    name: 'Request-level authorization: JWT claims, headers, OIDC, external authorization, rate limit',
    layer: 'L7',
    where: 'user space',
    cost: 'l7',
  },
  {
    name: 'Observing request count, 5xx, latency, size',
    layer: 'L7',
    where: 'user space or kernel',
    cost: 'l7',
  },
  {
    name: 'mTLS, mutual authentication, protocol and port authorization',
    layer: 'L4',
    where: 'user space and kernel',
    cost: 'l4',
  },
  {
    name: 'Connection metrics, connection load balancing',
    layer: 'L4',
    where: 'user space or kernel',
    cost: 'l4',
  },
  { name: 'Network policy', layer: 'L3 and L4', where: 'kernel', cost: 'none' },
]

export const viewColumns = [
  'control plane',
  'data plane',
  'mTLS',
  'observability',
  'traffic control',
] as const

interface MeasuredArm {
  readonly mesh: string
  readonly path: string
}

/** The systems of the talk along five views; `arms` says which are the system itself. */
export const systemRows: readonly {
  readonly system: string
  readonly views: readonly [string, string, string, string, string]
  readonly arms: readonly MeasuredArm[]
}[] = [
  {
    system: 'Linkerd 1.x',
    views: [
      'namerd, service discovery',
      'one opt-in JVM proxy per node, shared by all workloads',
      'between node proxies',
      'at the node proxy, L7',
      'routing rules in the node proxy; ingress by the same proxy',
    ],
    // Finagle alone is Linkerd's stack, not Linkerd.
    arms: [],
  },
  {
    system: 'Istio with sidecars',
    views: [
      'istiod configures every sidecar',
      'one Envoy in each pod, transparent, single tenant',
      'sidecar to sidecar, SPIFFE identities',
      'at both sidecars, L7',
      'at the client sidecar; ingress gateway',
    ],
    arms: [{ mesh: 'istio-sidecar', path: 'l7-sidecar-to-sidecar' }],
  },
  {
    system: 'Istio ambient',
    views: [
      'istiod configures ztunnels and waypoints',
      'ztunnel per node for L4, waypoint Envoy for L7 on demand',
      'HBONE between ztunnels and waypoints, SPIFFE identities',
      'connections at ztunnel, requests at the waypoint',
      'at the waypoint; ingress gateway',
    ],
    arms: [
      { mesh: 'istio-ambient', path: 'l4-only' },
      { mesh: 'istio-ambient', path: 'l4-l7-l4' },
    ],
  },
  {
    system: 'Cilium',
    views: [
      'agent per node and operator',
      'eBPF in the kernel for L3 and L4, Envoy per node for L7',
      'handshake out of band between agents; WireGuard or IPsec encrypt between nodes',
      'Hubble, from the kernel; requests at Envoy',
      'at the node’s Envoy; ingress by the same',
    ],
    arms: [
      { mesh: 'cilium', path: 'l4-kernel' },
      { mesh: 'cilium', path: 'l7-per-node' },
    ],
  },
]

/** Published figures, for context only. */
export const published: readonly {
  readonly what: string
  readonly value: string
  readonly source: string
}[] = [
  {
    what: 'Istio 1.24 sidecar, 1 000 requests/s, 1 KB',
    value: '0.20 vCPU, 60 MB',
    source: 'Istio documentation, performance and scalability',
  },
  {
    what: 'Istio 1.24 waypoint, 1 000 requests/s, 1 KB',
    value: '0.25 vCPU, 60 MB',
    source: 'Istio documentation, performance and scalability',
  },
  {
    what: 'Istio 1.24 ztunnel, 1 000 requests/s, 1 KB',
    value: '0.06 vCPU, 12 MB',
    source: 'Istio documentation, performance and scalability',
  },
  {
    what: 'Istio 1.22, two ztunnels',
    value: '+0.17 ms at p90, +0.20 ms at p99',
    source: 'Istio 1.22 documentation',
  },
  {
    what: 'Sidecar overhead, worst case',
    value: '+269 % latency, +163 % vCPU',
    source: 'MeshInsight, SoCC 2023',
  },
  {
    what: 'Latency rise with mTLS: Istio, Cilium, Linkerd, ambient',
    value: '166 %, 99 %, 33 %, 8 %',
    source: 'arXiv 2411.02267, quoted second hand',
  },
]
