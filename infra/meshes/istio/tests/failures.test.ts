/** What a person reads when a step of Istio's installation fails, or is refused. */
import { afterEach, describe, expect, test, vi } from 'vitest'
import { silentProgress } from '../../../../harness/testing/scope.js'
import { paths } from '../../../../scenarios/paths/index.js'
import { MeshInstallError } from '../../clusters/install-errors.js'
import { commandsOf, failureOf, testArm, transcript, pinnedCache } from '../../clusters/testing.js'
import { transcriptCluster, transcriptHost } from '../../testdata/transcript-cluster.js'
import { istioAmbient, istioSidecar } from '../istio.js'
import { contextOn, gatewayArm, install, installWithGateway } from './testing.js'

const { 'ingress-to-sidecar': ingressToSidecar, 'l4-l7-l4': l4L7L4 } = paths

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

describe('what a person reads of a gateway before sidecars', () => {
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
    const error = await failureOf(established.raise(gatewayArm, ingressToSidecar))
    expect(error.message).toMatch(message)
    expect(error.hint).toMatch(hint)
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
    const settings = { cacheDir: pinnedCache, cni: 'cilium' }
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
