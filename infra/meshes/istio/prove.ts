/** Checks of an Istio arm before it is measured: each one fails when the mesh is bypassed, plain or misplaced. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Endpoint, Host, ProofCheck } from '../../../harness/model.js'
import type { ArmObjects, ClusterAccess } from '../../../harness/model/cluster-access.js'
import {
  findPods,
  patience,
  proveMoved,
  proveOnNode,
  provePlacement,
  provePlaintextRefused,
  proveReachable,
  proveStrangerRefused,
  type PodView,
  type RequestHeaders,
} from '../hops/queries.js'
import { gatewayAccount, gatewayName, gatewayService, principal, waypointName } from './manifests.js'
import type { IstioView, TlsLeg } from './counters.js'
import type { BoundHop } from './hop.js'
import type { IstioMode } from './values.js'

export interface IstioProofInput {
  readonly mode: IstioMode
  readonly cluster: ClusterAccess
  readonly host: Host
  readonly objects: ArmObjects
  /** The server's own, which nothing but the mesh may reach. */
  readonly endpoint: Endpoint & { readonly authority: string }
  readonly hops: readonly BoundHop[]
  readonly readView: (hop: BoundHop) => Promise<IstioView>
  /** Fields that requests carry: without them a function would refuse what is to be refused for another reason. */
  readonly requestHeaders?: RequestHeaders
  /** Runs a command in the mesh under an identity that is nobody's peer. */
  readonly runAsStranger: (argv: readonly string[]) => Promise<string>
  /** Replaced in tests. */
  readonly wait?: (ms: number) => Promise<unknown>
}

export async function proveIstioArm(input: IstioProofInput): Promise<readonly ProofCheck[]> {
  const { mode, cluster, host, objects, endpoint, hops, requestHeaders } = input
  const { namespace, clientSelector, serverSelector } = objects
  const isIngress = hops.some(({ kind }) => kind === 'gateway')
  const clients = await findPods(cluster, namespace, clientSelector)
  const servers = await findPods(cluster, namespace, serverSelector)
  const prove = mode === 'sidecar' ? proveSidecar : proveCaptured
  const enrolled = [...clients.map(isIngress ? proveOutside : prove), ...servers.map(prove)]
  const checks = [
    ...(await provePlacement(cluster, objects)),
    ...enrolled,
    await proveStrict(cluster, namespace),
    ...(await proveOneRequest(input)),
    await provePlaintextRefused(cluster, host, endpoint, requestHeaders),
    // Last: hops remember peers, and this one is none of the path's.
    await proveStrangerRefused(input.runAsStranger, objects, requestHeaders),
  ]
  const gateway = isIngress ? gatewayName : waypointName
  if (!hops.some(({ kind }) => kind === 'waypoint' || kind === 'gateway')) return checks
  const selector = `gateway.networking.k8s.io/gateway-name=${gateway}`
  return [...checks, await proveOnNode(cluster, 'waypoint', { namespace, selector }, gateway)]
}

/** The sidecar is there and ready, as a native one or as a container beside the application. */
function proveSidecar(pod: PodView): ProofCheck {
  const native = pod.initContainers.find(({ name }) => name === 'istio-proxy')
  const found = native ?? pod.containers.find(({ name }) => name === 'istio-proxy')
  const kind = native ? 'native' : 'regular'
  return {
    name: `sidecar in ${pod.name}`,
    ok: found?.ready === true,
    expected: 'istio-proxy, ready',
    actual: found ? `${kind} istio-proxy, ${found.ready ? 'ready' : 'not ready'}` : 'none was injected',
  }
}

/** istio-cni marks a pod once its traffic goes to the node's ztunnel. */
function proveCaptured(pod: PodView): ProofCheck {
  const actual = pod.annotations['ambient.istio.io/redirection'] ?? 'no mark'
  return {
    name: `${pod.name} is captured by ztunnel`,
    ok: actual === 'enabled',
    expected: 'ambient.istio.io/redirection: enabled',
    actual,
  }
}

/** A client that were captured, or had a sidecar, would enter as a part of the mesh, not from outside. */
function proveOutside(pod: PodView): ProofCheck {
  const captured = pod.annotations['ambient.istio.io/redirection'] === 'enabled'
  const sidecar = [...pod.initContainers, ...pod.containers].some(({ name }) => name === 'istio-proxy')
  return {
    name: `${pod.name} is outside of the mesh`,
    ok: !captured && !sidecar,
    expected: 'no sidecar, not captured by ztunnel',
    actual: captured ? 'captured by ztunnel' : sidecar ? 'has a sidecar' : 'outside',
  }
}

async function proveStrict(cluster: ClusterAccess, namespace: string): Promise<ProofCheck> {
  const get = ['get', 'peerauthentication', 'default', '-n', namespace]
  const mode = await cluster.kubectl([...get, '-o', 'jsonpath={.spec.mtls.mode}'])
  const actual = mode.trim() || 'not set'
  return { name: 'mutual TLS is required', ok: actual === 'STRICT', expected: 'STRICT', actual }
}

/** One request, and every hop that counts by itself must have seen it, with the right peer. */
async function proveOneRequest(input: IstioProofInput): Promise<ProofCheck[]> {
  const { hops, readView, cluster, objects, requestHeaders, wait = sleep } = input
  const readAll = () => Promise.all(hops.map(readView))
  const before = await readAll()
  const isIngress = hops.some(({ kind }) => kind === 'gateway')
  const entry = isIngress ? { ...objects, service: gatewayService } : objects
  const reachable = await proveReachable(cluster, entry, undefined, {
    ...{ headers: requestHeaders, tries: patience.tries, wait },
  })
  const after = await readAll()
  return [reachable, ...hops.flatMap((hop, index) => proveHop(input, hop, before[index], after[index]))]
}

function proveHop(
  input: IstioProofInput,
  { component, kind, layer }: BoundHop,
  before: IstioView | undefined,
  after: IstioView | undefined,
): ProofCheck[] {
  const counter = layer === 'l7' ? 'requests' : 'downstreamConnections'
  const title = `${counter} at ${component.hop}`
  const moved = proveMoved(title, before?.counters[counter], after?.counters[counter], 'with mutual TLS')
  const tls = after?.tls ? [proveTls(`encrypted leg at ${component.hop}`, after.tls)] : []
  const expected = expectedPeer(kind, input)
  if (expected === undefined || !after) return [moved, ...tls]
  if (!after.peerCounts) return [moved, ...tls, proveAdmitted(component, expected, before, after)]
  // Others may have been seen, and refused, before: ztunnel counts their connections, too, for as long as it lives.
  const peers = Object.entries(after.peerCounts)
    .filter(([peer, count]) => count > (before?.peerCounts?.[peer] ?? 0))
    .map(([peer]) => peer)
  return [
    moved,
    ...tls,
    {
      name: `peer identity at ${component.hop}`,
      ok: peers.length === 1 && peers[0] === expected,
      expected,
      actual: peers.join(', ') || 'none',
    },
  ]
}

/** An Envoy without Istio's extension names no peers; that its policy, which names one alone, let it in is what it counts. */
function proveAdmitted(
  { hop }: BoundHop['component'],
  peer: string,
  before: IstioView | undefined,
  after: IstioView,
): ProofCheck {
  const rose = (after.admitted ?? 0) - (before?.admitted ?? 0)
  return {
    name: `peer identity at ${hop}`,
    ok: rose > 0,
    expected: `${peer}, let in by the policy that names it alone`,
    actual: after.admitted === undefined ? 'no policy counts there' : `${rose} let in`,
  }
}

/** Envoy's own word that it spoke TLS, with the cipher and the curve that were agreed on. */
function proveTls(name: string, { handshakes, ciphers, curves }: TlsLeg): ProofCheck {
  return {
    name,
    ok: handshakes > 0 && ciphers.length > 0,
    expected: 'at least 1 TLS handshake',
    actual: `${handshakes} of TLS: ${[...ciphers, ...curves].join(', ') || 'no cipher'}`,
  }
}

/** Whose certificate a hop must have seen: behind a waypoint, the waypoint's own. */
function expectedPeer(kind: BoundHop['kind'], { objects, hops }: IstioProofInput): string | undefined {
  const id = (account: string) => `spiffe://${principal(objects.namespace, account)}`
  const behindWaypoint = hops.some((hop) => hop.kind === 'waypoint')
  const behindGateway = hops.some((hop) => hop.kind === 'gateway')
  switch (kind) {
    case 'sidecar-inbound':
      return id(behindGateway ? gatewayAccount : 'client')
    case 'waypoint':
      return id('client')
    case 'ztunnel-inbound':
      return id(behindWaypoint ? waypointName : behindGateway ? gatewayAccount : 'client')
    case 'ztunnel-outbound':
      return id(behindWaypoint ? waypointName : 'server')
    case 'gateway':
    case 'sidecar-outbound':
      return undefined
  }
}
