/**
 * Turns the failure of a step into what a person can act on. "timed out waiting for the condition" is true and of no
 * use: the reason stands in pods, nodes and conditions, so those are read before the message is written.
 */
import { CommandError, exitCodes, messageOf, UserError } from '../../../harness/model/errors.js'
import type { AccessOptions, ClusterAccess } from '../../../harness/model/cluster-access.js'
import { hopelessRestarts, inspectCluster, type ClusterState } from './cluster-state.js'

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
  const { imageProblems, refused, blocked, unreadyNodes, unschedulable, crashing, warnings } = state
  const [image] = imageProblems
  if (image)
    return {
      message: `the image ${image.image} cannot be pulled (${image.reason}), so ${image.pod} does not start`,
      hint: 'Pull ahead on a host with a network (meshbench pull) and copy the cache, or name a registry mirror.',
    }
  const [refusal] = refused
  if (refusal)
    return {
      message: `no pod of ${refusal.pod} can be made: ${refusal.reason}`,
      hint: 'Change what it names: a webhook or a quota of the cluster, or the pod security of that namespace.',
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
  const [block] = blocked
  if (block)
    return {
      message: `${block.pod} does not start: ${block.reason}`,
      hint: 'Change what it names: a value of the chart, a Secret, a volume or a size that the cluster does not have.',
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
/** What a pod waits for may be made a moment after it, and what holds its place may be on its way out. */
const hopelessBlockMs = 30_000

/**
 * Does some work on a cluster, and ends it as soon as a pod of these namespaces will not come up by waiting: its image is not
 * to be had, it has ended again and again, it is kept from starting for half a minute, or the cluster does not let it be made.
 */
export async function unlessHopeless<T>(
  cluster: ClusterAccess,
  namespaces: readonly string[],
  work: (cluster: ClusterAccess) => Promise<T>,
  { everyMs = watchIntervalMs, blockedMs = hopelessBlockMs } = {},
): Promise<T> {
  const ended = new AbortController()
  const { signal } = ended
  let hopeless: ClusterState | undefined
  let looking = false
  let isOver = false
  let first: ClusterState | undefined
  /** When each of the pods that are kept from starting was first seen to be. */
  let since = new Map<string, number>()
  const look = async () => {
    if (looking) return
    looking = true
    const state = await inspectCluster(cluster, namespaces)
    looking = false
    first ??= state
    const seenAt = performance.now()
    const blocked = state?.blocked ?? []
    since = new Map(blocked.map(({ key }) => [key, since.get(key) ?? seenAt]))
    const isBlocked = blocked.some(
      ({ key, forMs = seenAt - (since.get(key) ?? seenAt) }) => forMs >= blockedMs,
    )
    // What takes the work back has its signal, too, and must not be ended by a look that comes late.
    if (isOver || !state || !(isBlocked || isHopeless(state, first ?? state))) return
    hopeless = state
    ended.abort()
  }
  const timer = setInterval(() => void look(), everyMs)
  try {
    // What takes the work back is made by it, and runs when the wait has been ended.
    const bounded = (options?: AccessOptions) => (options?.pastAbort ? options : { ...options, signal })
    return await work({
      ...cluster,
      kubectl: (args, options) => cluster.kubectl(args, bounded(options)),
      helm: (args, options) => cluster.helm(args, bounded(options)),
    })
  } catch (error) {
    throw hopeless ? new HopelessError(hopeless) : error
  } finally {
    isOver = true
    clearInterval(timer)
  }
}

/** What keeps pods from being made may pass as long; by then their controller has tried a dozen times. */
const hopelessRefusalMs = 20_000

/** `first` is what was seen at first: what had ended by then may have been in another time. */
function isHopeless({ imageProblems, refused, crashing }: ClusterState, first: ClusterState): boolean {
  return (
    imageProblems.some(({ isFirst }) => !isFirst) ||
    refused.some(({ forMs }) => forMs >= hopelessRefusalMs) ||
    crashing.some(({ key, restarts, isBackingOff }) => {
      const before = isBackingOff ? 0 : (first.restarts.get(key) ?? 0)
      return restarts - before >= hopelessRestarts
    })
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
  const noKind =
    /no matches for kind "([^"]+)" in version "([^"]+)"/.exec(tail) ??
    // What kubectl says of a kind that it knew a moment ago.
    /could not find the requested resource \(\w+ ([^. ]+)\.([^ ]+) /.exec(tail)
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
    /failed to fetch|failed to download|could not be reached|"FetchReference" on source|looks like .* is not a valid chart repository/i.test(
      tail,
    )
  ) {
    return {
      message: `the chart cannot be downloaded (${ownWords(tail)})`,
      hint: 'Pull ahead on a host with a network (meshbench pull) and copy the cache, or name a mirror.',
    }
  }
  if (/cluster unreachable|unable to connect to the server|was refused - did you specify/i.test(tail)) {
    return {
      message: `the API server does not answer (${ownWords(tail)})`,
      hint: 'Is it up, and the host not overloaded? Try kubectl get pods -A, then repeat the run.',
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
