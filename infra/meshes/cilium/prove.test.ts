/** Proofs of a Cilium arm before it is measured: each must refuse the mode that is not what its name says. */
import { beforeEach, describe, expect, test } from 'vitest'
import type { HopCounters, ProofCheck } from '../../../harness/model.js'
import { benchEndpoint, benchObjects, countReads, readTestdata } from '../clusters/testing.js'
import { transcriptCluster, transcriptHost } from '../testdata/transcript-cluster.js'
import type { CiliumPath } from './manifests.js'
import { proveCiliumArm } from './prove.js'
import type { CiliumHop } from './hop.js'

const output = (name: string) => readTestdata(`cilium/${name}.json`)

/** The agents of both ends, as recorded while the arm's policy was enforced and nothing was sent through Envoy. */
const atServer = output('status-server')
const atClient = output('status-client')
/** What an agent says of an end whose traffic it sends to Envoy: the recorded list has one redirect, of endpoint 159. */
const redirecting = (endpoint: number, direction = 'ingress') =>
  output('status-l7-redirect').replace('159:ingress:', `${endpoint}:${direction}:`)
const serverRedirect = redirecting(332)
const clientRedirect = redirecting(1718, 'egress')
const unenforced = output('endpoints-server').replaceAll(
  '"policy-enabled": "ingress"',
  '"policy-enabled": "none"',
)
const withKubeProxy = atClient.replace('"mode": "True"', '"mode": "False"')
const strangers = output('endpoints-server-regenerating')
const gatewayEndpoint = { host: '172.18.0.5', port: 31234, authority: '172.18.0.5:31234' }

const pod = (name: string, nodeName: string) => ({ metadata: { name }, spec: { nodeName }, status: {} })
const list = (...items: object[]) => JSON.stringify({ items })

/** Pods of the arm as they were recorded, on a node of this cluster. */
function recordedPods(app: 'client' | 'server', nodeName: string): string {
  const { items } = JSON.parse(output('pods')) as {
    items: readonly { metadata: { labels: { app: string } }; spec: object }[]
  }
  const own = items.filter(({ metadata }) => metadata.labels.app === app)
  return list(...own.map((found) => ({ ...found, spec: { ...found.spec, nodeName } })))
}

function envoyHop(name: string, node: CiliumHop['node']): CiliumHop {
  return {
    kind: 'envoy',
    node,
    component: { name, hop: name, category: 'l7', node },
    address: { namespace: 'kube-system', selector: 'k8s-app=cilium-envoy' },
  }
}

/** A world in which everything is right for a path; each test breaks one thing. */
interface World {
  path: CiliumPath
  clientNode: string
  clientStatus: string
  serverStatus: string
  serverStatusAtFirst?: string
  clientEndpoints: string
  serverEndpoints: string
  encryption: string
  wireguardBytes: [number, number]
  auth: string
  answer: string
  /** What the client hears from the server when it goes past the gateway. */
  past: string
  waypointStatus: string
  denied: string
  plaintextReply: string
  /** Whether nothing that is asked from outside of the mesh gets anywhere. */
  isOutsideCutOff?: boolean
  /** Answers of the first requests, before `answer`. */
  answersAtFirst?: string[]
  hops: CiliumHop[]
  after: Record<string, HopCounters>
}

const kernelWorld = (path: CiliumPath = 'l4-kernel'): World => ({
  path,
  clientNode: 'meshbench-worker',
  clientStatus: atClient,
  serverStatus: atServer,
  clientEndpoints: output('endpoints-client'),
  serverEndpoints: output('endpoints-server'),
  encryption: output('encrypt-disabled'),
  wireguardBytes: [1000, 1480],
  auth: output('auth-none'),
  answer: 'status 200',
  past: 'failed The operation was aborted due to timeout',
  waypointStatus: atServer,
  denied: 'status 403',
  plaintextReply: '',
  hops: [],
  after: {},
})

const l7World = (): World => ({
  ...kernelWorld('l7-per-node'),
  serverStatus: serverRedirect,
  hops: [envoyHop('node-proxy', 'server')],
  after: { 'node-proxy': { requests: 1 } },
})

const bothWorld = (): World => ({
  ...l7World(),
  path: 'l7-per-node-both',
  clientStatus: clientRedirect,
  hops: [envoyHop('client-node-proxy', 'client'), envoyHop('server-node-proxy', 'server')],
  after: { 'client-node-proxy': { requests: 1 }, 'server-node-proxy': { requests: 1 } },
})

const gatewayWorld = (): World => ({
  ...kernelWorld('ingress-alone'),
  hops: [{ ...envoyHop('gateway', 'waypoint'), kind: 'gateway' }],
  after: { gateway: { requests: 1 } },
})

async function prove(world: World): Promise<readonly ProofCheck[]> {
  const agents = list(
    pod('cilium-a', 'meshbench-worker'),
    pod('cilium-b', 'meshbench-worker2'),
    pod('cilium-c', 'meshbench-worker3'),
  )
  const isGateway = world.path === 'ingress-alone'
  const asClient = 'kubectl exec -n bench client-975d4c5c5-7xdmw -- node -e'
  const inAgent = (agent: string, command: string) =>
    `kubectl exec -n kube-system ${agent} -c cilium-agent -- cilium-dbg ${command} -o json`
  const cluster = transcriptCluster(
    [
      '$ kubectl get service kubernetes -n default *\n10.96.0.1',
      `$* kubectl get pods -n bench -l app=client -o json\n${recordedPods('client', world.clientNode)}`,
      `$* kubectl get pods -n bench -l app=server -o json\n${recordedPods('server', 'meshbench-worker2')}`,
      `$* kubectl get pods -n kube-system -l k8s-app=cilium -o json\n${agents}`,
      `$* ${inAgent('cilium-a', 'status')}\n${world.clientStatus}`,
      ...(world.serverStatusAtFirst === undefined
        ? []
        : [`$ ${inAgent('cilium-b', 'status')}\n${world.serverStatusAtFirst}`]),
      `$* ${inAgent('cilium-b', 'status')}\n${world.serverStatus}`,
      `$* ${inAgent('cilium-c', 'status')}\n${world.waypointStatus}`,
      `$* ${inAgent('cilium-a', 'endpoint list')}\n${world.clientEndpoints}`,
      `$* ${inAgent('cilium-b', 'endpoint list')}\n${world.serverEndpoints}`,
      `$* ${inAgent('cilium-a', 'encrypt status')}\n${world.encryption}`,
      `$* ${inAgent('cilium-b', 'encrypt status')}\n${world.encryption}`,
      `$ ${inAgent('cilium-b', 'bpf auth list')}\n${world.auth}`,
      `$ node meshbench-worker cat *\n${world.wireguardBytes[0]}`,
      `$ node meshbench-worker cat *\n${world.wireguardBytes[1]}`,
      `$* ${asClient} *denied-by-policy*\n${world.denied}`,
      ...(isGateway ? [`$* ${asClient} *server.bench.svc*\n${world.past}`] : []),
      ...(world.answersAtFirst ?? []).map((answer) => `$ ${asClient} *\n${answer}`),
      `$* ${asClient} *\n${world.answer}`,
      '',
    ].join('\n'),
  )
  const countRead = countReads()
  return proveCiliumArm({
    path: world.path,
    cluster,
    host: transcriptHost(cluster, world.plaintextReply, world),
    objects: benchObjects,
    endpoint: isGateway ? gatewayEndpoint : benchEndpoint,
    serverEndpoint: benchEndpoint,
    hops: world.hops,
    wait: async () => {},
    readCounters: async (name) => (countRead(name) === 1 ? {} : (world.after[name] ?? {})),
  })
}

const refused = async (world: World) => (await prove(world)).filter(({ ok }) => !ok)

describe('what is right passes', () => {
  test.each<[CiliumPath, Partial<World>, number]>([
    ['l4-kernel-mutual-auth', { auth: output('auth') }, 20],
    ['l4-ztunnel', {}, 9],
  ])('%s is given the time that identities take to be there', async (path, more, failures) => {
    const answersAtFirst = Array.from({ length: failures }, () => 'failed UND_ERR_CONNECT_TIMEOUT')
    expect(await refused({ ...kernelWorld(path), ...more, answersAtFirst })).toEqual([])
    const [first] = await refused({ ...kernelWorld(), answersAtFirst: answersAtFirst.slice(0, 1) })
    expect(first?.name).toBe('request through the mesh')
  })
  test.each<[string, World]>([
    ['L4 in the kernel', kernelWorld()],
    ['WireGuard', { ...kernelWorld('l4-kernel-wireguard'), encryption: output('encrypt-wireguard') }],
    ['mutual authentication', { ...kernelWorld('l4-kernel-mutual-auth'), auth: output('auth') }],
    ['one Envoy', l7World()],
    ['two Envoys', bothWorld()],
    ['a gateway', gatewayWorld()],
  ])('%s', async (_, world) => {
    expect(await refused(world)).toEqual([])
    expect((await prove(world)).length).toBeGreaterThanOrEqual(8)
  })
})

describe('L4 in the kernel refuses', () => {
  let world: World
  beforeEach(() => {
    world = kernelWorld()
  })
  test('an Envoy on the way that should not be there', async () => {
    world.serverStatus = serverRedirect
    expect(await refused(world)).toMatchObject([
      { name: 'traffic into the server', expected: 'not redirected' },
    ])
  })
  test('a policy that is not enforced', async () => {
    world.serverEndpoints = unenforced
    expect(await refused(world)).toMatchObject([{ name: "the server's policy is enforced", actual: 'none' }])
  })
  test('a server that its agent does not know: neither enforced nor out of the way of Envoy', async () => {
    world.serverEndpoints = strangers
    expect((await refused(world)).map(({ name, actual }) => `${name}: ${actual}`)).toEqual([
      "the server's policy is enforced: no endpoint",
      'traffic into the server: no endpoint',
    ])
  })
  test('a client that its agent does not know', async () => {
    world.clientEndpoints = strangers
    expect(await refused(world)).toMatchObject([{ name: 'traffic out of the client', actual: 'no endpoint' }])
  })
  test('kube-proxy still in place', async () => {
    world.clientStatus = withKubeProxy
    expect(await refused(world)).toMatchObject([{ name: 'services are served in eBPF' }])
  })
  test('encryption that is on by accident', async () => {
    world.encryption = output('encrypt-wireguard')
    expect((await refused(world)).map(({ expected }) => expected)).toEqual(['Disabled', 'Disabled'])
  })
  test('a pod outside of the policy that is answered', async () => {
    world.plaintextReply = 'HTTP/1.1 200 OK\r\n\r\n'
    expect(await refused(world)).toHaveLength(1)
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
  test('a client that gets no answer', async () => {
    world.answer = 'failed UND_ERR_CONNECT_TIMEOUT'
    expect(await refused(world)).toMatchObject([{ name: 'request through the mesh' }])
  })
  test('both ends on one node, where nothing crosses the network', async () => {
    world.clientNode = 'meshbench-worker2'
    expect((await refused(world)).map(({ name }) => name)).toContain('client is on its node')
  })
})

describe('WireGuard refuses', () => {
  const wireguard = { ...kernelWorld('l4-kernel-wireguard'), encryption: output('encrypt-wireguard') }
  test('encryption that is off', async () => {
    const checks = await refused({ ...wireguard, encryption: output('encrypt-disabled') })
    expect(checks.map(({ actual }) => actual)).toEqual(['Disabled, 0 peers', 'Disabled, 0 peers'])
  })
  test('an interface without peers, which sends everything in plaintext', async () => {
    const checks = await refused({ ...wireguard, encryption: output('encrypt-wireguard-lonely') })
    expect(checks[0]).toMatchObject({ expected: 'Wireguard, 3 peers', actual: 'Wireguard, 0 peers' })
  })
  test('an interface that no byte goes through', async () => {
    expect(await refused({ ...wireguard, wireguardBytes: [1000, 1000] })).toMatchObject([{ actual: '0' }])
  })
})

describe('mutual authentication refuses', () => {
  test.each([
    ['auth-none', 'no entry among 0'],
    ['auth-expired', 'SPIRE, until 2020-01-01T00:00:00.000Z'],
    ['auth-other', 'another type, until 2099-01-01T00:00:00.000Z'],
  ])('%s', async (auth, actual) => {
    const world = { ...kernelWorld('l4-kernel-mutual-auth'), auth: output(auth) }
    expect(await refused(world)).toMatchObject([{ name: 'client and server are authenticated', actual }])
  })
})

describe('L7 per node refuses', () => {
  test('a rule that redirects nothing', async () => {
    expect(await refused({ ...l7World(), serverStatus: atServer })).toMatchObject([
      { name: 'traffic into the server', actual: 'not redirected (Envoy external)' },
    ])
  })
  test('an Envoy that counted nothing', async () => {
    expect(await refused({ ...l7World(), after: {} })).toMatchObject([{ name: 'requests at node-proxy' }])
  })
  test('a denied path that gets through', async () => {
    expect(await refused({ ...l7World(), denied: 'status 404' })).toMatchObject([{ actual: 'status 404' }])
  })
  test('an Envoy within the agent, whose cost could not be told apart', async () => {
    const serverStatus = serverRedirect.replace('"external"', '"embedded"')
    expect(await refused({ ...l7World(), serverStatus })).toMatchObject([
      { actual: 'redirected (Envoy embedded)' },
    ])
  })
  test("one Envoy where two are claimed: the client's side goes straight out", async () => {
    const world = { ...bothWorld(), clientStatus: atClient }
    expect(await refused(world)).toMatchObject([{ name: 'traffic out of the client' }])
  })
  test('two where one is claimed', async () => {
    const world = { ...l7World(), clientStatus: clientRedirect }
    expect(await refused(world)).toMatchObject([
      { name: 'traffic out of the client', expected: 'not redirected' },
    ])
  })
})

test('agents that need a moment to apply a policy get it', async () => {
  expect(await refused({ ...l7World(), serverStatusAtFirst: atServer })).toEqual([])
})

describe('the way in through a gateway refuses', () => {
  let world: World
  beforeEach(() => {
    world = gatewayWorld()
  })
  test('a gateway that is bypassed, or another node’s: its Envoy counted nothing', async () => {
    world.after = {}
    expect(await refused(world)).toMatchObject([{ name: 'requests at gateway', actual: '0 more' }])
  })
  test.each(['status 200', 'status 403', 'failed ENOTFOUND', ''])(
    'a server that its client can reach past the gateway, or that was never asked: "%s"',
    async (past) => {
      world.past = past
      expect(await refused(world)).toMatchObject([{ name: 'the client past the gateway is refused' }])
    },
  )
  test('an Envoy within the agent, whose cost could not be told apart', async () => {
    world.waypointStatus = atServer.replace('"external"', '"embedded"')
    expect(await refused(world)).toMatchObject([{ name: "the gateway's Envoy", actual: 'embedded' }])
  })
  test('a second Envoy before the server', async () => {
    world.serverStatus = serverRedirect
    expect(await refused(world)).toMatchObject([{ name: 'traffic into the server' }])
  })
  test('a policy that is not enforced, and a gateway that gives no answer', async () => {
    world.serverEndpoints = unenforced
    world.answer = 'status 503'
    expect((await refused(world)).map(({ name }) => name)).toEqual([
      "the server's policy is enforced",
      'request through the mesh',
    ])
  })
})
