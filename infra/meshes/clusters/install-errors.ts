/**
 * Turns the failure of a step into what a person can act on. "timed out waiting for the condition" is true and of no
 * use: the reason stands in pods, nodes and conditions, so those are read before the message is written.
 */
import { CommandError, exitCodes, messageOf, UserError } from '../../../harness/model/errors.js'
import type { ClusterAccess } from '../../../harness/model/cluster-access.js'

/** A mesh that did not come up. `detail` is the evidence: the end of the command's output, or what the cluster says. */
export class MeshInstallError extends UserError {
  readonly detail: string

  constructor(message: string, options: { hint: string; detail: string; cause: unknown }) {
    super(message, { hint: options.hint, cause: options.cause, exitCode: exitCodes.runFailed })
    this.name = 'MeshInstallError'
    this.detail = options.detail
  }
}

export interface Failure {
  readonly step: string
  readonly mesh: string
  readonly cluster: ClusterAccess
  readonly error: unknown
}

/** What a step waited for will not come: the cluster said so before the wait was over. */
export class HopelessError extends Error {
  readonly state: ClusterState

  constructor(state: ClusterState) {
    super('no pod will come up by waiting')
    this.name = 'HopelessError'
    this.state = state
  }
}

/** The error to throw in place of `error`; whatever already speaks to the user stays as it is. */
export async function explainFailure({ step, mesh, cluster, error }: Failure): Promise<Error> {
  if (error instanceof UserError) return error
  const tail = error instanceof CommandError ? error.tail.trim() : ''
  const explain = ({ message, hint }: Explanation, detail = tail) =>
    new MeshInstallError(`${mesh}: ${step}: ${message}`, { hint, detail, cause: error })
  const explainFrom = (state: ClusterState) =>
    explain(explainState(state), [...state.evidence, tail].filter(Boolean).join('\n'))

  if (error instanceof HopelessError) return explainFrom(error.state)
  if (!(error instanceof CommandError)) return error instanceof Error ? error : new Error(messageOf(error))
  const known = matchOutput(tail)
  if (known) return explain(known)
  if (!isTimeout(error))
    return explain({
      message: ownWords(tail) || error.message,
      hint: 'The end of the output is beside this.',
    })
  const state = await inspectCluster(cluster)
  return state
    ? explainFrom(state)
    : explain({
        message: 'not ready in time, and the cluster does not answer when it is asked why',
        hint: 'Is the API server up, and the host not overloaded? Try kubectl get pods -A.',
      })
}

/** The first reason that is enough by itself; all of them are the evidence. */
function explainState(state: ClusterState): Explanation {
  const { imageProblems, unreadyNodes, unschedulable, crashing, warnings } = state
  const [image] = imageProblems
  if (image)
    return {
      message: `the image ${image.image} cannot be pulled (${image.reason}), so ${image.pod} does not start`,
      hint: 'Pull ahead on a host with a network (meshbench pull) and copy the cache, or name a registry mirror.',
    }
  const [unready] = unreadyNodes
  if (unready)
    return {
      message: `node ${unready.node} is not ready: ${unready.reason}`,
      hint: 'Look at the node: docker logs and `kubectl describe node`. Without a CNI, nodes stay NotReady.',
    }
  const [unplaced] = unschedulable
  if (unplaced)
    return {
      message: `${unplaced.pod} has no place to run: ${unplaced.reason}`,
      hint: 'Give the cluster more memory or CPUs, or measure fewer meshes at once.',
    }
  const [crash, ...others] = crashing
  if (crash) {
    const more = others.length === 0 ? '' : `; after it ${others.map(({ pod }) => pod).join(', ')}`
    return {
      message: `${crash.pod} keeps ending: container ${crash.container}: ${crash.reason}${more}`,
      hint: `Read why: kubectl logs --previous -n ${crash.pod.replace('/', ' ')} -c ${crash.container}.`,
    }
  }
  const [warning] = warnings
  if (warning)
    return {
      message: `${warning.pod} does not start: ${warning.reason}`,
      hint: 'It is the last thing that the cluster warned of; kubectl get events -A has the rest.',
    }
  return {
    message: 'not ready in time, and no pod or node says why',
    hint: 'The host may be too slow or too busy: try again, or with fewer other programs running.',
  }
}

const watchIntervalMs = 5_000

/**
 * Does some work on a cluster, and ends it as soon as a pod of these namespaces will not come up by waiting: its image is not
 * to be had, or it has ended again and again.
 */
export async function unlessHopeless<T>(
  cluster: ClusterAccess,
  namespaces: readonly string[],
  work: (cluster: ClusterAccess) => Promise<T>,
  everyMs = watchIntervalMs,
): Promise<T> {
  const ended = new AbortController()
  const { signal } = ended
  let hopeless: ClusterState | undefined
  let looking = false
  const look = async () => {
    if (looking) return
    looking = true
    const state = await inspectCluster(cluster, namespaces)
    looking = false
    if (!state || !isHopeless(state)) return
    hopeless = state
    ended.abort()
  }
  const timer = setInterval(() => void look(), everyMs)
  try {
    return await work({
      ...cluster,
      kubectl: (args, options) => cluster.kubectl(args, { ...options, signal }),
      helm: (args, options) => cluster.helm(args, { ...options, signal }),
    })
  } catch (error) {
    throw hopeless ? new HopelessError(hopeless) : error
  } finally {
    clearInterval(timer)
  }
}

/** Pods that wait for others may end once or twice before these are there. */
const hopelessRestarts = 3

function isHopeless({ imageProblems, crashing }: ClusterState): boolean {
  return (
    imageProblems.some(({ isFirst }) => !isFirst) ||
    crashing.some(({ restarts }) => restarts >= hopelessRestarts)
  )
}

interface Explanation {
  readonly message: string
  readonly hint: string
}

/** Failures whose reason is in the command's own output. */
function matchOutput(tail: string): Explanation | undefined {
  const denied = /admission webhook "([^"]+)" denied the request: ([^\n]*)/.exec(tail)
  if (denied) {
    return {
      message: `the admission webhook ${denied[1]} refused it: ${denied[2]}`,
      hint: 'Change what it names: a policy of the cluster, or a field of meshSettings.',
    }
  }
  const webhook = /failed calling webhook "([^"]+)":[\s\S]*?(?:: )([^\n]*)$/m.exec(tail)
  if (webhook) {
    return {
      message: `the admission webhook ${webhook[1]} does not answer (${webhook[2]})`,
      hint: 'Its pod is down or unreachable from the API server: kubectl get pods -A, then repeat the run.',
    }
  }
  const noKind = /no matches for kind "([^"]+)" in version "([^"]+)"/.exec(tail)
  if (noKind) {
    return {
      message: `the cluster does not know ${noKind[1]} of ${noKind[2]}: its CRDs are missing or too old`,
      hint: 'Start from a new cluster, or install the CRDs at the version in infra/supply/versions.ts.',
    }
  }
  if (/ValidatingAdmissionPolicy .*safe-upgrades/.test(tail)) {
    return {
      message:
        'the cluster has newer or experimental Gateway API CRDs, which guard themselves against a downgrade',
      hint: 'Start from a new cluster, or remove those CRDs first if nothing else uses them.',
    }
  }
  if (
    /failed to fetch|failed to download|could not be reached|looks like .* is not a valid chart repository/i.test(
      tail,
    )
  ) {
    return {
      message: `the chart cannot be downloaded (${ownWords(tail)})`,
      hint: 'Pull ahead on a host with a network (meshbench pull) and copy the cache, or name a mirror.',
    }
  }
  if (/another operation \(install\/upgrade\/rollback\) is in progress/.test(tail)) {
    return {
      message: 'helm holds a lock from an interrupted run',
      hint: 'Remove the release (helm uninstall) or start from a new cluster (meshbench clean).',
    }
  }
  return undefined
}

function isTimeout(error: CommandError): boolean {
  return (
    error.signal !== null ||
    /timed out waiting for the condition|context deadline exceeded|deadline exceeded|timed out/i.test(
      error.tail,
    )
  )
}

/** From the last `Error:` to the advice below it; without one, the last line. */
function ownWords(text: string): string {
  const lines = text.trim().split('\n')
  const start = lines.findLastIndex((line) => /^error\b/i.test(line))
  if (start < 0) return lines.at(-1)?.trim() ?? ''
  const end = lines.findIndex((line, index) => index > start && line.trim() === '')
  return lines
    .slice(start, end < 0 ? undefined : end)
    .map((line) => line.trim())
    .join(' ')
}

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
  readonly restarts: number
}

export interface ClusterState {
  readonly imageProblems: readonly ImageProblem[]
  /** In the order of their first failure, each with the end of its log where it can be read. */
  readonly crashing: readonly Crash[]
  readonly unschedulable: readonly PodProblem[]
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
  readonly restartCount?: number
  readonly state?: { readonly waiting?: { readonly reason?: string; readonly message?: string } }
  readonly lastState?: { readonly terminated?: { readonly reason?: string; readonly exitCode?: number } }
}

interface KubernetesItem {
  readonly metadata: { readonly name: string; readonly namespace?: string }
  readonly status?: {
    readonly conditions?: readonly Condition[]
    readonly containerStatuses?: readonly ContainerStatus[]
    readonly initContainerStatuses?: readonly ContainerStatus[]
  }
}

/** The part of an event that is used (Kubernetes API, core/v1 Event). */
interface WarningEvent {
  readonly involvedObject: { readonly namespace?: string; readonly name?: string }
  readonly reason?: string
  readonly message?: string
  readonly firstTimestamp?: string | null
  readonly lastTimestamp?: string | null
}

/** A busy API server is slow just when it is asked why something timed out. */
const inspectTimeoutMs = 60_000
const logLines = 5

/**
 * What pods and nodes say of themselves, those of some namespaces or all; undefined when the cluster cannot be asked, even
 * at a second try.
 */
async function inspectCluster(
  cluster: ClusterAccess,
  namespaces?: readonly string[],
): Promise<ClusterState | undefined> {
  const list = async <T = KubernetesItem>(args: readonly string[]): Promise<readonly T[]> => {
    const text = await cluster.kubectl(['get', ...args, '-o', 'json'], { timeoutMs: inspectTimeoutMs })
    return (JSON.parse(text) as { items: readonly T[] }).items
  }
  const isMeant = ({ metadata }: KubernetesItem) =>
    namespaces === undefined || namespaces.includes(metadata.namespace ?? 'default')
  for (let attempt = 0; attempt < 2; attempt++) {
    try {
      const pods = (await list(['pods', '-A'])).filter(isMeant)
      // One that is watched while it comes up has nodes that are not ready yet.
      const nodes = namespaces === undefined ? await list(['nodes']) : []
      const events = ['events', '-A', '--field-selector', 'type=Warning']
      const warnings = await list<WarningEvent>(events).catch(() => [])
      const state = readState(pods, nodes, warnings)
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

const nameOf = ({ metadata }: KubernetesItem) => `${metadata.namespace ?? 'default'}/${metadata.name}`

function readState(
  pods: readonly KubernetesItem[],
  nodes: readonly KubernetesItem[],
  events: readonly WarningEvent[],
): ClusterState {
  const containers = pods.flatMap((pod) =>
    [...(pod.status?.initContainerStatuses ?? []), ...(pod.status?.containerStatuses ?? [])].map(
      (container) => ({ pod: nameOf(pod), container, waiting: container.state?.waiting }),
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
    .filter(({ waiting }) => waiting?.reason === 'CrashLoopBackOff')
    .map(({ pod, container: { name = '', restartCount = 0, lastState } }) => {
      const last = lastState?.terminated
      const reason = last
        ? `${last.reason ?? 'Error'}, exit code ${last.exitCode ?? '?'}`
        : 'CrashLoopBackOff'
      return { pod, container: name, restarts: restartCount, reason }
    })
    .sort((a, b) => (firstFailure(events, a.pod) < firstFailure(events, b.pod) ? -1 : 1))
  const unschedulable = pods.flatMap((pod) =>
    (pod.status?.conditions ?? [])
      .filter(({ type, reason }) => type === 'PodScheduled' && reason === 'Unschedulable')
      .map(({ message }) => ({ pod: nameOf(pod), reason: message ?? 'Unschedulable' })),
  )
  const unreadyNodes = nodes.flatMap((node) =>
    (node.status?.conditions ?? [])
      .filter(({ type, status }) => type === 'Ready' && status !== 'True')
      .map(({ message, reason }) => ({ node: node.metadata.name, reason: message ?? reason ?? 'NotReady' })),
  )
  const warnings = lastWarnings(pods, events)
  const evidence = [
    ...imageProblems.map(({ pod, image, reason }) => `${pod}: ${image}: ${reason}`),
    ...crashing.map(({ pod, container, reason }) => `${pod}: ${container}: ${reason}`),
    ...unschedulable.map(({ pod, reason }) => `${pod}: ${reason}`),
    ...unreadyNodes.map(({ node, reason }) => `node ${node}: ${reason}`),
    ...warnings.map(({ pod, reason }) => `${pod}: ${reason}`),
  ]
  return { imageProblems, crashing, unschedulable, unreadyNodes, warnings, evidence }
}

const podOf = ({ involvedObject: { namespace = 'default', name = '' } }: WarningEvent) =>
  `${namespace}/${name}`

/** When a pod was first warned of; one that never was comes last. */
function firstFailure(events: readonly WarningEvent[], pod: string): string {
  const times = events
    .filter((event) => podOf(event) === pod)
    .map(({ firstTimestamp }) => firstTimestamp ?? '~')
  return times.sort()[0] ?? '~'
}

function lastWarnings(
  pods: readonly KubernetesItem[],
  events: readonly WarningEvent[],
): readonly PodProblem[] {
  const isReady = (pod: KubernetesItem) =>
    pod.status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True') === true
  const byTime = [...events].sort((a, b) => ((a.lastTimestamp ?? '') < (b.lastTimestamp ?? '') ? -1 : 1))
  return pods
    .filter((pod) => !isReady(pod))
    .flatMap((pod) => {
      const last = byTime.findLast((event) => podOf(event) === nameOf(pod))
      return last
        ? [{ pod: nameOf(pod), reason: `${last.reason ?? 'Warning'}: ${(last.message ?? '').trim()}` }]
        : []
    })
}
