/** Makes the namespaces of a run, and removes them where the cluster outlives it. */
import type { ArmShape } from '../../../harness/model/cluster-access.js'
import { ApiError, type ApiProxy } from './api/api-proxy.js'
import type { PodWatch } from './api/pods.js'
import type { ArmState } from './arms.js'
import { namespaceManifest, serviceAccountManifest } from './render/manifests.js'
import { machineName } from './render/names.js'
import type { Rollout } from './rollout.js'

/** Pods that are deleted at once are gone within seconds; a busy kubelet takes longer. */
const goneTimeoutMs = 60_000

export interface NamespacesOptions {
  readonly proxy: ApiProxy
  readonly pods: PodWatch
  readonly rollout: Rollout
  readonly runId: string
}

export class Namespaces {
  readonly #options: NamespacesOptions
  readonly #names: string[] = []

  constructor(options: NamespacesOptions) {
    this.#options = options
  }

  /** The arm's namespace with its service accounts; made once. */
  ensure(state: ArmState): Promise<void> {
    return (state.namespaceReady ??= this.create(state.namespace, state.shape))
  }

  async create(namespace: string, shape?: ArmShape): Promise<void> {
    const { pods, rollout, runId } = this.#options
    // Before it is created: what a failed attempt leaves must go, too.
    this.#names.push(namespace)
    await rollout.apply(`namespace ${namespace}`, [
      namespaceManifest(namespace, { runId, machine: machineName() }, shape?.namespace),
      ...['client', 'server', 'hop'].map((name) => serviceAccountManifest(name, namespace, runId)),
    ])
    await pods.watch(namespace)
  }

  /** Deletes one before the run is over, and waits until none of its pods is left. */
  async takeDown(namespace: string, signal: AbortSignal): Promise<void> {
    if (!this.#names.includes(namespace)) return
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
    const results = await Promise.allSettled(this.#names.map((name) => this.#deleteOne(name)))
    for (const { reason } of results.filter((result) => result.status === 'rejected')) {
      if (!(reason instanceof ApiError && reason.status === 404)) throw reason
    }
  }

  async #deleteOne(name: string): Promise<void> {
    const { proxy } = this.#options
    const path = `/api/v1/namespaces/${name}`
    await proxy.delete(path)
    // Who may delete a namespace need not be allowed this; then they take their time.
    await proxy.delete(`${path}/pods?gracePeriodSeconds=0`).catch(() => {})
  }
}
