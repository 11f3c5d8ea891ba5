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

/** The error to throw in place of `error`; whatever already speaks to the user stays as it is. */
export async function explainFailure({ step, mesh, cluster, error }: Failure): Promise<Error> {
  if (error instanceof UserError) return error
  if (!(error instanceof CommandError)) return error instanceof Error ? error : new Error(messageOf(error))
  const tail = error.tail.trim()
  const explain = (message: string, hint: string, detail = tail) =>
    new MeshInstallError(`${mesh}: ${step}: ${message}`, { hint, detail, cause: error })

  const known = matchOutput(tail)
  if (known) return explain(known.message, known.hint)
  if (!isTimeout(error))
    return explain(lastLine(tail) || error.message, 'The end of the output is beside this.')

  const state = await inspectCluster(cluster)
  if (!state) {
    return explain(
      'not ready in time, and the cluster does not answer when it is asked why',
      'Is the API server up, and the host not overloaded? Try kubectl get pods -A.',
    )
  }
  const evidence = [...state.evidence, tail].filter(Boolean).join('\n')
  const [image] = state.imageProblems
  if (image) {
    return explain(
      `the image ${image.image} cannot be pulled (${image.reason}), so ${image.pod} does not start`,
      'Pull ahead on a host with a network (meshbench pull) and copy the cache, or name a registry mirror.',
      evidence,
    )
  }
  const [unready] = state.unreadyNodes
  if (unready) {
    return explain(
      `node ${unready.node} is not ready: ${unready.reason}`,
      'Look at the node: docker logs and `kubectl describe node`. Without a CNI, nodes stay NotReady.',
      evidence,
    )
  }
  const [unplaced] = state.unschedulable
  if (unplaced) {
    return explain(
      `${unplaced.pod} has no place to run: ${unplaced.reason}`,
      'Give the cluster more memory or CPUs, or measure fewer meshes at once.',
      evidence,
    )
  }
  const [crash] = state.crashing
  if (crash) {
    return explain(
      `${crash.pod} keeps ending: ${crash.reason}`,
      `Read why: kubectl logs --previous -n ${crash.pod.replace('/', ' ')}.`,
      evidence,
    )
  }
  return explain(
    'not ready in time, and no pod or node says why',
    'The host may be too slow or too busy: try again, or with fewer other programs running.',
    evidence,
  )
}

interface Explanation {
  readonly message: string
  readonly hint: string
}

/** Failures whose reason is in the command's own output. */
function matchOutput(tail: string): Explanation | undefined {
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
      message: `the chart cannot be downloaded (${lastLine(tail)})`,
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

function lastLine(text: string): string {
  return text.trim().split('\n').at(-1)?.trim() ?? ''
}

interface PodProblem {
  /** `namespace/name`. */
  readonly pod: string
  readonly reason: string
}

interface ClusterState {
  readonly imageProblems: readonly (PodProblem & { readonly image: string })[]
  readonly crashing: readonly PodProblem[]
  readonly unschedulable: readonly PodProblem[]
  readonly unreadyNodes: readonly { readonly node: string; readonly reason: string }[]
  readonly evidence: readonly string[]
}

interface Condition {
  readonly type: string
  readonly status: string
  readonly reason?: string
  readonly message?: string
}

interface ContainerStatus {
  readonly image: string
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

/** A busy API server is slow just when it is asked why something timed out. */
const inspectTimeoutMs = 60_000

/** What pods and nodes say of themselves; undefined when the cluster cannot be asked, even at a second try. */
async function inspectCluster(cluster: ClusterAccess): Promise<ClusterState | undefined> {
  const list = async (args: readonly string[]): Promise<readonly KubernetesItem[]> => {
    const text = await cluster.kubectl(['get', ...args, '-o', 'json'], { timeoutMs: inspectTimeoutMs })
    return (JSON.parse(text) as { items: readonly KubernetesItem[] }).items
  }
  for (let attempt = 0; attempt < 2; attempt++) {
    try {
      return readState(await list(['pods', '-A']), await list(['nodes']))
    } catch {
      // The command that failed is what the user hears of; this one only looks for its reason.
    }
  }
  return undefined
}

function readState(pods: readonly KubernetesItem[], nodes: readonly KubernetesItem[]): ClusterState {
  const nameOf = ({ metadata }: KubernetesItem) => `${metadata.namespace ?? 'default'}/${metadata.name}`
  const containers = pods.flatMap((pod) =>
    [...(pod.status?.initContainerStatuses ?? []), ...(pod.status?.containerStatuses ?? [])].map(
      (container) => ({
        pod: nameOf(pod),
        container,
        waiting: container.state?.waiting,
      }),
    ),
  )
  const imageProblems = containers
    .filter(({ waiting }) =>
      /^(?:ErrImagePull|ImagePullBackOff|ErrImageNeverPull)$/.test(waiting?.reason ?? ''),
    )
    .map(({ pod, container, waiting }) => ({
      pod,
      image: container.image,
      reason: waiting?.message ?? waiting?.reason ?? '',
    }))
  const crashing = containers
    .filter(({ waiting }) => waiting?.reason === 'CrashLoopBackOff')
    .map(({ pod, container }) => {
      const last = container.lastState?.terminated
      return {
        pod,
        reason: last ? `${last.reason ?? 'Error'}, exit code ${last.exitCode ?? '?'}` : 'CrashLoopBackOff',
      }
    })
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
  const evidence = [
    ...imageProblems.map(({ pod, image, reason }) => `${pod}: ${image}: ${reason}`),
    ...crashing.map(({ pod, reason }) => `${pod}: ${reason}`),
    ...unschedulable.map(({ pod, reason }) => `${pod}: ${reason}`),
    ...unreadyNodes.map(({ node, reason }) => `node ${node}: ${reason}`),
  ]
  return { imageProblems, crashing, unschedulable, unreadyNodes, evidence }
}
