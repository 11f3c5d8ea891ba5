/** What Kubernetes has warned of: a pod that waits for its sandbox says nothing itself, and its events say why. */
import type { Kubectl } from './kubectl.js'

/** The part of an event that is used (Kubernetes API, core/v1 Event). */
interface Warning {
  readonly involvedObject: { readonly kind?: string; readonly name?: string }
  readonly reason?: string
  readonly message?: string
  readonly firstTimestamp?: string | null
  readonly lastTimestamp?: string | null
  readonly eventTime?: string | null
}

/** The last warning about each of these pods: `reason: message`. None where events cannot be read. */
export async function lastWarnings(
  kubectl: Pick<Kubectl, 'json'>,
  namespace: string,
  pods: readonly { readonly metadata: { readonly name: string } }[],
): Promise<readonly string[]> {
  if (pods.length === 0) return []
  const warnings = await warningsIn(kubectl, namespace)
  return pods.flatMap(({ metadata }) => {
    const last = warnings.findLast(({ involvedObject }) => involvedObject.name === metadata.name)
    return last === undefined ? [] : [textOf(last)]
  })
}

/**
 * Why pods of a Deployment or a DaemonSet are not made, as its controller warned last: a webhook that denies them or does not
 * answer, a quota, a level of pod security. Undefined where it has nothing to say.
 */
export async function lastRefusal(
  kubectl: Pick<Kubectl, 'json'>,
  namespace: string,
  workload: string,
): Promise<string | undefined> {
  // A Deployment's pods are made by its ReplicaSet, which is named after it and a hash.
  const isOfWorkload = ({ kind, name = '' }: Warning['involvedObject']) =>
    kind === 'ReplicaSet' ? name.replace(/-[a-z0-9]+$/, '') === workload : name === workload
  const last = (await warningsIn(kubectl, namespace)).findLast(
    ({ reason, involvedObject }) => reason === 'FailedCreate' && isOfWorkload(involvedObject),
  )
  return last && textOf(last)
}

/** A kubelet repeats what is still so, with longer and longer pauses; what it said for less may have passed. */
const noVolumeForMs = 30_000

/** Why one of these pods has been without its volumes for half a minute, as `pod: reason: message`. */
export async function missingVolume(
  kubectl: Pick<Kubectl, 'json'>,
  namespace: string,
  pods: readonly { readonly metadata: { readonly name: string } }[],
): Promise<string | undefined> {
  const names = new Set(pods.map(({ metadata }) => metadata.name))
  const last = (await warningsIn(kubectl, namespace)).findLast(
    ({ reason = '', involvedObject: { name = '' }, firstTimestamp, ...event }) =>
      /^Failed(Mount|AttachVolume)$/.test(reason) &&
      names.has(name) &&
      Date.parse(timeOf(event)) - Date.parse(firstTimestamp ?? timeOf(event)) >= noVolumeForMs,
  )
  return last && `${last.involvedObject.name}: ${textOf(last)}`
}

/** In the order of time. None where events cannot be read. */
async function warningsIn(kubectl: Pick<Kubectl, 'json'>, namespace: string): Promise<readonly Warning[]> {
  const args = ['get', 'events', '-n', namespace, '--field-selector', 'type=Warning']
  const list = await kubectl
    .json<{ items: readonly Warning[] }>(args, { timeoutMs: 15_000 })
    .catch(() => ({ items: [] }))
  return [...list.items].sort((a, b) => (timeOf(a) < timeOf(b) ? -1 : 1))
}

/** Kubernetes folds many of a kind into one, and says so before their message. */
const folded = /^\(combined from similar events\): /
const textOf = ({ reason = 'Warning', message = '' }: Warning) =>
  `${reason}: ${message.replace(folded, '').trim()}`
const timeOf = ({ lastTimestamp, eventTime }: Pick<Warning, 'lastTimestamp' | 'eventTime'>) =>
  lastTimestamp ?? eventTime ?? ''
