/** Proofs of an Istio arm before it is measured: each must refuse the mesh that only looks like one. */
import { beforeEach, describe, expect, test } from 'vitest'
import type { HopCounters, ProofCheck } from '../../../harness/model.js'
import { transcriptCluster, transcriptHost } from '../testdata/transcript-cluster.js'
import { benchEndpoint, benchObjects, countReads, readTestdata } from '../clusters/testing.js'
import type { IstioView } from './counters.js'
import { proveIstioArm } from './prove.js'
import type { BoundHop } from './hop.js'
import type { IstioMode } from './values.js'

const id = (account: string) => `spiffe://cluster.local/ns/bench/sa/${account}`

function hop(kind: BoundHop['kind'], layer: 'l4' | 'l7'): BoundHop {
  return {
    kind,
    layer,
    component: { name: kind, hop: kind, category: layer, node: 'client' },
    address: { namespace: 'bench', selector: 'x' },
  }
}

type PodName =
  | 'sidecar-client'
  | 'sidecar-server'
  | 'plain-client'
  | 'ambient-client'
  | 'ambient-server'
  | 'waypoint'
  | 'gateway'
interface RecordedPod {
  readonly metadata: { readonly annotations?: Readonly<Record<string, string>> }
  readonly spec: object
  readonly status: {
    readonly initContainerStatuses?: readonly { readonly name: string; readonly ready: boolean }[]
    readonly containerStatuses: readonly { readonly name: string; readonly ready: boolean }[]
  }
}
const recorded = JSON.parse(readTestdata('istio/pods.json')) as Readonly<Record<PodName, RecordedPod>>

/** Which of the pods of a real Istio stands there, on which node, and what is otherwise with it. */
interface Pod {
  is: PodName
  node: string
  but?: (pod: RecordedPod) => RecordedPod
}
const pods = ({ is, node, but = (pod) => pod }: Pod) => {
  const { metadata, spec, status } = but(recorded[is])
  return JSON.stringify({
    items: [{ metadata: { ...metadata, name: 'pod-0' }, spec: { ...spec, nodeName: node }, status }],
  })
}

/** A world in which everything is right; each test breaks one thing. */
interface World {
  mode: IstioMode
  client: Pod
  server: Pod
  waypointNode: string
  strict: string
  answer: string
  plaintextReply: string
  /** Whether nothing that is asked from outside of the mesh gets anywhere. */
  isOutsideCutOff?: boolean
  stranger: string
  /** How often what the stranger said was lost before it is heard. */
  lost?: number
  hops: BoundHop[]
  after: Record<string, HopCounters>
  /** What every hop's page says besides. */
  more?: { readonly [K in keyof IstioView]?: IstioView[K] | undefined }
  /** Peers in a hop's counters before anything was asked. */
  seenBefore?: Record<string, Record<string, number>>
  answerAtFirst?: string
  /** Whether Envoys count whom their policies let in. */
  admits?: boolean
  /** Fields without which nobody is answered. */
  headers?: Record<string, string>
}

/** As on Kubernetes without native sidecars. */
const withRegularSidecar = ({ status, ...pod }: RecordedPod): RecordedPod => {
  const { initContainerStatuses = [], containerStatuses } = status
  return { ...pod, status: { containerStatuses: [...containerStatuses, ...initContainerStatuses.slice(-1)] } }
}
const withSidecarUnready = ({ status, ...pod }: RecordedPod): RecordedPod => {
  const { initContainerStatuses = [] } = status
  return {
    ...pod,
    status: {
      ...status,
      initContainerStatuses: initContainerStatuses.map((each) => ({ ...each, ready: false })),
    },
  }
}
const common = {
  waypointNode: 'meshbench-worker3',
  strict: 'STRICT',
  answer: 'status 200',
  plaintextReply: '',
  stranger: 'status 403',
}

const sidecarWorld = (): World => ({
  ...common,
  mode: 'sidecar',
  client: { is: 'sidecar-client', node: 'meshbench-worker' },
  server: { is: 'sidecar-server', node: 'meshbench-worker2' },
  hops: [hop('sidecar-outbound', 'l7'), hop('sidecar-inbound', 'l7')],
  after: {
    'sidecar-outbound': { requests: 1 },
    'sidecar-inbound': { requests: 1, peers: [id('client')] },
  },
})

const waypointWorld = (): World => ({
  ...common,
  mode: 'ambient',
  client: { is: 'ambient-client', node: 'meshbench-worker' },
  server: { is: 'ambient-server', node: 'meshbench-worker2' },
  hops: [hop('ztunnel-outbound', 'l4'), hop('waypoint', 'l7'), hop('ztunnel-inbound', 'l4')],
  after: {
    'ztunnel-outbound': { downstreamConnections: 1, peers: [id('waypoint')] },
    waypoint: { requests: 1, peers: [id('client')] },
    'ztunnel-inbound': { downstreamConnections: 1, peers: [id('waypoint')] },
  },
})

const ingressWorld = (): World => ({
  ...waypointWorld(),
  client: { is: 'plain-client', node: 'meshbench-worker' },
  hops: [hop('gateway', 'l7'), hop('ztunnel-inbound', 'l4')],
  after: {
    gateway: { requests: 1 },
    'ztunnel-inbound': { downstreamConnections: 1, peers: [id('gateway-istio')] },
  },
})

const sidecarIngressWorld = (): World => ({
  ...sidecarWorld(),
  client: { is: 'plain-client', node: 'meshbench-worker' },
  hops: [hop('gateway', 'l7'), hop('sidecar-inbound', 'l7')],
  after: {
    gateway: { requests: 1 },
    'sidecar-inbound': { requests: 1, peers: [id('gateway-istio')] },
  },
})

async function prove(world: World): Promise<readonly ProofCheck[]> {
  const cluster = transcriptCluster(
    [
      '$ kubectl get service kubernetes -n default *\n10.96.0.1',
      `$* kubectl get pods -n bench -l app=client -o json\n${pods(world.client)}`,
      `$* kubectl get pods -n bench -l app=server -o json\n${pods(world.server)}`,
      `$* kubectl get pods -n bench -l gateway.networking.k8s.io/gateway-name=waypoint -o json\n${pods({ is: 'waypoint', node: world.waypointNode })}`,
      `$* kubectl get pods -n bench -l gateway.networking.k8s.io/gateway-name=gateway -o json\n${pods({ is: 'gateway', node: world.waypointNode })}`,
      `$ kubectl get peerauthentication default *\n${world.strict}`,
      ...(world.answerAtFirst === undefined
        ? []
        : [`$ kubectl exec -n bench pod-0 -- node -e *\n${world.answerAtFirst}`]),
      `$* kubectl exec -n bench pod-0 -- node -e *headers:${JSON.stringify(world.headers ?? {})}*\n${world.answer}`,
      '',
    ].join('\n'),
  )
  const countRead = countReads()
  return proveIstioArm({
    mode: world.mode,
    cluster,
    host: transcriptHost(cluster, world.plaintextReply, world),
    objects: benchObjects,
    endpoint: benchEndpoint,
    hops: world.hops,
    requestHeaders: world.headers ?? {},
    runAsStranger: async (argv) => {
      expect(argv.at(-1)).toContain(`headers:${JSON.stringify(world.headers ?? {})}`)
      if (world.lost !== undefined && world.lost-- > 0) return ''
      return `${world.stranger}\n`
    },
    wait: async () => {},
    readView: async ({ component: { name } }) => {
      const read = countRead(name)
      const counters = read === 1 ? {} : (world.after[name] ?? {})
      const { peers = [] } = counters
      const peerCounts = {
        ...world.seenBefore?.[name],
        ...Object.fromEntries(peers.map((peer) => [peer, 1])),
      }
      // Each reading after the first has seen one more that a policy let in.
      const admitted = world.admits ? { admitted: read } : {}
      return { counters, peerCounts, ...admitted, ...world.more } as IstioView
    },
  })
}

const refused = async (world: World) => (await prove(world)).filter(({ ok }) => !ok)

describe('what is right passes', () => {
  test('sidecars', async () => {
    expect(await refused(sidecarWorld())).toEqual([])
    expect((await prove(sidecarWorld())).length).toBeGreaterThanOrEqual(9)
  })
  test('a sidecar that is a regular container, as on older Kubernetes', async () => {
    const world = sidecarWorld()
    world.server.but = withRegularSidecar
    expect(await refused(world)).toEqual([])
  })
  test('ambient with a waypoint', async () => {
    expect(await refused(waypointWorld())).toEqual([])
  })
  test("sidecars whose Envoy has none of Istio's filters, with the curve told", async () => {
    const tls = { handshakes: 1, ciphers: ['TLS_AES_256_GCM_SHA384'], curves: ['X25519MLKEM768'] }
    const world = { ...sidecarWorld(), admits: true, more: { tls, peerCounts: undefined } }
    expect(await refused(world)).toEqual([])
    const told = (await prove(world)).find(({ name }) => name === 'encrypted leg at sidecar-outbound')
    expect(told?.actual).toBe('1 of TLS: TLS_AES_256_GCM_SHA384, X25519MLKEM768')
  })
  test('an arm whose functions ask for fields, which whoever is to be refused shows, too', async () => {
    expect(await refused({ ...sidecarWorld(), headers: { 'x-bench-team': 'mesh' } })).toEqual([])
  })
  test('a stranger that was refused in an earlier stay is no peer of this one', async () => {
    const world = waypointWorld()
    world.seenBefore = { 'ztunnel-inbound': { [id('hop')]: 3 } }
    expect(await refused(world)).toEqual([])
  })
  test('a request that is answered a moment after the gateway says that it is there', async () => {
    expect(await refused({ ...waypointWorld(), answerAtFirst: 'status 503' })).toEqual([])
  })
})

describe('what is wrong is refused, by name', () => {
  test('a server whose Envoy names no peer and counts nobody that its policy let in', async () => {
    const tls = { handshakes: 1, ciphers: ['TLS_AES_256_GCM_SHA384'], curves: [] }
    const world = { ...sidecarWorld(), more: { tls, peerCounts: undefined } }
    expect(await refused(world)).toEqual([
      {
        ...{ name: 'peer identity at sidecar-inbound', ok: false, actual: 'no policy counts there' },
        expected: `${id('client')}, let in by the policy that names it alone`,
      },
    ])
    const still = { ...world, more: { ...world.more, admitted: 7 } }
    expect((await refused(still)).map(({ actual }) => actual)).toEqual(['0 let in'])
  })
  test('sidecars that shook no hands', async () => {
    const tls = { handshakes: 0, ciphers: [], curves: [] }
    const wrong = await refused({ ...sidecarWorld(), more: { tls, peerCounts: undefined } })
    expect(wrong.map(({ name }) => name)).toContain('encrypted leg at sidecar-outbound')
  })

  let world: World
  beforeEach(() => {
    world = waypointWorld()
  })

  test('a pod whose traffic is not captured', async () => {
    world.client.is = 'plain-client'
    expect(await refused(world)).toMatchObject([{ name: 'pod-0 is captured by ztunnel', actual: 'no mark' }])
  })
  test('a waypoint that is bypassed, as when a pod address is called', async () => {
    world.after.waypoint = { requests: 0, peers: [] }
    expect((await refused(world)).map(({ name }) => name)).toEqual([
      'requests at waypoint',
      'peer identity at waypoint',
    ])
  })
  test("a server side that sees the client's own identity: the waypoint was not on the way", async () => {
    world.after['ztunnel-inbound'] = { downstreamConnections: 1, peers: [id('client')] }
    expect(await refused(world)).toMatchObject([
      { name: 'peer identity at ztunnel-inbound', expected: id('waypoint') },
    ])
  })
  test('plaintext that is answered', async () => {
    world.plaintextReply = 'HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\nx'
    expect(await refused(world)).toMatchObject([{ actual: 'HTTP/1.1 200 OK' }])
  })
  test('silence, where from outside of the mesh nothing is answered at all', async () => {
    world.isOutsideCutOff = true
    expect(await refused(world)).toMatchObject([
      {
        name: 'plaintext from outside the mesh is refused',
        actual: expect.stringContaining('not tried') as unknown,
      },
    ])
  })
  test('a refusal in HTTP is a refusal', async () => {
    world.plaintextReply = 'HTTP/1.1 403 Forbidden\r\n\r\nRBAC: access denied'
    expect(await refused(world)).toEqual([])
  })
  test.each(['status 200', 'status 503', 'failed ENOTFOUND', ''])(
    'another identity of the mesh that is answered, or that did not get as far: "%s"',
    async (stranger) => {
      world.stranger = stranger
      expect(await refused(world)).toMatchObject([{ name: 'another identity inside the mesh is refused' }])
    },
  )
  test.each(['status 403', 'failed ECONNRESET', 'failed UND_ERR_SOCKET'])(
    'another identity that is refused in HTTP or cut off is refused: %s',
    async (stranger) => {
      world.stranger = stranger
      expect(await refused(world)).toEqual([])
    },
  )
  test('a refusal that was not heard at first is asked for again', async () => {
    world.lost = 2
    expect(await refused(world)).toEqual([])
  })
  test('PERMISSIVE mutual TLS', async () => {
    world.strict = 'PERMISSIVE'
    expect(await refused(world)).toMatchObject([{ name: 'mutual TLS is required', actual: 'PERMISSIVE' }])
  })
  test('no policy at all', async () => {
    world.strict = ''
    expect(await refused(world)).toMatchObject([{ actual: 'not set' }])
  })
  test('client and server on one node, where a mesh may take shortcuts', async () => {
    world.client.node = 'meshbench-worker2'
    expect(await refused(world)).toMatchObject([
      { name: 'client is on its node', actual: 'meshbench-worker2' },
    ])
  })
  test('a waypoint on the wrong node', async () => {
    world.waypointNode = 'meshbench-worker'
    expect(await refused(world)).toMatchObject([{ name: 'waypoint is on its node' }])
  })
  test('a client that gets no answer', async () => {
    world.answer = 'failed ECONNRESET'
    expect(await refused(world)).toMatchObject([{ actual: 'failed ECONNRESET' }])
  })
  test('a pod into which no sidecar was injected', async () => {
    const plain = sidecarWorld()
    plain.server.is = 'ambient-server'
    expect(await refused(plain)).toMatchObject([{ actual: 'none was injected' }])
  })
  test('a sidecar that is not ready', async () => {
    const plain = sidecarWorld()
    plain.client.but = withSidecarUnready
    expect(await refused(plain)).toMatchObject([{ actual: 'native istio-proxy, not ready' }])
  })
})

describe('the way in from outside', () => {
  test('passes when the gateway carries the request and the server sees its identity', async () => {
    expect(await refused(ingressWorld())).toEqual([])
  })
  test('refuses a client that is a part of the mesh', async () => {
    const world = ingressWorld()
    world.client.is = 'ambient-client'
    expect(await refused(world)).toMatchObject([
      { name: 'pod-0 is outside of the mesh', actual: 'captured by ztunnel' },
    ])
  })
  test('refuses a gateway that saw nothing, or is on the wrong node', async () => {
    const world = ingressWorld()
    world.after.gateway = { requests: 0 }
    world.waypointNode = 'meshbench-worker'
    expect((await refused(world)).map(({ name }) => name)).toEqual([
      'requests at gateway',
      'gateway is on its node',
    ])
  })
  test('refuses a server that is reached under another identity than the gateway’s', async () => {
    const world = ingressWorld()
    world.after['ztunnel-inbound'] = { downstreamConnections: 1, peers: [id('client')] }
    expect(await refused(world)).toMatchObject([{ expected: id('gateway-istio'), actual: id('client') }])
  })
  test('refuses a server that answers plaintext', async () => {
    const world = ingressWorld()
    world.plaintextReply = 'HTTP/1.1 200 OK\r\n\r\n'
    expect(await refused(world)).toMatchObject([{ name: 'plaintext from outside the mesh is refused' }])
  })
})

describe('the way in from outside to a sidecar', () => {
  let world: World
  beforeEach(() => {
    world = sidecarIngressWorld()
  })
  test('passes when the gateway carries the request and the sidecar sees its identity', async () => {
    expect(await refused(world)).toEqual([])
  })
  test('refuses a client that has a sidecar of its own', async () => {
    world.client.is = 'sidecar-client'
    expect(await refused(world)).toMatchObject([
      { name: 'pod-0 is outside of the mesh', actual: 'has a sidecar' },
    ])
  })
  test('refuses a server without a sidecar, which the gateway would reach in plaintext', async () => {
    world.server.is = 'ambient-server'
    world.after['sidecar-inbound'] = { requests: 0, peers: [] }
    expect((await refused(world)).map(({ name }) => name)).toEqual([
      'sidecar in pod-0',
      'requests at sidecar-inbound',
      'peer identity at sidecar-inbound',
    ])
  })
  test('refuses a gateway that is bypassed: it counted nothing, or the sidecar saw somebody else', async () => {
    world.after.gateway = { requests: 0 }
    world.after['sidecar-inbound'] = { requests: 1, peers: [id('client')] }
    expect((await refused(world)).map(({ name }) => name)).toEqual([
      'requests at gateway',
      'peer identity at sidecar-inbound',
    ])
  })
  test('refuses a gateway on the wrong node, and a server that answers past it', async () => {
    world.waypointNode = 'meshbench-worker2'
    world.stranger = 'status 200'
    expect((await refused(world)).map(({ name }) => name)).toEqual([
      'another identity inside the mesh is refused',
      'gateway is on its node',
    ])
  })
})
