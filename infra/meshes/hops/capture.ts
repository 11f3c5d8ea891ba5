/**
 * Hops that the kernel leads traffic to, as in a real mesh: the client dials the service and the server's pod, and rules of
 * nftables turn its connections to the hops. Node cannot ask for the address that a connection was meant for
 * (SO_ORIGINAL_DST); a rule for each service, which leads to a port of its own, does the same work in the kernel.
 */
import type {
  Arm,
  Component,
  Endpoint,
  EnvironmentRequest,
  Hop,
  Platform,
  Unmet,
} from '../../../harness/model.js'
import { settingsOf } from '../../../harness/model/variants.js'
import type { ArmNetwork, Stack } from '../kernel/arm-network.js'
import { readCounters, servicePort, table } from '../kernel/rules.js'
import type { HopSettings } from './settings.js'

/** Where traffic of a first hop is captured: in the client's pod, or as it comes out of it, on the node. */
type Place = 'pod' | 'node'

const captured: Readonly<Partial<Record<Hop['role'], Place>>> = {
  'sidecar-outbound': 'pod',
  'tunnel-outbound': 'node',
  'per-node': 'node',
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
  application: Endpoint,
  sidecar: Endpoint,
): Promise<Endpoint> {
  const { namespace } = await network.pod('server', 'server')
  await namespace.nft(inboundLines(application, sidecar))
  return application
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
  arm: Arm,
  hop: Pick<Hop, 'role'> | undefined,
  to: Endpoint,
): Promise<OutboundCapture | undefined> {
  const place = hop && captured[hop.role]
  if (place === undefined) return undefined
  const stack: Stack =
    place === 'pod' ? (await network.pod('client', 'client')).namespace : network.nodes.client
  const endpoint = { host: network.serviceAddress, port: servicePort }
  await stack.nft(outboundLines(place, endpoint, to))
  return {
    endpoint,
    component: { name: `${arm.id}/capture`, arm: arm.id, category: 'l4', node: 'client' },
    async readConnections() {
      const counters = await stack.run(['nft', 'list', 'counters', 'table', 'ip', table])
      return readCounters(counters).outbound ?? 0
    },
  }
}

/** Arms whose settings name a way of capture, where the platform has no namespaces to capture in. */
export function unmetCapture(
  mesh: string,
  { arms, config }: EnvironmentRequest,
  { offers }: Pick<Platform, 'offers'>,
): readonly Unmet[] {
  if (offers.includes('namespaces')) return []
  const asked = arms.filter(
    (arm) => arm.mesh === mesh && (settingsOf(config, arm) as HopSettings).capture !== undefined,
  )
  if (asked.length === 0) return []
  return [
    {
      need: `network namespaces, for the setting capture of ${mesh}`,
      found: `platform ${config.platform}, where every hop is dialled`,
      remedy: 'measure it with --platform netns, or leave capture out',
    },
  ]
}
