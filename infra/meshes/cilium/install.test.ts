/** Installs Cilium against transcripts: the commands of each mode, its charges, and what a person reads on failure. */
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test, vi } from 'vitest'
import type { Mesh } from '../../../harness/model.js'
import { paths } from '../../../scenarios/paths/index.js'
import { cilium, ciliumGateway, ciliumWireguard, ciliumZtunnel } from './cilium.js'
import type { ClusterAccess } from '../../../harness/model/cluster-access.js'
import { MeshInstallError } from '../clusters/install-errors.js'
import {
  commandsOf,
  failureOf,
  fullCache,
  golden,
  meshContext,
  readTestdata,
  scriptOf,
  testArm,
  transcript,
  valuesOf,
  type InstallOptions,
  pinnedCache,
} from '../clusters/testing.js'
import { transcriptCluster } from '../testdata/transcript-cluster.js'

const {
  'ingress-alone': ingressAlone,
  'l4-kernel-mutual-auth': l4KernelMutualAuth,
  'l4-kernel': l4Kernel,
  'l4-ztunnel': l4Ztunnel,
  'l7-per-node-both': l7PerNodeBoth,
  'l7-per-node': l7PerNode,
} = paths

// The keys of Cilium's ztunnel are RSA and take seconds on a busy machine; here they are not the question.
vi.mock(import('./ztunnel-secrets.js'), () => ({
  ztunnelSecrets: async () => ({
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: 'cilium-ztunnel-secrets', namespace: 'kube-system' },
  }),
}))

function install(
  mesh: Mesh,
  name: string,
  paths: readonly string[] = mesh.paths,
  {
    access = {},
    more = '',
    ...options
  }: InstallOptions & { access?: Partial<ClusterAccess>; more?: string } = {},
) {
  const cluster = transcriptCluster(transcript(name) + more, access)
  const baseline = { ...testArm('none', 'baseline'), id: `${mesh.name}/baseline`, role: 'baseline' as const }
  const arms = [baseline, ...paths.map((path) => testArm(mesh.name, path))]
  return { cluster, baseline, session: mesh.install(meshContext(cluster, mesh.name, arms, options)) }
}

/** With the names that the nodes of these tests have. */
const onTestNodes = (recorded: string) => recorded.replaceAll(/mb-[^"]*?--cilium(?=-[a-z])/g, 'meshbench')

test.each<[string, Mesh, readonly string[]]>([
  ['cilium', cilium, ['l4-kernel']],
  ['cilium-mutual-auth', cilium, cilium.paths],
  ['cilium-wireguard', ciliumWireguard, ciliumWireguard.paths],
  ['cilium-ztunnel', ciliumZtunnel, ciliumZtunnel.paths],
  ['cilium-gateway', ciliumGateway, ciliumGateway.paths],
])('the commands of %s', async (name, mesh, paths) => {
  const { cluster, session } = install(mesh, `${name}-install`, paths)
  await session
  expect(cluster.unused()).toEqual([])
  await expect(scriptOf(commandsOf(cluster))).toMatchFileSnapshot(golden(`${name}-commands.txt`))
})

test("the chart takes the cluster's name, which is not that of kind's cluster", async () => {
  const { cluster, session } = install(cilium, 'cilium-install', ['l4-kernel'])
  await session
  const { cluster: named } = valuesOf(cluster, 'cilium') as { cluster: { name: string } }
  // templates/validate.yaml of the chart.
  expect(named.name.length).toBeLessThanOrEqual(32)
  expect(named.name).toMatch(/^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/)
})

test('no cluster that exists already is offered: a CNI cannot be swapped under its pods', () => {
  for (const { livesOn } of [cilium, ciliumGateway, ciliumWireguard, ciliumZtunnel])
    expect(livesOn).toBe('new-cluster')
})

test('only WireGuard takes the baseline off the pod network, since there nothing on it is plain', async () => {
  const wireguard = install(ciliumWireguard, 'cilium-wireguard-install')
  const facts = (await wireguard.session).facts
  expect(wireguard.cluster.shapes.get(wireguard.baseline.id)).toEqual({ hostNetwork: true })
  expect(facts.find(({ name }) => name === 'cilium-wireguard baseline')?.value).toContain(
    "nodes' own network",
  )
  const plain = install(cilium, 'cilium-install', ['l4-kernel'])
  await plain.session
  expect(plain.cluster.shapes.size).toBe(0)
})

test('images that were loaded keep their names, whatever mirror they came from; without one of them, none is loaded', async () => {
  const cacheDir = await fullCache('cilium')
  const settings = { cacheDir, mirrors: { 'quay.io': 'mirror.example/quay' } }
  const agentImage = async () => {
    const access = { loadArchive: async () => {} }
    const { cluster, session } = install(cilium, 'cilium-install', ['l4-kernel'], { settings, access })
    await session
    return (valuesOf(cluster, 'cilium') as { image: object }).image
  }
  try {
    expect(await agentImage()).toEqual({ pullPolicy: 'IfNotPresent', useDigest: false })
    const agent =
      (await readdir(join(cacheDir, 'images'))).find((file) => file.includes('cilium_cilium_')) ?? ''
    await rm(join(cacheDir, 'images', agent))
    expect(await agentImage()).toEqual({
      pullPolicy: 'IfNotPresent',
      repository: 'mirror.example/quay/cilium/cilium',
    })
  } finally {
    await rm(cacheDir, { recursive: true })
  }
})

test("pull secrets are in SPIRE's namespace, too, before the chart puts its pods there", async () => {
  const folder = await mkdtemp(join(tmpdir(), 'meshbench-secret-'))
  try {
    const file = join(folder, 'secret.yaml')
    await writeFile(file, 'kind: Secret\nmetadata: { name: registry }\n')
    const settings = { cacheDir: pinnedCache, pullSecrets: [file] }
    const applied = async (paths: readonly string[]) => {
      const name = 'cilium-mutual-auth-install'
      const { cluster, session } = install(cilium, name, paths, { settings, more: '$* kubectl apply *\n' })
      await session
      const commands = commandsOf(cluster)
      const helm = commands.findIndex((command) => command.startsWith('helm'))
      return {
        values: valuesOf(cluster, 'cilium'),
        before: commands.slice(0, helm).filter((command) => command.endsWith(file)),
      }
    }
    const { values, before } = await applied(['l4-kernel-mutual-auth'])
    expect(before.map((command) => / -n (\S+) /.exec(command)?.[1])).toEqual(['kube-system', 'cilium-spire'])
    expect(values).toMatchObject({
      imagePullSecrets: [{ name: 'registry' }],
      authentication: { mutual: { spire: { install: { existingNamespace: true } } } },
    })
    expect((await applied(['l4-kernel'])).before).toHaveLength(1)
  } finally {
    await rm(folder, { recursive: true })
  }
})

describe('charges', () => {
  test('agents, operator and SPIRE are control plane; every Envoy is charged once', async () => {
    const { session, cluster } = install(cilium, 'cilium-mutual-auth-install')
    const established = await session
    const names = established.components.map(({ name, category }) => `${category} ${name}`)
    expect(names.filter((name) => name.startsWith('control-plane'))).toHaveLength(4 + 3)
    expect(names.filter((name) => name.startsWith('l7'))).toHaveLength(4)
    expect(established.components.every(({ name }) => cluster.bound.has(name))).toBe(true)

    cluster.goOn('$* kubectl apply --server-side -f -\n$* kubectl get service server *\n10.96.0.10\n')
    const perNode = await established.raise(testArm('cilium', 'l7-per-node'), l7PerNode)
    expect(perNode.components).toMatchObject([
      { hop: 'node-proxy', node: 'server', process: 'cilium/envoy on meshbench-worker2' },
    ])
    const both = await established.raise(testArm('cilium', 'l7-per-node-both'), l7PerNodeBoth)
    expect(both.components.map(({ process }) => process)).toEqual([
      'cilium/envoy on meshbench-worker',
      'cilium/envoy on meshbench-worker2',
    ])
    const processes = new Set(established.components.map(({ process }) => process))
    for (const { process } of [...perNode.components, ...both.components])
      expect(processes).toContain(process)
    const kernel = await established.raise(testArm('cilium', 'l4-kernel'), l4Kernel)
    expect(kernel.components).toEqual([])
  })

  test("a hop's counters come from the Envoy of its node", async () => {
    const { session, cluster } = install(cilium, 'cilium-install', ['l7-per-node'])
    const established = await session
    cluster.goOn(
      [
        '$ kubectl apply --server-side -f -',
        '$ kubectl get service server *\n10.96.0.10',
        '$ kubectl get pods -n kube-system -l k8s-app=cilium-envoy -o json',
        onTestNodes(readTestdata('cilium/envoy-pods.json')),
        '$ kubectl get --raw /api/v1/namespaces/kube-system/pods/cilium-envoy-xcgh5:9964/proxy/metrics',
        readTestdata('metrics/cilium-envoy.prom'),
      ].join('\n'),
    )
    const raised = await established.raise(testArm('cilium', 'l7-per-node'), l7PerNode)
    expect(await raised.readCounters('cilium/l7-per-node/node-proxy')).toEqual({ requests: 5000 })
    expect(await raised.readCounters(raised.application.name)).toMatchObject({ requests: 7 })
  })

  test("Cilium's ztunnel is read as a ztunnel, and enrolled by namespace", async () => {
    const { session, cluster } = install(ciliumZtunnel, 'cilium-ztunnel-install')
    const established = await session
    const secret = cluster.commands[0]?.input ?? ''
    expect(secret).toContain('cilium-ztunnel-secrets')
    cluster.goOn(
      [
        '$ kubectl get service server *\n10.96.0.10',
        '$ kubectl get pods -n kube-system -l app=ztunnel-cilium -o json',
        '{"items":[{"metadata":{"name":"ztunnel-cilium-a"},"spec":{"nodeName":"meshbench-worker"},"status":{}}]}',
        '$ kubectl get --raw /api/v1/namespaces/kube-system/pods/ztunnel-cilium-a:15020/proxy/stats/prometheus',
        readTestdata('metrics/ztunnel-client.prom').replaceAll('mb-l4-only', 'mb-l4-ztunnel'),
      ].join('\n'),
    )
    const arm = testArm('cilium-ztunnel', 'l4-ztunnel')
    const raised = await established.raise(arm, l4Ztunnel)
    expect(cluster.shapes.get(arm.id)?.namespace?.labels).toEqual({ 'io.cilium/mtls-enabled': 'true' })
    expect(await raised.readCounters(`${arm.id}/client-tunnel`)).toMatchObject({ downstreamConnections: 16 })
    expect(established.components.map(({ process }) => process)).toContain(
      'cilium-ztunnel/ztunnel on meshbench-worker2',
    )
  })
})

describe('a gateway', () => {
  const arm = testArm('cilium-gateway', 'ingress-alone')
  const goOn = (...more: string[]) =>
    [
      '$ kubectl apply --server-side -f -',
      '$ kubectl wait --for=condition=Programmed gateways.gateway.networking.k8s.io/gateway -n mb-ingress-alone *',
      '$ kubectl get service server *\n10.96.0.10',
      ...more,
      '',
    ].join('\n')

  test('is the Envoy of the waypoint’s node, called by that node’s address', async () => {
    const { session, cluster } = install(ciliumGateway, 'cilium-gateway-install')
    const established = await session
    const [classes] = cluster.commands.flatMap(({ input }) =>
      input?.includes('GatewayClass') ? [input] : [],
    )
    expect(classes).toMatch(/name: cilium\n/)
    expect(valuesOf(cluster, 'cilium')).toMatchObject({
      gatewayAPI: {
        enabled: true,
        hostNetwork: {
          enabled: true,
          nodes: { matchLabels: { 'kubernetes.io/hostname': 'meshbench-worker3' } },
        },
      },
    })
    cluster.goOn(
      goOn(
        '$ kubectl get node meshbench-worker3 *\n172.18.0.5',
        '$ kubectl get pods -n kube-system -l k8s-app=cilium-envoy -o json',
        '{"items":[{"metadata":{"name":"cilium-envoy-c"},"spec":{"nodeName":"meshbench-worker3"},"status":{}}]}',
        '$ kubectl get --raw /api/v1/namespaces/kube-system/pods/cilium-envoy-c:9964/proxy/metrics',
        readTestdata('metrics/cilium-envoy.prom'),
      ),
    )
    const raised = await established.raise(arm, ingressAlone)
    expect(raised.endpoint).toEqual({ host: '172.18.0.5', port: 8080, authority: '172.18.0.5:8080' })
    expect(raised.components).toMatchObject([
      {
        hop: 'gateway',
        category: 'l7',
        node: 'waypoint',
        process: 'cilium-gateway/envoy on meshbench-worker3',
      },
    ])
    expect(established.components.map(({ process }) => process)).toContain(raised.components[0]?.process)
    // What policies of other arms sent through the same Envoy is not the gateway's.
    expect(await raised.readCounters(`${arm.id}/gateway`)).toEqual({ requests: 700 })
  })

  test('without an address is an error that says what is missing', async () => {
    const { session, cluster } = install(ciliumGateway, 'cilium-gateway-install')
    const established = await session
    cluster.goOn(goOn('$ kubectl get node meshbench-worker3 *\n'))
    await expect(established.raise(arm, ingressAlone)).rejects.toThrow(
      'the node meshbench-worker3 of the gateway has no address',
    )
  })

  test('that is not programmed says which condition holds it up', async () => {
    const { session, cluster } = install(ciliumGateway, 'cilium-gateway-install')
    const established = await session
    cluster.goOn(transcript('failures/cilium-gateway-not-programmed'))
    await expect(established.raise(arm, ingressAlone)).rejects.toThrow(
      /the gateway in mb-ingress-alone is not programmed: Accepted is Pending \(Waiting for controller\)/,
    )
  })

  test('whose class nobody accepts ends the installation', async () => {
    const { session } = install(ciliumGateway, 'failures/cilium-gateway-class')
    await expect(session).rejects.toMatchObject({
      message:
        'cilium-gateway: the GatewayClass cilium is not accepted: Accepted is Pending (Waiting for controller)',
      hint: expect.stringContaining('gatewayAPI.enabled') as unknown,
    })
  })
})

describe('what a person reads when a step fails', () => {
  test.each([
    ['cilium-node-not-ready', /node \S+-worker2 is not ready: .*cni plugin not initialized/, /CNI/],
    [
      'cilium-image',
      /the image quay\.io\/cilium\/cilium:v9\.9\.9 cannot be pulled \(.*no such host\)/,
      /pull/,
    ],
  ])('%s', async (name, message, hint) => {
    const error = await failureOf(install(cilium, `failures/${name}`).session)
    expect(error).toBeInstanceOf(MeshInstallError)
    expect(error.message).toMatch(message)
    expect(error.hint).toMatch(hint)
  })

  test('SPIRE that does not answer loses its own arm, and no other', async () => {
    const { session, cluster } = install(cilium, 'cilium-mutual-auth-install')
    const established = await session
    cluster.goOn(transcript('failures/cilium-spire'))
    await expect(
      established.raise(testArm('cilium', 'l4-kernel-mutual-auth'), l4KernelMutualAuth),
    ).rejects.toThrow(
      /^cilium: cilium\/l4-kernel-mutual-auth: Error: connection error: .*no such file or directory/,
    )
    cluster.goOn('$* kubectl apply --server-side -f -\n$* kubectl get service server *\n10.96.0.10\n')
    const other = await established.raise(testArm('cilium', 'l4-kernel'), l4Kernel)
    expect(other.endpoint.host).toBe('10.96.0.10')
  })

  test('policies before their CRDs', async () => {
    const { session, cluster } = install(cilium, 'cilium-install', ['l4-kernel'])
    const established = await session
    cluster.goOn(transcript('failures/cilium-crd'))
    await expect(established.raise(testArm('cilium', 'l4-kernel'), l4Kernel)).rejects.toThrow(
      /does not know CiliumNetworkPolicy of cilium\.io\/v2/,
    )
  })
})

test('an interrupt while an arm comes up is an interrupt, and no cluster is asked for its reason', async () => {
  const controller = new AbortController()
  const scope = { signal: controller.signal }
  const { session, cluster } = install(cilium, 'cilium-install', ['l4-kernel'], { scope })
  const established = await session
  cluster.goOn('$ kubectl apply --server-side -f -\n! 1\nerror: timed out waiting for the condition\n')
  controller.abort()
  const raising = established.raise(testArm('cilium', 'l4-kernel'), l4Kernel)
  await expect(raising).rejects.toMatchObject({ name: 'AbortError' })
  expect(commandsOf(cluster).filter((command) => command.includes('get pods'))).toEqual([])
})
