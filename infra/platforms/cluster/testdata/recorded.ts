/** What Kubernetes said, as test data: README.md beside this says of what and when. */
import { readFileSync } from 'node:fs'
import type { Pod } from '../api/pods.js'

export const recordedText = (file: string): string => readFileSync(new URL(file, import.meta.url), 'utf8')
const read = <T>(file: string) => JSON.parse(recordedText(file)) as T

export type PodState =
  | 'ready'
  | 'leaving'
  | 'completed'
  | 'unschedulable'
  | 'image-never'
  | 'image-first'
  | 'init-image-backoff'
  | 'crash-ended'
  | 'crash-backoff'
  | 'init-crash-backoff'
  | 'init-crash-ended'
  | 'config-error'
  | 'command-missing'
  | 'volume-missing'

/** A pod of its own in that state, with other metadata or on another node where a test wants it. */
export function recordedPod(
  state: PodState,
  { nodeName, ...metadata }: Partial<Pod['metadata']> & { readonly nodeName?: string } = {},
): Pod {
  const pod = read<Readonly<Record<PodState, Pod>>>('pods.json')[state]
  return {
    ...pod,
    metadata: { ...pod.metadata, ...metadata },
    spec: { ...pod.spec, ...(nodeName === undefined ? {} : { nodeName }) },
  }
}

export interface RecordedEvent {
  readonly involvedObject: {
    readonly kind: string
    readonly namespace: string
    readonly name: string
    readonly uid: string
  }
  readonly reason: string
  readonly message: string
  readonly firstTimestamp: string
  readonly lastTimestamp: string
}
export type EventsOf = 'refused-by-quota' | 'refused-by-policy' | 'refused-by-webhook' | 'pods'
export const recordedEvents = (of: EventsOf) =>
  read<Readonly<Record<EventsOf, readonly RecordedEvent[]>>>('events.json')[of]

export interface RecordedController {
  readonly kind: string
  readonly metadata: { readonly name: string; readonly namespace: string; readonly uid: string }
}
export const recordedControllers = () => read<readonly RecordedController[]>('controllers.json')

export interface RecordedNode {
  readonly metadata: { readonly name: string; readonly labels: Readonly<Record<string, string>> }
  readonly spec: { readonly taints?: readonly { readonly key: string; readonly effect: string }[] }
  readonly status: { readonly conditions: readonly { readonly type: string; readonly status: string }[] }
}
export const recordedNodes = () => read<readonly RecordedNode[]>('nodes.json')
