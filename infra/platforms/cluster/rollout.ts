/** Applies a pod's objects, waits until it is ready where it must be, and explains it when it is not. */
import { writeFile } from 'node:fs/promises'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import type { NodeRole } from '../../../harness/model.js'
import { NotReadyError } from '../local/process.js'
import type { ApiProxy } from './api/api-proxy.js'
import { misplaced } from './usage/components.js'
import { renderList, reasonOf, type Kubectl } from './api/kubectl.js'
import type { Diagnostics } from './diagnostics.js'
import { nudge } from './nudge.js'
import type { Manifest } from './render/manifests.js'
import { lastRefusal, lastWarnings, missingVolume } from './api/events.js'
import {
  containersOf,
  describePod,
  isReady,
  type ContainerStatus,
  type Pod,
  type PodWatch,
} from './api/pods.js'

const readyTimeoutMs = 120_000
/** What keeps pods from being made or placed may pass as long; by then their controller has tried a dozen times. */
const refusedAfterMs = 30_000
/** Container states that do not pass by waiting. */
const hopeless = new Set([
  'ErrImageNeverPull',
  'ImagePullBackOff',
  'InvalidImageName',
  'CreateContainerConfigError',
  'CreateContainerError',
  'RunContainerError',
  'CrashLoopBackOff',
])

export interface RolloutOptions {
  readonly kubectl: Pick<Kubectl, 'apply' | 'json' | 'run'>
  readonly proxy: Pick<ApiProxy, 'patch' | 'json'>
  readonly pods: Pick<PodWatch, 'find' | 'waitFor'>
  readonly nodes: Readonly<Record<NodeRole, string>>
  readonly manifestDir: string
  readonly signal: AbortSignal
  readonly diagnostics: Pick<Diagnostics, 'want'>
  /** How long pods may be refused before that is the end of it; shorter in tests. */
  readonly refusedAfterMs?: number
}

/** Pods that are waited for, and the node that they must be on. */
export interface PodsWanted {
  readonly namespace: string
  readonly selector: string
  readonly role: NodeRole
  readonly expectContainers?: readonly string[]
}

export class Rollout {
  readonly #options: RolloutOptions
  #counter = 0

  constructor(options: RolloutOptions) {
    this.#options = options
    mkdirSync(options.manifestDir, { recursive: true, mode: 0o700 })
  }

  /** Applies objects; the file that is kept of them leaves out what Secrets hold. */
  async apply(title: string, manifests: readonly Manifest[]): Promise<void> {
    const { kubectl, manifestDir } = this.#options
    const name = `${String(this.#counter++).padStart(3, '0')}-${title.replaceAll(/[^a-z0-9-]+/g, '-')}.json`
    await writeFile(join(manifestDir, name), renderList(manifests.map(withoutSecrets)), { mode: 0o600 })
    await kubectl.apply(manifests).catch((error: unknown) => {
      this.#options.diagnostics.want()
      throw new NotReadyError(`${title}: the cluster refused an object: ${reasonOf(error)}`, reasonOf(error))
    })
  }

  /** Waits until the only pod of a selector is ready on its node; throws `NotReadyError` with logs. */
  async ready(title: string, where: PodsWanted): Promise<Pod> {
    const [pod] = await this.readyAll(title, where, 1)
    if (!pod) throw new Error(`${title}: its pod is gone`)
    return pod
  }

  /** The same for a selector of `count` pods; they come in the order of their names. */
  async readyAll(title: string, where: PodsWanted, count: number): Promise<readonly Pod[]> {
    const { pods, nodes, signal } = this.#options
    const { namespace, selector, role, expectContainers = [] } = where
    const find = () =>
      pods.find(namespace, selector).filter(({ metadata }) => metadata.deletionTimestamp === undefined)
    const lacking = (pod: Pod) => {
      const names = containersOf(pod).map(({ name }) => name)
      return expectContainers.filter((name) => !names.includes(name))
    }
    const complete = (pod: Pod) => isReady(pod) && lacking(pod).length === 0
    // Old kubelets (seen with 1.20) look at a pod again only a minute after its startup probe has succeeded.
    const stopNudging = nudge(this.#options.proxy, () =>
      find().filter((pod) => !isReady(pod) && isRunning(pod)),
    )
    const obstacles = this.#watchObstacles(where, find, count)
    try {
      await pods.waitFor(title, () => find().length === count && find().every(complete), {
        timeoutMs: readyTimeoutMs,
        signal,
        explain: () => find().map(describePod).join('; ') || 'no pod was created',
        isHopeless: () =>
          find()
            .map((pod) => hopelessReason(pod, lacking(pod)))
            .find((reason) => reason !== undefined) ?? obstacles.last(),
      })
      const found = find()
      const wrong = misplaced(found, role, nodes)
      if (wrong !== undefined) throw new Error(`${title}: ${wrong}`)
      return [...found].sort((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1))
    } catch (error) {
      signal.throwIfAborted()
      this.#options.diagnostics.want()
      const unready = find().filter((pod) => !complete(pod))
      const said = await lastWarnings(this.#options.kubectl, namespace, unready)
      const message = error instanceof Error ? error.message : String(error)
      const more = said.filter((text) => !message.includes(text))
      throw new NotReadyError([message, ...more].join('; '), await this.#logs(namespace, selector))
    } finally {
      stopNudging()
      obstacles.stop()
    }
  }

  /**
   * Asks now and then why pods are missing, or have started nothing, which they cannot say themselves; `last` is what was said,
   * while that is so.
   */
  #watchObstacles({ namespace, selector }: PodsWanted, find: () => readonly Pod[], count: number) {
    const { kubectl, refusedAfterMs: everyMs = refusedAfterMs } = this.#options
    // A workload has the name that its pods are found by.
    const workload = selector.slice(selector.indexOf('=') + 1)
    const areMissing = () => find().length < count
    let refusal: string | undefined
    let unplaced = new Set<string>()
    let held: { readonly uids: ReadonlySet<string>; readonly reason: string } | undefined
    const look = async () => {
      const before = unplaced
      unplaced = new Set(find().filter(isUnplaced).map(uidOf))
      const still = find().find((pod) => before.has(uidOf(pod)) && isUnplaced(pod))
      const idle = find().filter(hasStartedNothing)
      const reason = still ? describePod(still) : await missingVolume(kubectl, namespace, idle)
      held = reason === undefined ? undefined : { uids: new Set((still ? [still] : idle).map(uidOf)), reason }
      refusal = areMissing() ? await lastRefusal(kubectl, namespace, workload) : undefined
    }
    const timer = setInterval(() => void look(), everyMs)
    const last = () => {
      if (areMissing() && refusal !== undefined) return refusal
      return find().some((pod) => hasStartedNothing(pod) && held?.uids.has(uidOf(pod)))
        ? held?.reason
        : undefined
    }
    return { last, stop: () => clearInterval(timer) }
  }

  async clusterIp(namespace: string, service: string): Promise<string> {
    const path = `/api/v1/namespaces/${namespace}/services/${service}`
    return (await this.#options.proxy.json<{ spec: { clusterIP: string } }>(path)).spec.clusterIP
  }

  async #logs(namespace: string, selector: string): Promise<string> {
    return this.#options.kubectl
      .run(['logs', '-n', namespace, '-l', selector, '--all-containers', '--tail=40', '--prefix'], {
        timeoutMs: 15_000,
      })
      .catch((error: unknown) => `no logs: ${reasonOf(error)}`)
  }
}

const uidOf = ({ metadata }: Pod) => metadata.uid

const isUnplaced = ({ status }: Pod) =>
  (status.conditions ?? []).some(({ type, status: is }) => type === 'PodScheduled' && is === 'False')

function hasStartedNothing({ status: { containerStatuses = [], initContainerStatuses = [] } }: Pod): boolean {
  return [...initContainerStatuses, ...containerStatuses].every(
    ({ state }) => state?.running === undefined && state?.terminated === undefined,
  )
}

function isRunning(pod: Pod): boolean {
  const containers = containersOf(pod)
  return containers.length > 0 && containers.every(({ state }) => state?.running !== undefined)
}

function hopelessReason(pod: Pod, lacking: readonly string[]): string | undefined {
  const { containerStatuses = [], initContainerStatuses = [] } = pod.status
  // A pod's containers are fixed when it is made.
  if (lacking.length > 0 && isReady(pod))
    return `${pod.metadata.name} was made without ${lacking.join(', ')}, which its mesh should have put into it`
  const isStuck = ({ state }: ContainerStatus) => hopeless.has(state?.waiting?.reason ?? '')
  // Sidecars that a mesh injects are among the init containers, some of which end when their work is done.
  const stuck =
    [...initContainerStatuses, ...containerStatuses].some(isStuck) ||
    containerStatuses.some(({ state }) => state?.terminated !== undefined)
  return stuck ? describePod(pod) : undefined
}

function withoutSecrets(manifest: Manifest): Manifest {
  if (manifest.kind !== 'Secret') return manifest
  const names = Object.keys(manifest.stringData ?? {})
  return { ...manifest, stringData: Object.fromEntries(names.map((name) => [name, 'redacted'])) }
}
