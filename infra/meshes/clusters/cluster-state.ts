/** What pods, controllers and nodes of a cluster say of themselves, as far as it keeps an installation from getting ready. */
import type { ClusterAccess } from '../../../harness/model/cluster-access.js'

/** Pods that wait for others may end once or twice before these are there. */
export const hopelessRestarts = 3

interface PodProblem {
  /** `namespace/name`. */
  readonly pod: string
  readonly reason: string
}

interface ImageProblem extends PodProblem {
  readonly image: string
  /** The kubelet has not tried again yet. */
  readonly isFirst: boolean
}

interface Crash extends PodProblem {
  readonly container: string
  /** Names the container among all. */
  readonly key: string
  readonly restarts: number
  /** Its kubelet waits before it starts it again. */
  readonly isBackingOff: boolean
}

/** What keeps a pod from starting, and may pass: what it needs may come a moment after it. */
interface Block extends PodProblem {
  /** Names it among all, from one look to the next. */
  readonly key: string
  /** How long it has gone on, where that is told: what was said once may be over. */
  readonly forMs?: number
}

/** Of a controller in the place of a pod. */
interface Refusal extends PodProblem {
  /** From the first to the last time that a pod could not be made. */
  readonly forMs: number
}

export interface ClusterState {
  readonly imageProblems: readonly ImageProblem[]
  /** Controllers that have fewer pods than they want, since they cannot make them. */
  readonly refused: readonly Refusal[]
  /** Of every container. */
  readonly restarts: ReadonlyMap<string, number>
  /** In the order of their first failure, each with the end of its log where it can be read. */
  readonly crashing: readonly Crash[]
  readonly unschedulable: readonly PodProblem[]
  /** Containers that cannot be made, volumes that are not to be had, and pods without a place though all nodes are ready. */
  readonly blocked: readonly Block[]
  readonly unreadyNodes: readonly { readonly node: string; readonly reason: string }[]
  /** The last warning about each pod that is not ready and says nothing itself. */
  readonly warnings: readonly PodProblem[]
  readonly evidence: readonly string[]
}

interface Condition {
  readonly type: string
  readonly status: string
  readonly reason?: string
  readonly message?: string
}

interface ContainerStatus {
  readonly name?: string
  readonly image: string
  readonly ready?: boolean
  readonly restartCount?: number
  readonly state?: { readonly waiting?: { readonly reason?: string; readonly message?: string } }
  readonly lastState?: { readonly terminated?: { readonly reason?: string; readonly exitCode?: number } }
}

export interface KubernetesItem {
  readonly metadata: { readonly name: string; readonly namespace?: string }
  readonly status?: {
    readonly conditions?: readonly Condition[]
    readonly containerStatuses?: readonly ContainerStatus[]
    readonly initContainerStatuses?: readonly ContainerStatus[]
  }
}

/** The part of an event that is used (Kubernetes API, core/v1 Event). */
interface WarningEvent {
  readonly involvedObject: { readonly namespace?: string; readonly name?: string; readonly uid?: string }
  readonly reason?: string
  readonly message?: string
  readonly firstTimestamp?: string | null
  readonly lastTimestamp?: string | null
  readonly eventTime?: string | null
}

/** The part of a ReplicaSet, a DaemonSet, a StatefulSet or a Job that is used (Kubernetes API, apps/v1 and batch/v1). */
interface Controller {
  readonly metadata: KubernetesItem['metadata'] & { readonly uid: string }
  readonly spec: { readonly replicas?: number; readonly completions?: number }
  readonly status: {
    readonly replicas?: number
    readonly desiredNumberScheduled?: number
    readonly currentNumberScheduled?: number
    readonly active?: number
    readonly succeeded?: number
    readonly failed?: number
  }
}

/** A busy API server is slow just when it is asked why something timed out. */
const inspectTimeoutMs = 60_000
const logLines = 5

/**
 * What pods and nodes say of themselves, those of some namespaces or all; undefined when the cluster cannot be asked, even
 * at a second try.
 */
export async function inspectCluster(
  cluster: ClusterAccess,
  namespaces?: readonly string[],
): Promise<ClusterState | undefined> {
  const list = async <T = KubernetesItem>(args: readonly string[]): Promise<readonly T[]> => {
    const text = await cluster.kubectl(['get', ...args, '-o', 'json'], { timeoutMs: inspectTimeoutMs })
    return (JSON.parse(text) as { items: readonly T[] }).items
  }
  const isMeant = ({ metadata }: Pick<KubernetesItem, 'metadata'>) =>
    namespaces === undefined || namespaces.includes(metadata.namespace ?? 'default')
  for (let attempt = 0; attempt < 2; attempt++) {
    try {
      const pods = (await list(['pods', '-A'])).filter(isMeant)
      // One that is watched while it comes up has nodes that are not ready yet: they are why pods have no place.
      const nodes = namespaces === undefined || unplaced(pods).length > 0 ? await list(['nodes']) : []
      const events = ['events', '-A', '--field-selector', 'type=Warning']
      const warnings = await list<WarningEvent>(events).catch(() => [])
      const controllers = warnings.some(isRefusal)
        ? await list<Controller>(['replicasets,daemonsets,statefulsets,jobs', '-A']).catch(() => [])
        : []
      const state = readState({ pods, nodes, warnings, controllers: controllers.filter(isMeant) })
      return { ...state, crashing: await withLogs(cluster, state.crashing) }
    } catch {
      // The command that failed is what the user hears of; this one only looks for its reason.
    }
  }
  return undefined
}

/** The end of a container's log says more than its exit code. */
function withLogs(cluster: ClusterAccess, crashing: readonly Crash[]): Promise<readonly Crash[]> {
  return Promise.all(
    crashing.map(async (crash) => {
      const [namespace = '', name = ''] = crash.pod.split('/')
      const logs = ['logs', '--previous', '-n', namespace, name, '-c', crash.container, `--tail=${logLines}`]
      const text = await cluster.kubectl(logs, { timeoutMs: 15_000 }).catch(() => '')
      const said = text.trim().split('\n').at(-1) ?? ''
      return said === '' ? crash : { ...crash, reason: `${crash.reason}: ${said}` }
    }),
  )
}

const nameOf = ({ metadata }: Pick<KubernetesItem, 'metadata'>) =>
  `${metadata.namespace ?? 'default'}/${metadata.name}`

interface Found {
  readonly pods: readonly KubernetesItem[]
  readonly nodes: readonly KubernetesItem[]
  readonly warnings: readonly WarningEvent[]
  readonly controllers: readonly Controller[]
}

function readState({ pods, nodes, warnings: events, controllers }: Found): ClusterState {
  const containers = pods.flatMap((pod) =>
    [...(pod.status?.initContainerStatuses ?? []), ...(pod.status?.containerStatuses ?? [])].map(
      (container) => ({
        ...{ pod: nameOf(pod), container, waiting: container.state?.waiting },
        key: `${nameOf(pod)}/${container.name ?? ''}`,
      }),
    ),
  )
  const imageProblems = containers
    .filter(({ waiting }) =>
      /^(?:ErrImagePull|ImagePullBackOff|ErrImageNeverPull|InvalidImageName)$/.test(waiting?.reason ?? ''),
    )
    .map(({ pod, container, waiting }) => ({
      pod,
      image: container.image,
      reason: waiting?.message ?? waiting?.reason ?? '',
      isFirst: waiting?.reason === 'ErrImagePull',
    }))
  const crashing = containers
    .map((found) => ({ ...found, isBackingOff: found.waiting?.reason === 'CrashLoopBackOff' }))
    .filter(({ container, isBackingOff }) => isBackingOff || endsAgainAndAgain(container))
    .map(({ pod, key, isBackingOff, container: { name = '', restartCount: restarts = 0, lastState } }) => {
      const last = lastState?.terminated
      const reason = last
        ? `${last.reason ?? 'Error'}, exit code ${last.exitCode ?? '?'}`
        : 'CrashLoopBackOff'
      return { pod, container: name, key, restarts, isBackingOff, reason }
    })
    .sort((a, b) => (firstFailure(events, a.pod) < firstFailure(events, b.pod) ? -1 : 1))
  const refused = refusalsOf(controllers, events)
  const unschedulable = unplaced(pods)
  const unreadyNodes = nodes.flatMap((node) =>
    (node.status?.conditions ?? [])
      .filter(({ type, status }) => type === 'Ready' && status !== 'True')
      .map(({ message, reason }) => ({ node: node.metadata.name, reason: message ?? reason ?? 'NotReady' })),
  )
  const warnings = lastWarnings(pods, events)
  const blocked = [
    ...containers.flatMap(({ pod, key, container: { name = '' }, waiting }) =>
      cannotBeMade.test(waiting?.reason ?? '')
        ? [
            {
              pod,
              key,
              reason: `container ${name}: ${waiting?.reason}: ${waiting?.message ?? 'no more is said'}`,
            },
          ]
        : [],
    ),
    ...withoutVolumes(pods, events),
    ...(unreadyNodes.length > 0
      ? []
      : unschedulable.map(({ pod, reason }) => ({
          pod,
          key: `${pod} place`,
          reason,
        }))),
  ]
  const evidence = [
    ...imageProblems.map(({ pod, image, reason }) => `${pod}: ${image}: ${reason}`),
    ...refused.map(({ pod, reason }) => `${pod}: ${reason}`),
    ...crashing.map(({ pod, container, reason }) => `${pod}: ${container}: ${reason}`),
    ...unschedulable.map(({ pod, reason }) => `${pod}: ${reason}`),
    ...blocked.map(({ pod, reason }) => `${pod}: ${reason}`),
    ...unreadyNodes.map(({ node, reason }) => `node ${node}: ${reason}`),
    ...warnings.map(({ pod, reason }) => `${pod}: ${reason}`),
  ]
  const restarts = new Map(containers.map(({ key, container }) => [key, container.restartCount ?? 0]))
  return {
    ...{ imageProblems, refused, restarts, crashing, unschedulable, blocked, unreadyNodes, warnings },
    evidence: [...new Set(evidence)],
  }
}

/** Reasons for which a kubelet does not get a container made: a Secret or a key that is missing, a user that is refused. */
const cannotBeMade =
  /^(?:CreateContainerConfigError|CreateContainerError|RunContainerError|ImageInspectError)$/
/** Warnings about volumes: what they are of is missing, or cannot be had on the node. A kubelet repeats them while that is so. */
const noVolume = /^(?:FailedMount|FailedAttachVolume)$/

function withoutVolumes(pods: readonly KubernetesItem[], events: readonly WarningEvent[]): readonly Block[] {
  const waiting = new Set(pods.filter((pod) => !isReady(pod)).map(nameOf))
  return events
    .filter((event) => noVolume.test(event.reason ?? '') && waiting.has(podOf(event)))
    .map((event) => {
      const pod = podOf(event)
      const forMs = Date.parse(timeOf(event)) - Date.parse(event.firstTimestamp ?? timeOf(event))
      return { pod, key: `${pod} volumes`, reason: `${event.reason}: ${(event.message ?? '').trim()}`, forMs }
    })
}

const unplaced = (pods: readonly KubernetesItem[]): readonly PodProblem[] =>
  pods.flatMap((pod) =>
    (pod.status?.conditions ?? [])
      .filter(({ type, reason }) => type === 'PodScheduled' && reason === 'Unschedulable')
      .map(({ message }) => ({ pod: nameOf(pod), reason: message ?? 'Unschedulable' })),
  )

/** A kubelet that is told to start what has ended a second later shows it running for most of the time. */
function endsAgainAndAgain({ ready, restartCount = 0, lastState }: ContainerStatus): boolean {
  const { exitCode = 0 } = lastState?.terminated ?? {}
  return ready === false && restartCount >= hopelessRestarts && exitCode !== 0
}

const isRefusal = ({ reason }: WarningEvent) => reason === 'FailedCreate'

/** Events stay for an hour: they are about a controller that is there and lacks pods, or about the past. */
function refusalsOf(controllers: readonly Controller[], events: readonly WarningEvent[]): readonly Refusal[] {
  return controllers
    .filter(({ spec, status }) => {
      const wanted = status.desiredNumberScheduled ?? spec.replicas ?? spec.completions ?? 0
      const { active = 0, succeeded = 0, failed = 0 } = status
      return (status.currentNumberScheduled ?? status.replicas ?? active + succeeded + failed) < wanted
    })
    .flatMap((controller) => {
      const own = events.filter(
        (event) => isRefusal(event) && event.involvedObject.uid === controller.metadata.uid,
      )
      const last = [...own].sort(byTime).at(-1)
      if (!last) return []
      const begin = Math.min(...own.map((event) => Date.parse(event.firstTimestamp ?? timeOf(event))))
      const reason = (last.message ?? 'FailedCreate')
        .replace(/^\(combined from similar events\): /, '')
        .trim()
      return [{ pod: nameOf(controller), reason, forMs: Date.parse(timeOf(last)) - begin }]
    })
}

const timeOf = ({ lastTimestamp, eventTime }: WarningEvent) => lastTimestamp ?? eventTime ?? ''
const byTime = (a: WarningEvent, b: WarningEvent) => (timeOf(a) < timeOf(b) ? -1 : 1)

const podOf = ({ involvedObject: { namespace = 'default', name = '' } }: WarningEvent) =>
  `${namespace}/${name}`

/** When a pod was first warned of; one that never was comes last. */
function firstFailure(events: readonly WarningEvent[], pod: string): string {
  const times = events
    .filter((event) => podOf(event) === pod)
    .map(({ firstTimestamp, eventTime }) => firstTimestamp ?? eventTime ?? '~')
  return times.sort()[0] ?? '~'
}

const isReady = (pod: KubernetesItem) =>
  pod.status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True') === true

function lastWarnings(
  pods: readonly KubernetesItem[],
  events: readonly WarningEvent[],
): readonly PodProblem[] {
  const inTime = [...events].sort(byTime)
  return pods
    .filter((pod) => !isReady(pod))
    .flatMap((pod) => {
      const last = inTime.findLast((event) => podOf(event) === nameOf(pod))
      return last
        ? [{ pod: nameOf(pod), reason: `${last.reason ?? 'Warning'}: ${(last.message ?? '').trim()}` }]
        : []
    })
}
