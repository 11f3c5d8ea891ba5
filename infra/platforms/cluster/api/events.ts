/** What Kubernetes has warned of: a pod that waits for its sandbox says nothing itself, and its events say why. */
import type { Kubectl } from './kubectl.js'

/** The part of an event that is used (Kubernetes API, core/v1 Event). */
interface PodEvent {
  readonly involvedObject: { readonly kind?: string; readonly name?: string }
  readonly reason?: string
  readonly message?: string
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
  const args = ['get', 'events', '-n', namespace, '--field-selector', 'type=Warning']
  const list = await kubectl
    .json<{ items: readonly PodEvent[] }>(args, { timeoutMs: 15_000 })
    .catch(() => ({ items: [] }))
  const byTime = [...list.items].sort((a, b) => (timeOf(a) < timeOf(b) ? -1 : 1))
  return pods.flatMap(({ metadata }) => {
    const last = byTime.findLast(({ involvedObject }) => involvedObject.name === metadata.name)
    return last === undefined ? [] : [`${last.reason ?? 'Warning'}: ${(last.message ?? '').trim()}`]
  })
}

const timeOf = ({ lastTimestamp, eventTime }: PodEvent) => lastTimestamp ?? eventTime ?? ''
