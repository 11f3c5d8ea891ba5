/** A wait for pods ends when the cluster has said that they will not come, and tells why in its words. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { PodWatch, type ContainerStatus, type Pod } from './api/pods.js'
import { Rollout } from './rollout.js'

let manifestDir: string
beforeEach(async () => void (manifestDir = await mkdtemp(join(tmpdir(), 'meshbench-rollout-'))))
afterEach(() => rm(manifestDir, { recursive: true }))

const container = (name: string, state: ContainerStatus['state']): ContainerStatus => ({
  ...{ name, ready: false, restartCount: 0 },
  ...(state && { state }),
})
const waiting = (reason: string) => ({ waiting: { reason, message: 'no such image' } })

const podWith = (init: readonly ContainerStatus[], containers: readonly ContainerStatus[]): Pod => ({
  metadata: { name: 'server-1', namespace: 'bench', uid: 'u' },
  spec: { nodeName: 'n2' },
  status: { phase: 'Pending', initContainerStatuses: init, containerStatuses: containers },
})

/** What is said of pods that do not become ready, by a wait that ends long before its time. */
async function failureOf(
  pods: () => readonly Pod[],
  { events = [], expectContainers = [] }: { events?: readonly object[]; expectContainers?: string[] } = {},
): Promise<string> {
  const watch = new PodWatch({} as never)
  const rollout = new Rollout({
    kubectl: {
      apply: async () => {},
      run: async () => '',
      json: async <T>() => ({ items: events }) as T,
    },
    proxy: { patch: async () => {}, json: async <T>() => ({}) as T },
    pods: { find: pods, waitFor: (...wait) => watch.waitFor(...wait) },
    nodes: { client: 'n1', server: 'n2', waypoint: 'n3' },
    manifestDir,
    signal: AbortSignal.timeout(4_000),
    diagnostics: { want: () => {} },
    refusedAfterMs: 1,
  })
  const where = { namespace: 'bench', selector: 'app=server', role: 'server', expectContainers } as const
  return rollout.ready('server of x', where).then(
    () => 'ready',
    (error: unknown) => (error as Error).message,
  )
}

describe('pods that will not come up', () => {
  const initializing = container('echo', { waiting: { reason: 'PodInitializing' } })
  it.each([
    [
      'ImagePullBackOff',
      [],
      [container('echo', waiting('ImagePullBackOff'))],
      'echo waits: ImagePullBackOff',
    ],
    [
      'an injected sidecar whose image is not to be had',
      [container('istio-proxy', waiting('ImagePullBackOff'))],
      [initializing],
      'istio-proxy waits: ImagePullBackOff',
    ],
    [
      'an injected sidecar that ends again and again',
      [
        container('istio-init', { terminated: { reason: 'Completed', exitCode: 0 } }),
        container('istio-proxy', waiting('CrashLoopBackOff')),
      ],
      [initializing],
      'istio-proxy waits: CrashLoopBackOff',
    ],
  ])('%s', async (_, init, containers, message) => {
    expect(await failureOf(() => [podWith(init, containers)])).toContain(
      `server of x: server-1: container ${message}`,
    )
  })
})

describe('pods that start nothing', () => {
  const unplaced = {
    ...podWith([], []),
    status: {
      phase: 'Pending',
      conditions: [
        { type: 'PodScheduled', status: 'False', message: '0/4 nodes are available: 4 Insufficient cpu.' },
      ],
    },
  }
  const idle = podWith([], [container('echo', { waiting: { reason: 'ContainerCreating' } })])
  const ready = { ...idle, status: { conditions: [{ type: 'Ready', status: 'True' }] } }
  const mounting = (lastTimestamp: string) => ({
    ...{ involvedObject: { kind: 'Pod', name: 'server-1' }, reason: 'FailedMount' },
    ...{ message: 'MountVolume.SetUp failed: secret "keys" not found' },
    ...{ firstTimestamp: '2026-11-30T01:00:00Z', lastTimestamp },
  })

  it('are not waited for when there is no place for them', async () => {
    expect(await failureOf(() => [unplaced])).toBe(
      'server of x: server-1: Pending, 0/4 nodes are available: 4 Insufficient cpu.',
    )
  })

  it('are not waited for when their volumes have been missing for long', async () => {
    expect(await failureOf(() => [idle], { events: [mounting('2026-11-30T01:00:31Z')] })).toBe(
      'server of x: server-1: FailedMount: MountVolume.SetUp failed: secret "keys" not found',
    )
  })

  it('are waited for while it may pass', async () => {
    const begin = Date.now()
    const later = () => (Date.now() - begin < 100 ? [idle] : [ready])
    expect(await failureOf(later, { events: [mounting('2026-11-30T01:00:07Z')] })).toBe('ready')
  })
})

it('a pod that is ready without the sidecar that it should have is not waited for', async () => {
  const status = {
    conditions: [{ type: 'Ready', status: 'True' }],
    containerStatuses: [container('echo', {})],
  }
  const expectContainers = ['istio-proxy']
  expect(await failureOf(() => [{ ...podWith([], []), status }], { expectContainers })).toBe(
    'server of x: server-1 was made without istio-proxy, which its mesh should have put into it',
  )
})

describe('pods that are not made', () => {
  const refusal = (kind: string, name: string, message: string) => ({
    ...{ involvedObject: { kind, name }, reason: 'FailedCreate', message },
    ...{ firstTimestamp: '2026-11-30T01:00:00Z', lastTimestamp: '2026-11-30T01:00:05Z' },
  })
  const denied = 'admission webhook "policy.example.com" denied the request: no limits'

  it('are not waited for once their controller has said why', async () => {
    const others = [
      refusal('ReplicaSet', 'server-tunnel-6f7b5d', 'of another Deployment'),
      refusal('DaemonSet', 'server-tunnel', 'of a DaemonSet'),
    ]
    const own = refusal('ReplicaSet', 'server-7c9f6d5b8d', denied)
    const events = [own, ...others]
    expect(await failureOf(() => [], { events })).toBe(`server of x: FailedCreate: ${denied}`)
  })

  it('are waited for while nobody says why', async () => {
    const made = { ...podWith([], []), status: { conditions: [{ type: 'Ready', status: 'True' }] } }
    const begin = Date.now()
    expect(await failureOf(() => (Date.now() - begin < 100 ? [] : [made]))).toBe('ready')
  })
})
