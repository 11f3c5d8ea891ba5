/**
 * Hops that the kernel leads traffic to, as in a real mesh: the client dials the service and the server's pod, and rules of
 * nftables turn its connections to the hops. Node cannot ask for the address that a connection was meant for
 * (SO_ORIGINAL_DST); a rule for each service, which leads to a port of its own, does the same work in the kernel.
 */
import { endianness } from 'node:os'
import type {
  Arm,
  Component,
  Endpoint,
  EnvironmentRequest,
  Hop,
  Platform,
  ProofCheck,
  SocketPlace,
  Unmet,
} from '../../../harness/model.js'
import { settingsOf } from '../../../harness/model/variants.js'
import type { ArmNetwork, Stack } from '../kernel/arm-network.js'
import { refusalInNamespace } from '../kernel/needs.js'
import { readCounters, servicePort, table } from '../kernel/rules.js'
import type { HopSettings } from './settings.js'

/** Where traffic of a first hop is captured: in the client's pod, or as it comes out of it, on the node. */
type Place = 'pod' | 'node'

const captured: readonly Hop['role'][] = ['sidecar-outbound', 'tunnel-outbound', 'per-node']

/**
 * The pod that a node's tunnel has its socket in, as ztunnel has since its in-pod mode: a process that is started in the
 * pod's network opens the socket and hands it over. What the tunnel opens itself, to its peer and to the application, is the
 * node's, where ztunnel's is the pod's, too.
 */
export async function socketInPod(
  network: ArmNetwork,
  { role }: Pick<Hop, 'role'>,
): Promise<SocketPlace | undefined> {
  if (role !== 'tunnel-outbound' && role !== 'tunnel-inbound') return undefined
  const node = role === 'tunnel-outbound' ? 'client' : 'server'
  const { address, namespace } = await network.pod(node, node)
  return { host: address, enter: namespace.enter }
}

/** How the kernel leads connections to a hop: under another address, or under their own (Cilium's way into its Envoy). */
export type CaptureWay = 'redirect' | 'tproxy'

/** Packets with this mark are for this host, whatever their address. */
const mark = 1
const markTable = 100
const firstPacket = 'tcp flags & (syn | ack | rst | fin) == syn'

/** Lines of nft(8) that leave packets their address and have them taken by a hop that listens at `to`. */
export function transparentLines(
  name: 'outbound' | 'inbound',
  match: string,
  to: Endpoint,
): readonly string[] {
  return [
    `table ip ${table} {`,
    `  counter ${name} { }`,
    `  chain ${name} { type filter hook prerouting priority mangle; policy accept;`,
    // Every packet passes here, where a chain for NAT sees the first one of a connection.
    `    ${match} ${firstPacket} counter name ${name}`,
    `    ${match} tproxy to ${to.host}:${to.port} meta mark set ${mark} accept`,
    '  }',
    '}',
  ]
}

async function takeMarked(stack: Stack): Promise<void> {
  await stack.run(['ip', 'rule', 'add', 'fwmark', String(mark), 'lookup', String(markTable)])
  await stack.run(['ip', 'route', 'add', 'local', 'default', 'dev', 'lo', 'table', String(markTable)])
}

/** Lines of nft(8) that lead what goes to `from` to a hop that listens at `to`. */
export function outboundLines(place: Place, from: Endpoint, to: Endpoint): readonly string[] {
  // What a pod itself sends passes `output`, what comes from a pod `prerouting` of its node.
  const hook = place === 'pod' ? 'output' : 'prerouting'
  return [
    `table ip ${table} {`,
    '  counter outbound { }',
    `  chain outbound { type nat hook ${hook} priority -100; policy accept;`,
    // The hop itself dials pods and no service, so that its own connections pass.
    `    ip daddr ${from.host} tcp dport ${from.port} counter name outbound dnat to ${to.host}:${to.port}`,
    '  }',
    '}',
  ]
}

/** Lines of nft(8) for the server's pod: what comes from outside for the application goes to the sidecar. */
export function inboundLines(application: Endpoint, sidecar: Endpoint): readonly string[] {
  return [
    `table ip ${table} {`,
    '  counter inbound { }',
    '  chain inbound { type nat hook prerouting priority -100; policy accept;',
    // The sidecar's own connections to the application come by way of lo.
    `    iifname eth0 tcp dport ${application.port} counter name inbound redirect to :${sidecar.port}`,
    '  }',
    '}',
  ]
}

/** Captures what goes to the server's sidecar; the hop before dials the application's own address. */
export async function captureInbound(
  network: ArmNetwork,
  way: CaptureWay | undefined,
  application: Endpoint,
  sidecar: Endpoint,
): Promise<Endpoint> {
  const { namespace } = await network.pod('server', 'server')
  if (way === 'tproxy') {
    await takeMarked(namespace)
    await namespace.nft(transparentLines('inbound', `iifname eth0 tcp dport ${application.port}`, sidecar))
  } else await namespace.nft(inboundLines(application, sidecar))
  return application
}

/** What shows that a socket is open where it is meant to be: the pod's own list (proc_net(5)), state 0A is listening. */
export async function proveSocket(
  network: ArmNetwork,
  { role, name }: Pick<Hop, 'role' | 'name'>,
  { host, port }: Endpoint,
): Promise<ProofCheck> {
  const node = role === 'tunnel-outbound' ? 'client' : 'server'
  const { namespace } = await network.pod(node, node)
  const hex = (value: number, digits: number) => value.toString(16).toUpperCase().padStart(digits, '0')
  // Addresses are printed as the machine holds them, ports in network order.
  const address = Buffer.from(host.split('.').map(Number))
  const number = endianness() === 'LE' ? address.readUInt32LE() : address.readUInt32BE()
  const listening = `${hex(number, 8)}:${hex(port, 4)} 00000000:0000 0A`
  const ok = (await namespace.run(['cat', '/proc/net/tcp'])).includes(listening)
  return {
    name: `socket of ${name} in its pod`,
    ok,
    expected: 'listening',
    actual: ok ? 'listening' : 'none',
  }
}

export interface OutboundCapture {
  /** What the client dials. */
  readonly endpoint: Endpoint
  readonly component: Component
  /** Connections that the rule has led to the hop. */
  readConnections(): Promise<number>
}

/** Undefined for a hop that clients come to by its own address, as a gateway. */
export async function captureOutbound(
  network: ArmNetwork,
  way: CaptureWay | undefined,
  arm: Arm,
  hop: Pick<Hop, 'role'> | undefined,
  to: Endpoint,
): Promise<OutboundCapture | undefined> {
  if (!hop || !captured.includes(hop.role)) return undefined
  const pod = await network.pod('client', 'client')
  const place: Place = to.host === pod.address ? 'pod' : 'node'
  const stack: Stack = place === 'pod' ? pod.namespace : network.nodes.client
  const endpoint = { host: network.serviceAddress, port: servicePort }
  // What a pod sends itself cannot be taken as it passes: it is redirected, as by Istio's sidecars in either mode.
  if (way === 'tproxy' && place === 'node') {
    await takeMarked(stack)
    const match = `ip daddr ${endpoint.host} tcp dport ${endpoint.port}`
    await stack.nft(transparentLines('outbound', match, to))
  } else await stack.nft(outboundLines(place, endpoint, to))
  return {
    endpoint,
    component: { name: `${arm.id}/capture`, arm: arm.id, category: 'l4', node: 'client' },
    async readConnections() {
      const counters = await stack.run(['nft', 'list', 'counters', 'table', 'ip', table])
      return readCounters(counters).outbound ?? 0
    },
  }
}

/** Arms whose settings name a way of capture, where the platform has no namespaces to capture in, or the kernel not the way. */
export async function unmetCapture(
  mesh: string,
  { arms, config }: EnvironmentRequest,
  { offers }: Pick<Platform, 'offers'>,
): Promise<readonly Unmet[]> {
  const asked = arms.flatMap((arm) =>
    arm.mesh === mesh ? ((settingsOf(config, arm) as HopSettings).capture ?? []) : [],
  )
  if (asked.length === 0) return []
  if (offers.includes('namespaces')) return asked.includes('tproxy') ? unmetTransparent() : []
  return [
    {
      need: `network namespaces, for the setting capture of ${mesh}`,
      found: `platform ${config.platform}, where every hop is dialled`,
      remedy: 'measure it with --platform netns, or leave capture out',
    },
  ]
}

async function unmetTransparent(): Promise<readonly Unmet[]> {
  const example = { host: '127.0.0.1', port: 15_001 }
  const input = transparentLines('outbound', 'ip daddr 10.1.96.1 tcp dport 80', example).join('\n')
  const refusal = await refusalInNamespace(['nft', '-f', '-'], input)
  if (refusal === undefined) return []
  return [
    {
      need: 'TPROXY in the kernel, for capture: tproxy',
      found: refusal,
      remedy: 'load the kernel module nft_tproxy, or capture by redirect',
    },
  ]
}
