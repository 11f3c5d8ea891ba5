/** Installs Istio against transcripts: the commands that would run, and what a person reads when one of them fails. */
import { rm } from 'node:fs/promises'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { UserError } from '../../../harness/model/errors.js'
import { openScope } from '../../../harness/process/scope.js'
import { silentProgress } from '../../../harness/testing/scope.js'
import { paths } from '../../../scenarios/paths/index.js'
import type { ClusterAccess } from '../../../harness/model/cluster-access.js'
import { MeshInstallError } from '../clusters/install-errors.js'
import {
  commandsOf,
  failureOf,
  fullCache,
  golden,
  meshContext,
  scriptOf,
  testArm,
  transcript,
  valuesOf,
  type InstallOptions,
} from '../clusters/testing.js'
import { transcriptCluster, transcriptHost, type TranscriptCluster } from '../testdata/transcript-cluster.js'
import { istioAmbient, istioSidecar } from './istio.js'

const { 'ingress-to-sidecar': ingressToSidecar, ingress, 'l4-l7-l4': l4L7L4 } = paths

/** What a mesh is given for one arm. */
const contextOn = (
  cluster: TranscriptCluster,
  mesh = istioAmbient,
  options: InstallOptions = {},
  path = 'l4-l7-l4',
) => meshContext(cluster, mesh.name, [testArm(mesh.name, path)], options)
const install = (name: string, mesh = istioAmbient, path = 'l4-l7-l4') => {
  const cluster = transcriptCluster(transcript(name))
  return { cluster, arm: testArm(mesh.name, path), session: mesh.install(contextOn(cluster, mesh, {}, path)) }
}

describe.each([istioSidecar, istioAmbient])('$name', (mesh) => {
  test('the commands of an installation, with what they are given', async () => {
    const { cluster, session } = install(`${mesh.name}-install`, mesh)
    const { components, facts } = await session
    expect(cluster.unused()).toEqual([])
    const script = scriptOf(commandsOf(cluster))
    await expect(script).toMatchFileSnapshot(golden(`${mesh.name}-commands.txt`))
    const inputs = cluster.commands.filter(({ command }) => command.endsWith('--values -'))
    expect(inputs.every(({ input }) => (input ?? '') !== '')).toBe(true)
    expect(components.map(({ category }) => category)).toContain('control-plane')
    expect(components.every(({ name }) => cluster.bound.has(name))).toBe(true)
    const retries = facts.find(({ name }) => name === `sizing of ${mesh.name}: retries`)?.value
    // Hard-coded in istiod for what comes into a sidecar; a ztunnel has no retries at all.
    if (mesh === istioSidecar) expect(retries).toMatch(/^0 where requests leave; 2 where they come in/)
    else expect(retries).toBe('0')
  })
})

test('images that were loaded keep their names, whatever mirror they came from', async () => {
  const cacheDir = await fullCache('istio-sidecar')
  const settings = { cacheDir, mirrors: { 'docker.io': 'mirror.example/hub' } }
  const hubWith = async (access: Partial<ClusterAccess>) => {
    const cluster = transcriptCluster(transcript('istio-sidecar-install'), access)
    await istioSidecar.install(contextOn(cluster, istioSidecar, { settings }))
    return (valuesOf(cluster, 'istiod') as { global: { hub: string } }).global.hub
  }
  try {
    expect(await hubWith({ loadArchive: async () => {} })).toBe('docker.io/istio')
    expect(await hubWith({})).toBe('mirror.example/hub/istio')
  } finally {
    await rm(cacheDir, { recursive: true })
  }
})

/** What is said while a gateway of the Gateway API comes up in front of the server. */
const gatewayComesUp = [
  '$ kubectl apply --server-side -f -',
  '$ kubectl wait --for=condition=Programmed gateways.gateway.networking.k8s.io/gateway *',
  '$ kubectl rollout status deployment/gateway-istio *\ndeployment "gateway-istio" successfully rolled out',
  '$ kubectl get service server *\n10.96.0.10',
  '$ kubectl get service gateway-istio *\n10.96.0.20',
  '',
].join('\n')

test('charges of ambient: control plane apart, and every ztunnel of the cluster is charged to something', async () => {
  const { cluster, session, arm } = install('istio-ambient-install')
  const established = await session
  expect(established.components.map(({ name, category }) => `${category} ${name}`)).toEqual([
    'control-plane istio-ambient/istiod',
    'control-plane istio-ambient/istio-cni',
    'l4 istio-ambient/ztunnel on meshbench-control-plane',
    'l4 istio-ambient/ztunnel on meshbench-worker3',
  ])
  cluster.goOn(
    [
      '$ kubectl apply --server-side -f -',
      '$ kubectl wait --for=condition=Programmed *',
      '$ kubectl rollout status deployment/waypoint *\ndeployment "waypoint" successfully rolled out',
      '$ kubectl get service server *\n10.96.0.10',
      '',
    ].join('\n'),
  )
  const raised = await established.raise(arm, l4L7L4)
  expect(raised.endpoint).toEqual({
    host: '10.96.0.10',
    port: 8080,
    authority: 'server.mb-l4-l7-l4.svc.cluster.local:8080',
  })
  expect(raised.components).toMatchObject([
    { hop: 'client-tunnel', category: 'l4', process: 'istio-ambient/ztunnel on meshbench-worker' },
    { hop: 'waypoint', category: 'l7' },
    { hop: 'server-tunnel', category: 'l4', process: 'istio-ambient/ztunnel on meshbench-worker2' },
  ])
  const ztunnelNodes = [...cluster.bound.values()]
    .filter(({ podSelector }) => podSelector === 'app=ztunnel')
    .map(({ nodeName }) => nodeName)
  expect(new Set(ztunnelNodes)).toEqual(new Set(Object.values(cluster.nodes)))
  expect(cluster.shapes.get(arm.id)?.service?.labels).toEqual({ 'istio.io/use-waypoint': 'waypoint' })
  expect(await raised.readCounters(raised.application.name)).toMatchObject({ requests: 7 })
})

test('the way in from outside starts at the gateway’s service and is charged to gateway and ztunnel', async () => {
  const { cluster, session } = install('istio-ambient-install')
  const established = await session
  cluster.goOn(gatewayComesUp)
  const arm = testArm('istio-ambient', 'ingress')
  const raised = await established.raise(arm, ingress)
  expect(cluster.unused()).toEqual([])
  expect(raised.endpoint).toMatchObject({ host: '10.96.0.20', port: 8080 })
  expect(raised.components).toMatchObject([
    { hop: 'gateway', category: 'l7', node: 'waypoint' },
    { hop: 'server-tunnel', category: 'l4', process: 'istio-ambient/ztunnel on meshbench-worker2' },
  ])
  expect(cluster.bound.get('istio-ambient/ingress/gateway')).toEqual({
    namespace: 'mb-ingress',
    podSelector: 'gateway.networking.k8s.io/gateway-name=gateway',
    container: 'istio-proxy',
  })
  expect(cluster.shapes.get(arm.id)?.clientPod?.labels).toEqual({ 'istio.io/dataplane-mode': 'none' })
})

describe('a gateway before sidecars', () => {
  const arm = testArm('istio-sidecar', 'ingress-to-sidecar')
  const installWithGateway = () => install('istio-sidecar-gateway-install', istioSidecar, arm.path)

  test('the Gateway API comes before istiod, and only for such a path', async () => {
    const { cluster, session } = installWithGateway()
    await session
    expect(cluster.unused()).toEqual([])
    const commands = commandsOf(cluster)
    expect(commands[1]).toMatch(/apply --server-side -f .*standard-install\.yaml$/)
    expect(commands.findIndex((command) => command.includes('istiod'))).toBeGreaterThan(1)
    const without = install('istio-sidecar-install', istioSidecar)
    await without.session
    expect(commandsOf(without.cluster).some((command) => command.includes('gateway'))).toBe(false)
  })

  test('it starts at the gateway’s service and is charged to gateway and sidecar', async () => {
    const { cluster, session } = installWithGateway()
    const established = await session
    cluster.goOn(gatewayComesUp)
    const raised = await established.raise(arm, ingressToSidecar)
    expect(cluster.unused()).toEqual([])
    expect(raised.endpoint).toEqual({
      host: '10.96.0.20',
      port: 8080,
      authority: 'gateway-istio.mb-ingress-to-sidecar.svc.cluster.local:8080',
    })
    expect(raised.components).toMatchObject([
      { hop: 'gateway', category: 'l7', node: 'waypoint' },
      { hop: 'server-sidecar', category: 'l7', node: 'server' },
    ])
    // Neither shares its process with anything.
    expect(raised.components.map(({ process }) => process)).toEqual([undefined, undefined])
    expect(cluster.bound.get(`${arm.id}/server-sidecar`)).toEqual({
      namespace: 'mb-ingress-to-sidecar',
      podSelector: 'app=server',
      container: 'istio-proxy',
    })
    expect(cluster.shapes.get(arm.id)?.clientPod).toBeUndefined()
  })

  test.each([
    [
      'istio-gateway-not-programmed',
      /istio-sidecar: the gateway in mb-ingress-to-sidecar is not programmed: Accepted is Pending \(Waiting for controller\)/,
      /Does istiod run, and does the GatewayClass istio exist/,
    ],
    [
      'istio-gateway-image',
      /the image docker\.io\/istio\/proxyv2:1\.31\.1 cannot be pulled \(Back-off/,
      /meshbench pull/,
    ],
  ])('%s', async (name, message, hint) => {
    const { cluster, session } = installWithGateway()
    const established = await session
    cluster.goOn(transcript(`failures/${name}`))
    const error = await failureOf(established.raise(arm, ingressToSidecar))
    expect(error.message).toMatch(message)
    expect(error.hint).toMatch(hint)
  })
})

describe('what a person reads when a step fails', () => {
  test.each([
    [
      'helm-timeout-image',
      /istio-sidecar: istiod 1\.31\.1: the image docker\.io\/istio\/pilot:9\.9\.9 cannot be pulled \(Back-off .*no such host\), so istio-system\/istiod-\S+ does not start/,
      /meshbench pull/,
    ],
    [
      'helm-timeout-memory',
      /has no place to run: 0\/4 nodes are available: 1 Insufficient memory, 3 node\(s\) had untolerated taint/,
      /more memory/,
    ],
    ['helm-timeout-node', /node \S+-worker2 is not ready: Kubelet stopped posting/, /describe node/],
    [
      'helm-timeout-crash',
      /istiod-\S+ keeps ending: container discovery: OOMKilled, exit code 137/,
      /logs --previous -n istio-system istiod/,
    ],
    ['helm-timeout-silent', /not ready in time, and no pod or node says why/, /too slow or too busy/],
    ['helm-timeout-unreachable', /does not answer when it is asked why/, /overloaded/],
    ['helm-timeout-busy', /pilot:9\.9\.9 cannot be pulled \(Back-off pulling image/, /meshbench pull/],
    [
      'chart-unreachable',
      /istio-base 1\.31\.1: the chart cannot be downloaded \(.*istio-release\.storage\.googleapis\.com/,
      /mirror/,
    ],
    [
      'helm-values',
      /istiod 1\.31\.1: Error: execution error at \(istiod\/templates\/zzz_profile\.yaml:45:3\): unknown platform nowhere$/,
      /end of the output/,
    ],
    [
      'helm-timeout-quota',
      /no pod of istio-system\/istiod-\S+ can be made: Error creating: pods "istiod-\S+" is forbidden: exceeded quota: none/,
      /quota of the cluster/,
    ],
    [
      'cluster-unreachable',
      /istiod 1\.31\.1: the API server does not answer \(Error: Kubernetes cluster unreachable: .*TLS handshake timeout\)/,
      /overloaded/,
    ],
    [
      'chart-unreachable-oci',
      /istio-base 1\.31\.1: the chart cannot be downloaded \(.*gcr\.io.*no such host/,
      /mirror/,
    ],
    [
      'no-sandbox',
      /istio-system\/istiod-\S+ does not start: FailedCreatePodSandBox: .*Cilium API client timeout exceeded/,
      /events/,
    ],
    ['helm-locked', /helm holds a lock from an interrupted run/, /meshbench clean/],
  ])('%s', async (name, message, hint) => {
    const error = await failureOf(install(`failures/${name}`, istioSidecar).session)
    expect(error.message).toMatch(message)
    expect(error.hint).toMatch(hint)
    expect(error.exitCode).toBe(4)
  })

  test.each([
    ['crd-too-old', /Gateway API CRDs are 0\.8\.1, older than 1\.1\.0, which gateways need/],
    ['crd-too-new', /CRDs are 1\.7\.0, newer than the pinned 1\.6\.1, and they refuse to be downgraded/],
    ['crd-guarded', /newer or experimental Gateway API CRDs, which guard themselves/],
  ])('%s', async (name, message) => {
    const error = await failureOf(install(`failures/${name}`).session)
    expect(error.message).toMatch(message)
    expect(error.hint).toMatch(/new cluster/)
  })

  test.each([
    [
      'webhook-down',
      /the admission webhook validation\.istio\.io does not answer \(.*connection refused\)/,
      /kubectl get pods/,
    ],
    [
      'webhook-denied',
      /the admission webhook validation\.istio\.io refused it: configuration is invalid: HTTP route cannot contain both route and redirect/,
      /meshSettings/,
    ],
    [
      'crd-gone',
      /does not know gateways of gateway\.networking\.k8s\.io: its CRDs are missing or too old/,
      /CRDs/,
    ],
    [
      'crd-missing',
      /does not know Gateway of gateway\.networking\.k8s\.io\/v1: its CRDs are missing or too old/,
      /CRDs/,
    ],
    [
      'waypoint-not-programmed',
      /the waypoint in mb-l4-l7-l4 is not programmed: Accepted is Pending \(Waiting for controller\)/,
      /ambient profile/,
    ],
    [
      'waypoint-image',
      /the image docker\.io\/istio\/proxyv2:1\.31\.1-distroless cannot be pulled \(toomanyrequests/,
      /mirror/,
    ],
  ])('%s, while an arm is raised', async (name, message, hint) => {
    const { cluster, session, arm } = install('istio-ambient-install')
    const established = await session
    cluster.goOn(transcript(`failures/${name}`))
    const error = await failureOf(established.raise(arm, l4L7L4))
    expect(error.message).toMatch(message)
    expect(error.hint).toMatch(hint)
    expect(error).toBeInstanceOf(MeshInstallError)
  })
})

test.each([
  ['1.20.2', /Istio 1\.31\.1 needs Kubernetes 1\.32 or newer, and this cluster is 1\.20\.2/],
  ['1.31.9', /needs Kubernetes 1\.32/],
])(
  'a cluster of Kubernetes %s is refused before anything is installed',
  async (kubernetesVersion, message) => {
    const cluster = transcriptCluster('', { kubernetesVersion })
    const error = await failureOf(istioSidecar.install(contextOn(cluster, istioSidecar)))
    expect(error.message).toMatch(message)
    expect(cluster.commands).toEqual([])
  },
)

describe('on a cluster that is somebody’s', () => {
  const asked = '$ kubectl get namespaces,customresourcedefinitions,* -o name'
  const others = 'namespace/default\ncustomresourcedefinition.apiextensions.k8s.io/cronjobs.example.com'
  const marking = '$ kubectl create -f -\nnamespace/istio-system created\n'
  const ours =
    'namespace/istio-system\ncustomresourcedefinition.apiextensions.k8s.io/gateways.networking.istio.io'
  /** Where the Gateway API is made with the run's marks. */
  const onTheirs = (text: string) =>
    text.replace(
      /\$ kubectl apply --server-side -f (https\S+)/,
      '$ kubectl label --local -f $1 *\nkind: marked\n$ kubectl apply --server-side -f -',
    )
  const undone = ['$* helm uninstall *', '$* kubectl delete *', `${asked}\n${others}\n${ours}`, ''].join('\n')
  /** Installs, or fails to, and takes down again. */
  async function installAndUndo(mesh: typeof istioAmbient, text: string) {
    const cluster = transcriptCluster(text, { isOwn: false })
    const scope = openScope({ runId: 'r', stateDir: '/nonexistent', signal: new AbortController().signal })
    const error = await mesh.install(contextOn(cluster, mesh, { scope })).then(
      () => undefined,
      (reason: unknown) => reason as UserError,
    )
    const installed = cluster.commands.length
    cluster.goOn(undone)
    expect(await scope.close()).toEqual([])
    const commands = commandsOf(cluster)
    const inputs = cluster.commands.map(({ input = '' }) => input)
    return { error, inputs, before: commands.slice(0, installed), after: commands.slice(installed) }
  }

  test('everything that was installed is taken away again, last first, and nothing else', async () => {
    const { error, after } = await installAndUndo(
      istioAmbient,
      `${asked}\n${others}\n${marking}${onTheirs(transcript('istio-ambient-install'))}`,
    )
    expect(error).toBeUndefined()
    await expect(scriptOf(after)).toMatchFileSnapshot(golden('istio-ambient-undo-commands.txt'))
  })

  test('what it makes for the whole cluster has the marks of the run, from before the first chart on', async () => {
    const { before, inputs } = await installAndUndo(
      istioAmbient,
      `${asked}\n${others}\n${marking}${onTheirs(transcript('istio-ambient-install'))}`,
    )
    const at = (pattern: RegExp) => before.findIndex((command) => pattern.test(command))
    expect(JSON.parse(inputs[at(/create -f -/)] ?? '')).toMatchObject({
      kind: 'Namespace',
      metadata: {
        name: 'istio-system',
        labels: { 'meshbench.run': 'r', 'meshbench.machine': 'm', 'meshbench.mesh': 'istio-ambient' },
      },
    })
    expect(before[at(/label --local/)]).toContain(' meshbench.run=r meshbench.machine=m -o yaml')
    expect(inputs[at(/apply --server-side -f -$/)]).toBe('kind: marked')
    expect(at(/create -f -/)).toBeLessThan(at(/label --local/))
    expect(at(/label --local/)).toBeLessThan(at(/^helm/))
  })

  test('a Gateway API that is there stays as it is', async () => {
    const crd = JSON.stringify({
      metadata: { annotations: { 'gateway.networking.k8s.io/bundle-version': 'v1.9.0' } },
    })
    const text = transcript('istio-ambient-install').replace(
      /(gateways.gateway.networking.k8s.io -o json\n)! 1\n.*/,
      `$1${crd}`,
    )
    const { error, before, after } = await installAndUndo(
      istioAmbient,
      `${asked}\n${others}\n${marking}${text}`,
    )
    expect(error).toBeUndefined()
    expect([...before, ...after].filter((command) => command.includes('standard-install'))).toEqual([])
  })

  test('what a failed installation left goes, too', async () => {
    const text = transcript('failures/helm-timeout-silent')
    const { error, after } = await installAndUndo(istioSidecar, `${asked}\n${others}\n${marking}${text}`)
    expect(error).toBeInstanceOf(MeshInstallError)
    expect(after).toContain('helm uninstall istio-base --namespace istio-system --ignore-not-found')
  })

  test.each([
    ['', /on the cluster already, or what is left of one.*namespace\/istio-system/, /--platform kind/],
    ['run-1', /which the run run-1 made: namespace\/istio-system/, /`meshbench clean run-1` takes it away/],
  ])(
    'an Istio that is there is refused, and left alone, made by the run "%s"',
    async (run, message, hint) => {
      const owner = `$ kubectl get namespace istio-system --ignore-not-found -o jsonpath={.metadata.labels.meshbench\\.run}`
      const text = `${asked}\n${others}\n${ours}\n${owner}\n${run}\n`
      const { error, before, after } = await installAndUndo(istioSidecar, text)
      expect(error?.message).toMatch(message)
      expect(error?.hint).toMatch(hint)
      expect(before.filter((command) => !command.startsWith('kubectl get '))).toEqual([])
      expect(after).toEqual([])
    },
  )
})

test('what the user has laid over it goes from a cluster that is kept, and the mesh stays', async () => {
  const settings = { cacheDir: '/nonexistent', manifests: ['filter.yaml'] }
  const undoneOn = async (isKept: boolean) => {
    const more = '$ kubectl apply --server-side -f filter.yaml\n$* kubectl delete secrets *\n'
    const cluster = transcriptCluster(transcript('istio-sidecar-install') + more, { isKept })
    const scope = openScope({ runId: 'r', stateDir: '/nonexistent', signal: new AbortController().signal })
    await istioSidecar.install(contextOn(cluster, istioSidecar, { settings, scope }))
    const installed = cluster.commands.length
    cluster.goOn('$ kubectl delete *\n')
    expect(await scope.close()).toEqual([])
    return commandsOf(cluster).slice(installed)
  }
  expect(await undoneOn(true)).toEqual(['kubectl delete --ignore-not-found --wait=false -f filter.yaml'])
  expect(await undoneOn(false)).toEqual([])
})

test('what an interrupted run left of helm’s does not lock a cluster that was kept', async () => {
  const text = `${transcript('istio-sidecar-install')}$* kubectl delete secrets *\n`
  const cluster = transcriptCluster(text, { isKept: true })
  await istioSidecar.install(contextOn(cluster, istioSidecar))
  const commands = commandsOf(cluster)
  const pending = 'status in (pending-install,pending-upgrade,pending-rollback)'
  const unlocking = commands.indexOf(
    `kubectl delete secrets -n istio-system -l owner=helm,name=istiod,${pending}`,
  )
  expect(unlocking).toBeGreaterThan(0)
  expect(commands[unlocking + 1]).toMatch(/^helm upgrade --install istiod /)
})

test('a platform without a cluster is refused with what to choose instead', async () => {
  const { cluster: _, ...host } = transcriptHost(transcriptCluster(''))
  await expect(istioAmbient.install({ ...contextOn(transcriptCluster('')), host })).rejects.toThrow(
    'needs a Kubernetes cluster',
  )
})

test('an interrupt between steps is an interrupt, not a failed installation', async () => {
  const cluster = transcriptCluster(transcript('istio-sidecar-install'))
  const controller = new AbortController()
  const scope = { signal: controller.signal }
  const progress = {
    ...silentProgress,
    step: async <T>(_title: string, run: () => Promise<T>) => run().finally(() => controller.abort()),
  }
  const context = contextOn(cluster, istioSidecar, { scope, progress })
  await expect(istioSidecar.install(context)).rejects.toMatchObject({ name: 'AbortError' })
})

test('an interrupt while an arm comes up is an interrupt, and no cluster is asked for its reason', async () => {
  const controller = new AbortController()
  const cluster = transcriptCluster(transcript('istio-ambient-install'))
  const scope = { signal: controller.signal }
  const established = await istioAmbient.install(contextOn(cluster, istioAmbient, { scope }))
  cluster.goOn('$ kubectl apply --server-side -f -\n! 1\nerror: timed out waiting for the condition\n')
  controller.abort()
  const raising = established.raise(testArm('istio-ambient', 'l4-l7-l4'), l4L7L4)
  await expect(raising).rejects.toMatchObject({ name: 'AbortError' })
  expect(commandsOf(cluster).filter((command) => command.includes('get pods'))).toEqual([])
})

describe('Cilium as the network under ambient', () => {
  afterEach(() => void vi.useRealTimers())

  test('that will not come up ends the wait for it', async () => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] })
    const waiting = { reason: 'ImagePullBackOff', message: '403 Forbidden' }
    const agent = {
      metadata: { name: 'cilium-x9k2f', namespace: 'kube-system' },
      status: { containerStatuses: [{ name: 'agent', image: 'cilium:v1', state: { waiting } }] },
    }
    const cluster = transcriptCluster('$ helm upgrade --install cilium *\n', {
      kubectl: async ([verb, kind], options) =>
        verb === 'rollout'
          ? new Promise<string>((_, reject) =>
              options?.signal?.addEventListener('abort', () => reject(new Error('ended'))),
            )
          : JSON.stringify({ items: kind === 'pods' ? [agent] : [] }),
    })
    const settings = { cacheDir: '/nonexistent', cni: 'cilium' }
    let isOver = false
    const failed = failureOf(istioAmbient.install(contextOn(cluster, istioAmbient, { settings })))
    void failed.finally(() => (isOver = true))
    const look = async () => {
      await vi.advanceTimersByTimeAsync(5_000)
      return isOver
    }
    await expect.poll(look).toBe(true)
    expect((await failed).message).toMatch(/the image cilium:v1 cannot be pulled \(403 Forbidden\)/)
  })
})
