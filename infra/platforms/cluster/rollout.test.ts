/** A wait for pods ends when the cluster has said that they will not come, and tells why in its words. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { PodWatch, type Pod } from './api/pods.js'
import { recordedEvents, recordedPod, type EventsOf, type PodState } from './testdata/recorded.js'
import { Rollout } from './rollout.js'

let manifestDir: string
beforeEach(async () => void (manifestDir = await mkdtemp(join(tmpdir(), 'meshbench-rollout-'))))
afterEach(() => rm(manifestDir, { recursive: true }))

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
  it.each<[PodState, string]>([
    ['image-never', 'proxy waits: ErrImageNeverPull'],
    // An injected sidecar whose image is not to be had, and one that ends again and again.
    ['init-image-backoff', 'istio-proxy waits: ImagePullBackOff'],
    ['init-crash-backoff', 'istio-proxy waits: CrashLoopBackOff'],
    ['config-error', 'echo waits: CreateContainerConfigError secret "missing" not found'],
  ])('%s', async (state, message) => {
    const pod = recordedPod(state)
    expect(await failureOf(() => [pod])).toContain(`server of x: ${pod.metadata.name}: container ${message}`)
  })
})

describe('pods that start nothing', () => {
  const volumeless = recordedPod('volume-missing')
  const warned = recordedEvents('pods')
  /** As it was a moment after the first time. */
  const justWarned = warned.map((event) => ({ ...event, lastTimestamp: event.firstTimestamp }))

  it('are not waited for when there is no place for them', async () => {
    expect(await failureOf(() => [recordedPod('unschedulable')])).toContain(
      'server of x: unschedulable: Pending, 0/4 nodes are available: 1 Insufficient memory, 3 node(s) had',
    )
  })

  it('are not waited for when their volumes have been missing for long', async () => {
    expect(await failureOf(() => [volumeless], { events: warned })).toBe(
      'server of x: volume: FailedMount: MountVolume.SetUp failed for volume "v" : secret "missing" not found',
    )
  })

  it('are waited for while it may pass', async () => {
    const begin = Date.now()
    const ready = recordedPod('ready', { nodeName: 'n2' })
    const later = () => (Date.now() - begin < 100 ? [volumeless] : [ready])
    expect(await failureOf(later, { events: justWarned })).toBe('ready')
  })
})

it('a pod that is ready without the sidecar that it should have is not waited for', async () => {
  const expectContainers = ['istio-proxy']
  expect(await failureOf(() => [recordedPod('ready')], { expectContainers })).toBe(
    'server of x: ready was made without istio-proxy, which its mesh should have put into it',
  )
})

describe('pods that are not made', () => {
  it.each<[EventsOf, string]>([
    ['refused-by-policy', 'pods "server-68567f68db-ntzrb" is forbidden: ValidatingAdmissionPolicy'],
    ['refused-by-quota', 'pods "server-68567f68db-f4lpw" is forbidden: exceeded quota: none'],
  ])('are not waited for once their controller has said why: %s', async (events, why) => {
    const said = await failureOf(() => [], { events: recordedEvents(events) })
    expect(said).toContain(`server of x: FailedCreate: Error creating: ${why}`)
  })

  it('are waited for while only others cannot make theirs', async () => {
    const begin = Date.now()
    const pods = () => (Date.now() - begin < 100 ? [] : [recordedPod('ready', { nodeName: 'n2' })])
    expect(await failureOf(pods, { events: recordedEvents('refused-by-webhook') })).toBe('ready')
  })

  it('are waited for while nobody says why', async () => {
    const begin = Date.now()
    expect(
      await failureOf(() => (Date.now() - begin < 100 ? [] : [recordedPod('ready', { nodeName: 'n2' })])),
    ).toBe('ready')
  })
})
