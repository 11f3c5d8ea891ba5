/** Makes the namespaces of a run, and removes them where the cluster outlives it. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { ArmShape } from '../../../harness/model/cluster-access.js'
import { ApiError, type ApiProxy } from './api/api-proxy.js'
import type { Kubectl } from './api/kubectl.js'
import type { PodWatch } from './api/pods.js'
import type { ArmState } from './arms.js'
import { namespaceManifest, serviceAccountManifest } from './render/manifests.js'
import { machineName } from './render/names.js'
import type { Rollout } from './rollout.js'

/** Pods that are deleted at once are gone within seconds; a busy kubelet takes longer. */
const goneTimeoutMs = 60_000
const lookIntervalMs = 500

export interface NamespacesOptions {
  readonly proxy: Pick<ApiProxy, 'json' | 'delete'>
  readonly pods: Pick<PodWatch, 'watch' | 'waitFor' | 'find'>
  readonly rollout: Pick<Rollout, 'apply'>
  readonly runId: string
  readonly signal: AbortSignal
}

/** The part of a namespace that is used (Kubernetes API, core/v1 Namespace). */
interface Namespace {
  readonly metadata: { readonly deletionTimestamp?: string }
  readonly status?: {
    readonly conditions?: readonly { readonly status: string; readonly message?: string }[]
  }
}

export class Namespaces {
  readonly #options: NamespacesOptions
  /** Name → its making, which may still go on. */
  readonly #made = new Map<string, Promise<void>>()

  constructor(options: NamespacesOptions) {
    this.#options = options
  }

  /** The arm's namespace with its service accounts; made once. */
  ensure(state: ArmState): Promise<void> {
    return (state.namespaceReady ??= this.create(state.namespace, state.shape))
  }

  create(namespace: string, shape?: ArmShape): Promise<void> {
    const making = this.#create(namespace, shape)
    // Before it is there: what a failed attempt leaves must go, too.
    this.#made.set(namespace, making)
    return making
  }

  async #create(namespace: string, shape?: ArmShape): Promise<void> {
    const { pods, rollout, runId } = this.#options
    await this.#awaitEndOf(namespace)
    await rollout.apply(`namespace ${namespace}`, [
      namespaceManifest(namespace, { runId, machine: machineName() }, shape?.namespace),
      ...['client', 'server', 'hop'].map((name) => serviceAccountManifest(name, namespace, runId)),
    ])
    await pods.watch(namespace)
  }

  /**
   * An earlier stay of this run, or the run that it goes on with, did not wait for the end of what it deleted: nothing can
   * be made in a namespace that is on its way out.
   */
  async #awaitEndOf(namespace: string): Promise<void> {
    const { proxy, signal } = this.#options
    // Who may make one need not be allowed to look at it.
    const find = () => proxy.json<Namespace>(`/api/v1/namespaces/${namespace}`).catch(ignoreAnswer)
    const deadline = Date.now() + goneTimeoutMs
    for (let found = await find(); found?.metadata.deletionTimestamp !== undefined; found = await find()) {
      if (Date.now() > deadline) {
        const why = found.status?.conditions?.find(({ status, message }) => status === 'True' && message)
        throw new Error(
          `the namespace ${namespace} was deleted before and is not gone after ${goneTimeoutMs / 1000} s: ${why?.message ?? 'it does not say why'}`,
        )
      }
      await sleep(lookIntervalMs, undefined, { signal })
    }
  }

  /** Deletes one before the run is over, and waits until none of its pods is left. */
  async takeDown(namespace: string, signal: AbortSignal): Promise<void> {
    if (!this.#made.has(namespace)) return
    await this.#deleteOne(namespace)
    const { pods } = this.#options
    await pods.waitFor(`end of ${namespace}`, () => pods.find(namespace, '').length === 0, {
      timeoutMs: goneTimeoutMs,
      signal,
      explain: () => `${pods.find(namespace, '').length} pods are still there`,
    })
  }

  /**
   * Deletes them without waiting for their end. Their pods go at once, since they hold nothing that a graceful end would
   * save: a kubelet may take a minute over one, and the next run on the cluster would wait for it.
   */
  async delete(): Promise<void> {
    const results = await Promise.allSettled([...this.#made.keys()].map((name) => this.#deleteOne(name)))
    for (const result of results) if (result.status === 'rejected') throw result.reason
  }

  async #deleteOne(name: string): Promise<void> {
    const { proxy } = this.#options
    // One that is still being made, as nobody has waited for, would come after it was deleted.
    await this.#made.get(name)?.catch(() => {})
    const path = `/api/v1/namespaces/${name}`
    await proxy.delete(path).catch((error: unknown) => {
      // Gone, or never made; or on its way out already, for API servers that refuse to be told twice.
      if (!(error instanceof ApiError && [404, 409].includes(error.status))) throw error
    })
    // Who may delete a namespace need not be allowed this; then they take their time.
    await proxy.delete(`${path}/pods?gracePeriodSeconds=0`).catch(() => {})
  }
}

/** Deletes what runs have left, and waits for its end. Its pods go at once, as in what a run deletes itself. */
export async function removeNamespaces(
  kubectl: Pick<Kubectl, 'run'>,
  names: readonly string[],
): Promise<void> {
  if (names.length === 0) return
  const removing = (wait: string) =>
    kubectl.run(['delete', 'namespaces', ...names, '--ignore-not-found', wait, '--timeout=120s'], {
      timeoutMs: 150_000,
    })
  await removing('--wait=false')
  const now = ['--grace-period=0', '--force', '--wait=false']
  // Who may delete a namespace need not be allowed this; then they take their time.
  for (const name of names) await kubectl.run(['delete', 'pods', '--all', '-n', name, ...now]).catch(() => {})
  await removing('--wait=true')
}

function ignoreAnswer(error: unknown): undefined {
  if (!(error instanceof ApiError)) throw error
}
