/** A wait ends as soon as the cluster says that it is in vain. */
import { expect, test } from 'vitest'
import { transcriptCluster, type TranscriptCluster } from '../testdata/transcript-cluster.js'
import {
  recordedControllers,
  recordedEvents,
  recordedNodes,
  recordedPod,
  type EventsOf,
  type PodState,
} from '../../platforms/cluster/testdata/recorded.js'
import { explainFailure, HopelessError, unlessHopeless } from './install-errors.js'

const pod = (state: object, restartCount = 0, namespace = 'istio-system') => ({
  metadata: { name: 'istiod-1', namespace },
  status: { containerStatuses: [{ name: 'discovery', image: 'pilot:nope', restartCount, ...state }] },
})
const pulling = (reason: string) => ({ state: { waiting: { reason, message: `${reason}: not found` } } })
const crashing = {
  state: { waiting: { reason: 'CrashLoopBackOff' } },
  lastState: { terminated: { reason: 'Error', exitCode: 1 } },
}
/** As a kubelet shows it that starts a second later what has ended. */
const startedAgain = { ...crashing, ready: false, state: { running: {} } }
const misconfigured = {
  state: { waiting: { reason: 'CreateContainerConfigError', message: 'secret "ca" not found' } },
}
const unplaced = {
  metadata: { name: 'istiod-1', namespace: 'istio-system' },
  status: {
    conditions: [
      {
        type: 'PodScheduled',
        status: 'False',
        reason: 'Unschedulable',
        message: '0/4 nodes: Insufficient cpu',
      },
    ],
  },
}
const node = (status: string) => ({
  metadata: { name: 'n1' },
  status: { conditions: [{ type: 'Ready', status, message: 'cni plugin not initialized' }] },
})
const mounting = {
  involvedObject: { kind: 'Pod', namespace: 'istio-system', name: 'istiod-1' },
  ...{ reason: 'FailedMount', message: 'MountVolume.SetUp failed: configmap "istio" not found' },
  firstTimestamp: '2026-11-30T01:00:00Z',
  lastTimestamp: '2026-11-30T01:00:31Z',
}
const creating = { ready: false, state: { waiting: { reason: 'ContainerCreating' } } }
const job = {
  metadata: { name: 'certgen', namespace: 'istio-system', uid: 'j1' },
  spec: { completions: 1 },
  status: {},
}
const list = (...items: object[]) => JSON.stringify({ items })
const notMade = (name: string, uid: string, lastTimestamp: string) => ({
  involvedObject: { kind: 'DaemonSet', namespace: 'istio-system', name, uid },
  reason: 'FailedCreate',
  message: 'Error creating: insufficient quota to match these scopes',
  firstTimestamp: '2026-11-30T01:00:00Z',
  lastTimestamp,
})
const daemonSet = (uid: string, currentNumberScheduled: number, namespace = 'istio-system') => ({
  metadata: { name: 'ztunnel', namespace, uid },
  spec: {},
  status: { desiredNumberScheduled: 4, currentNumberScheduled },
})
interface Before {
  readonly first?: object
  readonly events?: readonly object[]
  readonly controllers?: readonly object[]
  readonly nodes?: readonly object[]
}
/** A cluster with one pod, which may have been otherwise at first, and with what was said of others. */
const clusterWith = (found: object, { first, events = [], controllers = [], nodes = [] }: Before = {}) =>
  transcriptCluster(
    [
      ...(first ? [`$ kubectl get pods -A -o json\n${list(first)}`] : []),
      `$* kubectl get pods -A -o json\n${list(found)}`,
      `$* kubectl get nodes -o json\n${list(...nodes)}`,
      `$* kubectl get events *\n${list(...events)}`,
      `$* kubectl get replicasets,daemonsets,statefulsets,jobs -A -o json\n${list(...controllers)}`,
      '$* kubectl logs --previous -n istio-system istiod-1 -c discovery --tail=5\nfatal\tno certificate',
      '',
    ].join('\n'),
  )

/** A wait that ends when it is told to, as kubectl does. */
const endless = (signal: AbortSignal | undefined) =>
  new Promise<string>((_, reject) =>
    signal?.addEventListener('abort', () => reject(new Error('ended')), { once: true }),
  )

/** What a person reads of a wait in these namespaces that has no end of its own. */
async function whyHopeless(cluster: TranscriptCluster, ...namespaces: readonly string[]): Promise<string> {
  const waiting = unlessHopeless(
    { ...cluster, helm: (_, options) => endless(options?.signal) },
    namespaces,
    (watched) => watched.helm(['upgrade']),
    { everyMs: 1, blockedMs: 20 },
  )
  const error = await waiting.catch((reason: unknown) => reason)
  expect(error).toBeInstanceOf(HopelessError)
  const explained = await explainFailure({ step: 'istiod', mesh: 'istio-sidecar', cluster, error })
  return explained.message
}

test.each<[PodState, RegExp]>([
  [
    'image-never',
    /the image meshbench\/proxy:nope cannot be pulled \(Container image .* pull policy of Never\)/,
  ],
  ['init-image-backoff', /the image registry\.example\/proxyv2:1 cannot be pulled \(Back-off pulling/],
  ['crash-backoff', /states\/crash keeps ending: container echo: Error, exit code 3: no certificate$/],
  ['init-crash-backoff', /init-crash keeps ending: container istio-proxy: Error, exit code 1/],
  [
    'config-error',
    /config-error does not start: container echo: CreateContainerConfigError: secret "missing" not found$/,
  ],
  [
    'volume-missing',
    /volume does not start: FailedMount: MountVolume.SetUp failed .*secret "missing" not found$/,
  ],
  [
    'command-missing',
    /bad-command does not start: container echo: RunContainerError: .*exec: "\/nope": stat \/nope: no such/,
  ],
  ['unschedulable', /unschedulable has no place to run: 0\/4 nodes are available: 1 Insufficient memory/],
])('a pod in this state will not come up by waiting: %s', async (state, message) => {
  const found = recordedPod(state)
  const cluster = transcriptCluster(
    [
      `$* kubectl get pods -A -o json\n${list(found)}`,
      `$* kubectl get nodes -o json\n${list(...recordedNodes())}`,
      `$* kubectl get events *\n${list(...recordedEvents('pods'))}`,
      `$* kubectl logs --previous -n states ${found.metadata.name} *\nno certificate`,
      '',
    ].join('\n'),
  )
  expect(await whyHopeless(cluster, found.metadata.namespace)).toMatch(message)
})

test.each<[EventsOf, RegExp]>([
  [
    'refused-by-quota',
    /no pod of refused\/server-68567f68db can be made: Error creating: pods .*exceeded quota: none/,
  ],
  [
    'refused-by-policy',
    /no pod of denied\/server-68567f68db can be made: .*ValidatingAdmissionPolicy .* no limits$/,
  ],
  [
    'refused-by-webhook',
    /no pod of hooked\/ztunnel can be made: .*failed calling webhook "policy\.example\.com"/,
  ],
])('pods that the cluster does not let be made: %s', async (events, message) => {
  const cluster = transcriptCluster(
    [
      `$* kubectl get pods -A -o json\n${list()}`,
      `$* kubectl get events *\n${list(...recordedEvents(events))}`,
      `$* kubectl get replicasets,daemonsets,statefulsets,jobs -A -o json\n${list(...recordedControllers())}`,
      `$* kubectl get nodes -o json\n${list(...recordedNodes())}`,
      '',
    ].join('\n'),
  )
  const namespaces = recordedEvents(events).map(({ involvedObject }) => involvedObject.namespace)
  expect(await whyHopeless(cluster, ...namespaces)).toMatch(message)
})

const refusal = notMade('ztunnel', 'u1', '2026-11-30T01:00:21Z')
test.each<[object, RegExp, Before?]>([
  [pod(startedAgain, 8), /istiod-1 keeps ending: container discovery/, { first: pod(startedAgain, 5) }],
  [
    pod({ ready: true }),
    /no pod of istio-system\/ztunnel can be made: Error creating: insufficient quota to match these scopes$/,
    { events: [refusal], controllers: [daemonSet('u1', 0)] },
  ],
  [
    pod({ ready: true }),
    /no pod of istio-system\/certgen can be made: Error creating: insufficient quota/,
    { events: [notMade('certgen', 'j1', '2026-11-30T01:00:21Z')], controllers: [job] },
  ],
])('%#', async (found, message, before) => {
  const cluster = clusterWith(found, before)
  const waiting = unlessHopeless(
    { ...cluster, helm: (_, options) => endless(options?.signal) },
    ['istio-system'],
    (watched) => watched.helm(['upgrade']),
    { everyMs: 1, blockedMs: 20 },
  )
  const error = await waiting.catch((reason: unknown) => reason)
  expect(error).toBeInstanceOf(HopelessError)
  const explained = await explainFailure({ step: 'istiod', mesh: 'istio-sidecar', cluster, error })
  expect(explained.message).toMatch(message)
})

test.each<[string, object, Before?]>([
  ['a first try that failed', pod(pulling('ErrImagePull'))],
  ['a pod that waits for others', pod(crashing, 1)],
  ['a pod that is kept from starting for a moment', pod(misconfigured)],
  [
    'a volume that came a moment later',
    pod(creating),
    { events: [{ ...mounting, lastTimestamp: '2026-11-30T01:00:07Z' }] },
  ],
  ["somebody else's pod", pod(crashing, 9, 'shop')],
  ['a pod that has ended in another time', pod(startedAgain, 9)],
  [
    'a DaemonSet whose pods are there by now, or that was another',
    pod({ ready: true }),
    { events: [refusal], controllers: [daemonSet('u1', 4), daemonSet('u2', 0)] },
  ],
  [
    'a webhook that did not answer for a moment',
    pod({ ready: true }),
    { events: [notMade('ztunnel', 'u1', '2026-11-30T01:00:05Z')], controllers: [daemonSet('u1', 0)] },
  ],
  [
    "somebody else's DaemonSet",
    pod({ ready: true }),
    { events: [refusal], controllers: [daemonSet('u1', 0, 'shop')] },
  ],
])('%s ends nothing', async (_, found, before) => {
  const cluster = clusterWith(found, before)
  let looks = 0
  const counting = {
    ...cluster,
    kubectl: (args: readonly string[]) => {
      looks += args[1] === 'pods' ? 1 : 0
      return cluster.kubectl(args)
    },
  }
  const done = unlessHopeless(
    counting,
    ['istio-system'],
    async () => {
      await expect.poll(() => looks).toBeGreaterThan(2)
      return 'ready'
    },
    { everyMs: 1 },
  )
  expect(await done).toBe('ready')
})

test('pods without a place while the network comes up are waited for', async () => {
  const cluster = clusterWith(unplaced, { nodes: [node('False')] })
  const waiting = unlessHopeless(
    cluster,
    ['istio-system'],
    async () => {
      await expect.poll(() => cluster.commands.length).toBeGreaterThan(20)
      return 'ready'
    },
    { everyMs: 1, blockedMs: 1 },
  )
  expect(await waiting).toBe('ready')
})

test('what takes the work back runs, though the wait that it takes back was ended', async () => {
  const cluster = clusterWith(pod(pulling('ImagePullBackOff')))
  const signals: (AbortSignal | undefined)[] = []
  let takeBack = async (): Promise<unknown> => undefined
  const waiting = unlessHopeless(
    {
      ...cluster,
      helm: (args, options) => {
        if (args[0] === 'upgrade') return endless(options?.signal)
        signals.push(options?.signal)
        return Promise.resolve('')
      },
    },
    ['istio-system'],
    (watched) => {
      takeBack = () => watched.helm(['uninstall'], { pastAbort: true })
      return watched.helm(['upgrade'])
    },
    { everyMs: 1 },
  )
  await expect(waiting).rejects.toBeInstanceOf(HopelessError)
  await takeBack()
  expect(signals).toEqual([undefined])
})

test('what takes the work back is not ended by a look that comes after it', async () => {
  const cluster = clusterWith(pod(crashing, 3))
  let answer = () => {}
  const asked = new Promise<void>((resolve) => (answer = resolve))
  let isAsked = false
  let ofWork: AbortSignal | undefined
  const slow = {
    ...cluster,
    kubectl: async (args: readonly string[]) => {
      isAsked = true
      await asked
      return cluster.kubectl(args)
    },
    helm: async (_: readonly string[], options?: { signal?: AbortSignal }) => {
      ofWork = options?.signal
      await expect.poll(() => isAsked).toBe(true)
      throw new Error('failed by itself')
    },
  }
  const working = unlessHopeless(slow, ['istio-system'], (watched) => watched.helm(['upgrade']), {
    everyMs: 1,
  })
  await expect(working).rejects.toThrow('failed by itself')
  answer()
  await expect.poll(() => cluster.commands.length).toBeGreaterThan(2)
  await new Promise((resolve) => setImmediate(resolve))
  expect(ofWork?.aborted).toBe(false)
})
