/** A wait ends as soon as the cluster says that it is in vain. */
import { expect, test } from 'vitest'
import { transcriptCluster } from '../testdata/transcript-cluster.js'
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
const clusterWith = (found: object) =>
  transcriptCluster(
    [
      `$* kubectl get pods -A -o json\n${JSON.stringify({ items: [found] })}`,
      '$* kubectl get events *\n{"items":[]}',
      '$* kubectl logs --previous -n istio-system istiod-1 -c discovery --tail=5\nfatal\tno certificate',
      '',
    ].join('\n'),
  )

/** A wait that ends when it is told to, as kubectl does. */
const endless = (signal: AbortSignal | undefined) =>
  new Promise<string>((_, reject) =>
    signal?.addEventListener('abort', () => reject(new Error('ended')), { once: true }),
  )

test.each([
  [pod(pulling('ImagePullBackOff')), /the image pilot:nope cannot be pulled \(ImagePullBackOff: not found\)/],
  [pod(pulling('ErrImageNeverPull')), /pilot:nope cannot be pulled/],
  [pod(crashing, 3), /istiod-1 keeps ending: container discovery: Error, exit code 1: fatal\tno certificate/],
])('%#', async (found, message) => {
  const cluster = clusterWith(found)
  const waiting = unlessHopeless(
    { ...cluster, helm: (_, options) => endless(options?.signal) },
    ['istio-system'],
    (watched) => watched.helm(['upgrade']),
    1,
  )
  const error = await waiting.catch((reason: unknown) => reason)
  expect(error).toBeInstanceOf(HopelessError)
  const explained = await explainFailure({ step: 'istiod', mesh: 'istio-sidecar', cluster, error })
  expect(explained.message).toMatch(message)
})

test.each([
  ['a first try that failed', pod(pulling('ErrImagePull'))],
  ['a pod that waits for others', pod(crashing, 1)],
  ["somebody else's pod", pod(crashing, 9, 'shop')],
])('%s ends nothing', async (_, found) => {
  const cluster = clusterWith(found)
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
    1,
  )
  expect(await done).toBe('ready')
})
