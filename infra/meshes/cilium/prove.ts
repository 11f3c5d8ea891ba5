/**
 * Checks of a Cilium arm before it is measured. What the kernel does leaves no request counter, so its state is asked
 * of the agents on both nodes, and its effect is looked at: what is denied, what is encrypted, what went through Envoy.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { HopCounters, Host, NodeRole, ProofCheck } from '../../../harness/model.js'
import type { ArmObjects, ClusterAccess } from '../../../harness/model/cluster-access.js'
import {
  isCutOff,
  onePod,
  patience,
  proveMoved,
  provePlacement,
  provePlaintextRefused,
  proveReachable,
  requestAsClient,
  type ServiceEndpoint,
} from '../hops/queries.js'
import { deniedPath, type CiliumPath } from './manifests.js'
import type { CiliumHop } from './hop.js'
import {
  parseAgentStatus,
  parseAuthList,
  parseEncryptStatus,
  parseEndpoint,
  type AgentStatus,
  type EndpointView,
} from './status.js'

const agentNamespace = 'kube-system'
/** SPIRE hands out identities, and ztunnels are told of pods, in their own time: tries of the first request. */
const triesOf: Readonly<Partial<Record<CiliumPath, number>>> = {
  'l4-kernel-mutual-auth': 45_000 / patience.delayMs,
  'l4-ztunnel': 20_000 / patience.delayMs,
}

export interface CiliumProofInput {
  readonly path: CiliumPath
  readonly cluster: ClusterAccess
  readonly host: Host
  readonly objects: ArmObjects
  readonly endpoint: ServiceEndpoint
  /** The server's own, which is another one only behind a gateway. */
  readonly serverEndpoint: ServiceEndpoint
  readonly hops: readonly CiliumHop[]
  readonly readCounters: (component: string) => Promise<HopCounters>
  /** Replaced in tests. */
  readonly wait?: (ms: number) => Promise<unknown>
}

/** What the agents of both ends say. */
interface Ends {
  readonly client: EndpointView | undefined
  readonly server: EndpointView | undefined
  readonly clientAgent: AgentStatus
  readonly serverAgent: AgentStatus
}

export async function proveCiliumArm(input: CiliumProofInput): Promise<readonly ProofCheck[]> {
  const { path, cluster, host, objects, serverEndpoint } = input
  const ends = await settledEnds(input)
  return [
    ...(await provePlacement(cluster, objects)),
    ...proveKernel(ends),
    ...(path === 'l4-ztunnel' ? [] : [proveEnforced(ends)]),
    ...proveRedirects(path, ends),
    ...(await proveTraffic(input)),
    ...(await proveEncryption(input)),
    ...(path === 'l4-kernel-mutual-auth' ? [await proveHandshake(input, ends)] : []),
    ...(path === 'ingress-alone' ? await proveOnlyGateway(input) : []),
    // Whether Cilium's ztunnel refuses pods that are not enrolled is not documented; its counters tell mTLS apart.
    ...(path === 'l4-ztunnel' ? [] : [await provePlaintextRefused(cluster, host, serverEndpoint)]),
  ]
}

const agentOn = (cluster: ClusterAccess, role: NodeRole) =>
  onePod(cluster, { namespace: agentNamespace, selector: 'k8s-app=cilium', nodeName: cluster.nodes[role] })

/** Standard output of a command in the agent of one end's node. */
async function askAgent(cluster: ClusterAccess, role: NodeRole, command: readonly string[]): Promise<string> {
  const { name } = await agentOn(cluster, role)
  const inAgent = ['exec', '-n', agentNamespace, name, '-c', 'cilium-agent', '--']
  return cluster.kubectl([...inAgent, 'cilium-dbg', ...command])
}

async function readEnds({ cluster, objects }: CiliumProofInput): Promise<Ends> {
  const { namespace, clientSelector, serverSelector } = objects
  const endpointOf = async (role: 'client' | 'server', selector: string) => {
    const pod = await onePod(cluster, { namespace, selector })
    return parseEndpoint(await askAgent(cluster, role, ['endpoint', 'list', '-o', 'json']), pod.addresses)
  }
  const statusOf = async (role: NodeRole) =>
    parseAgentStatus(await askAgent(cluster, role, ['status', '-o', 'json']))
  return {
    client: await endpointOf('client', clientSelector),
    server: await endpointOf('server', serverSelector),
    clientAgent: await statusOf('client'),
    serverAgent: await statusOf('server'),
  }
}

/** Reads until policy and redirects are as the path wants them, or patience ends: then what is there is judged. */
async function settledEnds(input: CiliumProofInput): Promise<Ends> {
  const { path, wait = sleep } = input
  let ends = await readEnds(input)
  for (let attempt = 1; attempt < patience.tries; attempt++) {
    const settled = [...(path === 'l4-ztunnel' ? [] : [proveEnforced(ends)]), ...proveRedirects(path, ends)]
    if (settled.every(({ ok }) => ok)) break
    await wait(patience.delayMs)
    ends = await readEnds(input)
  }
  return ends
}

function proveKernel({ clientAgent, serverAgent }: Ends): ProofCheck[] {
  const both = [clientAgent, serverAgent].map(({ kubeProxyReplacement }) => kubeProxyReplacement)
  return [
    {
      name: 'services are served in eBPF',
      ok: both.every(Boolean),
      expected: 'kube-proxy replaced on both nodes',
      actual: `client ${both[0]}, server ${both[1]}`,
    },
  ]
}

function proveEnforced({ server }: Ends): ProofCheck {
  const enforced = server?.enforced ?? 'no endpoint'
  return {
    name: "the server's policy is enforced",
    ok: enforced === 'ingress' || enforced === 'both',
    expected: 'ingress, or both',
    actual: enforced,
  }
}

/** Envoy is on the way exactly where the path says: an L4 arm that it parses is not an L4 arm. */
function proveRedirects(path: CiliumPath, { client, server, clientAgent, serverAgent }: Ends): ProofCheck[] {
  const wantServer = path === 'l7-per-node' || path === 'l7-per-node-both'
  const wantClient = path === 'l7-per-node-both'
  return [
    proveRedirect('traffic into the server', wantServer, server, 'ingress', serverAgent),
    proveRedirect('traffic out of the client', wantClient, client, 'egress', clientAgent),
  ]
}

/** An agent that does not know the pod says nothing about its traffic, so that neither answer is proved. */
function proveRedirect(
  name: string,
  wanted: boolean,
  end: EndpointView | undefined,
  direction: 'ingress' | 'egress',
  agent: AgentStatus,
): ProofCheck {
  const expected = wanted ? 'redirected to the Envoy DaemonSet' : 'not redirected'
  if (!end) return { name, ok: false, expected, actual: 'no endpoint' }
  const found = agent.redirects.some(
    (redirect) => redirect.endpointId === end.id && redirect.direction === direction,
  )
  return {
    name,
    ok: wanted === found && (!wanted || agent.envoyMode === 'external'),
    expected,
    actual: `${found ? 'redirected' : 'not redirected'} (Envoy ${agent.envoyMode})`,
  }
}

/** One request gets through and moves what it should; one that the L7 rules deny gets Envoy's 403. */
async function proveTraffic(input: CiliumProofInput): Promise<ProofCheck[]> {
  const { path, cluster, endpoint, objects, hops, readCounters, wait = sleep } = input
  const readAll = () => Promise.all(hops.map(({ component }) => readCounters(component.name)))
  const before = await readAll()
  const tries = triesOf[path] ?? 1
  const reachable = await proveReachable(cluster, objects, endpoint.authority, { tries, wait })
  const after = await readAll()
  const moved = hops.map(({ component, kind }, index) => {
    const counter = kind === 'envoy' || kind === 'gateway' ? 'requests' : 'downstreamConnections'
    // Ztunnel's series are those of mutual TLS; nothing encrypts what Envoy carries.
    const how = kind === 'envoy' || kind === 'gateway' ? undefined : 'with mutual TLS'
    return proveMoved(
      `${counter} at ${component.hop}`,
      before[index]?.[counter],
      after[index]?.[counter],
      how,
    )
  })
  if (!hops.some(({ kind }) => kind === 'envoy')) return [reachable, ...moved]
  const { status, text } = await requestAsClient(cluster, objects, deniedPath)
  return [
    reachable,
    ...moved,
    { name: 'a path that the L7 rule denies', ok: status === 403, expected: 'status 403', actual: text },
  ]
}

/**
 * The gateway is the DaemonSet's Envoy, whose cost can be told, and there is no way past it: the server lets nothing
 * else in, not even its own client.
 */
async function proveOnlyGateway({ cluster, objects }: CiliumProofInput): Promise<ProofCheck[]> {
  const { envoyMode } = parseAgentStatus(await askAgent(cluster, 'waypoint', ['status', '-o', 'json']))
  const past = await requestAsClient(cluster, objects, '/echo?size=1')
  return [
    {
      name: "the gateway's Envoy",
      ok: envoyMode === 'external',
      expected: 'the Envoy DaemonSet',
      actual: envoyMode,
    },
    {
      name: 'the client past the gateway is refused',
      ok: past.status === undefined && isCutOff(past.text),
      expected: 'a connection that is cut off',
      actual: past.text === '' ? 'nothing was said' : past.text,
    },
  ]
}

/** Encrypted exactly where the arm says so: a mode that is on by accident would be measured as the cheaper one. */
async function proveEncryption({ path, cluster, objects }: CiliumProofInput): Promise<ProofCheck[]> {
  if (path === 'l4-ztunnel') return []
  const wanted = path === 'l4-kernel-wireguard' ? 'Wireguard' : 'Disabled'
  const peers = new Set(Object.values(cluster.nodes)).size - 1
  const checks: ProofCheck[] = []
  for (const role of ['client', 'server'] as const) {
    const state = parseEncryptStatus(await askAgent(cluster, role, ['encrypt', 'status', '-o', 'json']))
    const enough = wanted === 'Disabled' || state.peers >= peers
    checks.push({
      name: `encryption on the ${role} node`,
      ok: state.mode === wanted && enough,
      expected: wanted === 'Disabled' ? wanted : `${wanted}, ${peers} peers`,
      actual: wanted === 'Disabled' ? state.mode : `${state.mode}, ${state.peers} peers`,
    })
  }
  if (wanted === 'Wireguard') checks.push(await proveBytesEncrypted(cluster, objects))
  return checks
}

/** The client node's WireGuard interface carries what the client sends. */
async function proveBytesEncrypted(cluster: ClusterAccess, objects: ArmObjects): Promise<ProofCheck> {
  const sent = async () => {
    const argv = ['cat', '/sys/class/net/cilium_wg0/statistics/tx_bytes']
    return Number((await cluster.onNode?.(cluster.nodes.client, argv))?.trim())
  }
  const before = await sent()
  await requestAsClient(cluster, objects, '/echo?size=1')
  const bytes = (await sent()) - before
  return {
    name: 'bytes sent through cilium_wg0 by one request',
    ok: bytes > 0,
    expected: 'more than 0',
    actual: String(bytes),
  }
}

/** The two identities have shaken hands through SPIRE, and the result still holds. */
async function proveHandshake({ cluster }: CiliumProofInput, { client, server }: Ends): Promise<ProofCheck> {
  const entries = parseAuthList(await askAgent(cluster, 'server', ['bpf', 'auth', 'list', '-o', 'json']))
  const entry = entries.find(
    ({ localIdentity, remoteIdentity }) =>
      localIdentity === server?.identity && remoteIdentity === client?.identity,
  )
  const valid = entry !== undefined && entry.spire && entry.expiresAt.getTime() > Date.now()
  return {
    name: 'client and server are authenticated',
    ok: valid,
    expected: `SPIRE handshake of identities ${client?.identity} and ${server?.identity}, not expired`,
    actual: entry
      ? `${entry.spire ? 'SPIRE' : 'another type'}, until ${entry.expiresAt.toISOString()}`
      : `no entry among ${entries.length}`,
  }
}
