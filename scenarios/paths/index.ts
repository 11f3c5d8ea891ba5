/** Registry of paths: a new path is one row here. */
import type { Hop, Path } from '../../harness/model.js'

const clientTunnel: Hop = { name: 'client-tunnel', role: 'tunnel-outbound', layer: 'l4', node: 'client' }
const serverTunnel: Hop = { name: 'server-tunnel', role: 'tunnel-inbound', layer: 'l4', node: 'server' }
const waypoint: Hop = { name: 'waypoint', role: 'waypoint', layer: 'l7', node: 'waypoint' }
const gateway: Hop = { name: 'gateway', role: 'ingress', layer: 'l7', node: 'waypoint' }
const clientSidecar: Hop = { name: 'client-sidecar', role: 'sidecar-outbound', layer: 'l7', node: 'client' }
const serverSidecar: Hop = { name: 'server-sidecar', role: 'sidecar-inbound', layer: 'l7', node: 'server' }

const rows = {
  /** No mesh at all: what every other path is compared with. */
  baseline: {
    label: 'Baseline',
    summary: 'client → server, no mesh',
    colour: { light: '#6b7280', dark: '#a3a9b3' },
    hops: [],
    legs: ['plain'],
  },
  /** What traffic pays that needs only mutual TLS, identity and connection metrics. */
  'l4-only': {
    label: 'L4 only',
    summary: 'client → tunnel ⇒ tunnel → server, HBONE between the tunnels',
    colour: { light: '#0b7fc0', dark: '#56b4e9' },
    hops: [clientTunnel, serverTunnel],
    legs: ['plain', 'hbone', 'plain'],
  },
  /** The classic mesh: a proxy beside each application, both of which parse every request. */
  'l7-sidecar-to-sidecar': {
    label: 'L7-L7',
    summary: 'client → sidecar ⇒ sidecar → server, mutual TLS between the sidecars',
    colour: { light: '#c44e00', dark: '#ef7f3a' },
    hops: [clientSidecar, serverSidecar],
    legs: ['plain', 'mtls', 'plain'],
  },
  /** The sidecarless mesh: lean tunnels on the nodes, and one waypoint where L7 is wanted. */
  'l4-l7-l4': {
    label: 'L4-L7-L4',
    summary: 'client → tunnel ⇒ waypoint ⇒ tunnel → server, two HBONE legs',
    colour: { light: '#00795a', dark: '#1fbf92' },
    hops: [clientTunnel, waypoint, serverTunnel],
    legs: ['plain', 'hbone', 'hbone', 'plain'],
  },
  /** One proxy that all workloads of a node share, as Linkerd 1.x and Cilium's Envoy. */
  'l7-per-node': {
    label: 'L7 per node',
    summary: "client → the node's one shared proxy → server",
    colour: { light: '#8f6400', dark: '#e69f00' },
    hops: [{ name: 'node-proxy', role: 'per-node', layer: 'l7', node: 'client' }],
    legs: ['plain', 'plain'],
  },
  /** A shared proxy on both nodes: the nearest that per-node proxies come to a pair of sidecars. */
  'l7-per-node-both': {
    label: 'L7 per node, both ends',
    summary: "client → its node's shared proxy → the server's node's shared proxy → server",
    colour: { light: '#5f6b00', dark: '#c3cf3a' },
    hops: [
      { name: 'client-node-proxy', role: 'per-node', layer: 'l7', node: 'client' },
      { name: 'server-node-proxy', role: 'per-node', layer: 'l7', node: 'server' },
    ],
    legs: ['plain', 'plain', 'plain'],
  },
  /** What comes from outside: a gateway takes requests from clients that are no part of the mesh and carries them into it. */
  ingress: {
    label: 'Ingress',
    summary: 'client outside of the mesh → gateway ⇒ tunnel → server, HBONE behind the gateway',
    colour: { light: '#7d5a00', dark: '#d9b04c' },
    hops: [gateway, serverTunnel],
    legs: ['plain', 'hbone', 'plain'],
  },
  /** What comes from outside into a mesh of sidecars: a gateway at its edge, and the server's own proxy behind it. */
  'ingress-to-sidecar': {
    label: 'Ingress to sidecar',
    summary: 'client outside of the mesh → gateway ⇒ sidecar → server, mutual TLS behind the gateway',
    colour: { light: '#9a3f2b', dark: '#e39a86' },
    hops: [gateway, serverSidecar],
    legs: ['plain', 'mtls', 'plain'],
  },
  /** What comes from outside where nothing in user space stands before the server: the gateway is the only hop. */
  'ingress-alone': {
    label: 'Ingress alone',
    summary: 'client outside → gateway → server, nothing encrypted',
    colour: { light: '#4d6b57', dark: '#a3c4ad' },
    hops: [gateway],
    legs: ['plain', 'plain'],
  },
  /** Sidecars that only carry bytes: what a sidecar mesh costs a service whose port is declared as TCP. */
  'l4-sidecar-to-sidecar': {
    label: 'L4-L4 sidecars',
    summary: 'client → sidecar ⇒ sidecar → server, as TCP proxies, mutual TLS between them',
    colour: { light: '#3b4ba3', dark: '#9aa6ee' },
    hops: [
      { ...clientSidecar, layer: 'l4' },
      { ...serverSidecar, layer: 'l4' },
    ],
    legs: ['plain', 'mtls', 'plain'],
  },
  /** Services and L4 policy by the kernel's own means: no proxy on the way, so what it costs is kernel time. */
  'l4-kernel': {
    label: 'L4 kernel',
    summary: 'client → kernel (services and policy) → server, nothing encrypted',
    colour: { light: '#a0437f', dark: '#d98fbf' },
    hops: [],
    legs: ['plain'],
  },
  /** L4 in the kernel with WireGuard between the nodes: bytes are encrypted, identities of workloads are not proven by it. */
  'l4-kernel-wireguard': {
    label: 'L4 kernel, WireGuard',
    summary: 'client → kernel ⇒ WireGuard between nodes ⇒ kernel → server',
    colour: { light: '#6b3fa0', dark: '#b79be6' },
    hops: [],
    legs: ['plain'],
  },
  /** L4 in the kernel with handshakes between agents, once for a pair of identities: the payload itself is not encrypted. */
  'l4-kernel-mutual-auth': {
    label: 'L4 kernel, mutual authentication',
    summary: 'client → kernel → server, authenticated beside the payload, nothing encrypted',
    colour: { light: '#8a2f4f', dark: '#e08aa5' },
    hops: [],
    legs: ['plain'],
  },
  /** A ztunnel on each node over an eBPF network: L4 with mutual TLS for each connection, where the CNI is the mesh. */
  'l4-ztunnel': {
    label: 'L4 ztunnel on eBPF',
    summary: 'client → ztunnel ⇒ ztunnel → server, HBONE between them, over an eBPF network',
    colour: { light: '#00728f', dark: '#4cc3dd' },
    hops: [clientTunnel, serverTunnel],
    legs: ['plain', 'hbone', 'plain'],
  },
} satisfies Record<string, Omit<Path, 'name'>>

export type PathName = keyof typeof rows

export const paths = Object.fromEntries(
  Object.entries<Omit<Path, 'name'>>(rows).map(([name, row]) => [name, { name, ...row }]),
) as Record<PathName, Path>
