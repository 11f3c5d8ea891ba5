/**
 * Knows at any moment which pods a run has, on which node, with which containers: by watching, so that the edges of a
 * window cost no listing and `health` can answer at once.
 */
import { EventEmitter, once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import type { ApiProxy } from './api-proxy.js'

/** The part of a pod that is used (Kubernetes API, core/v1 Pod). */
export interface Pod {
  readonly metadata: {
    readonly name: string
    readonly namespace: string
    readonly uid: string
    readonly labels?: Readonly<Record<string, string>>
    readonly deletionTimestamp?: string
  }
  readonly spec: { readonly nodeName?: string }
  readonly status: {
    readonly phase?: string
    readonly podIP?: string
    readonly conditions?: readonly {
      readonly type: string
      readonly status: string
      readonly message?: string
    }[]
    readonly containerStatuses?: readonly ContainerStatus[]
    readonly initContainerStatuses?: readonly ContainerStatus[]
  }
}

export interface ContainerStatus {
  readonly name: string
  readonly ready: boolean
  /** `containerd://<id>`. */
  readonly containerID?: string
  readonly state?: {
    readonly waiting?: { readonly reason?: string; readonly message?: string }
    readonly running?: Record<string, unknown>
    readonly terminated?: { readonly reason?: string; readonly exitCode?: number }
  }
}

/** Every label of a selector such as `app=ztunnel,tier=node`. */
export function matches(pod: Pod, selector: string): boolean {
  return selector
    .split(',')
    .filter(Boolean)
    .every((term) => {
      const [, key = '', value = ''] = /^([^=!]+)==?(.*)$/.exec(term.trim()) ?? []
      if (key === '') throw new Error(`the label selector ${selector} is not of the form key=value,…`)
      return pod.metadata.labels?.[key] === value
    })
}

export function isReady(pod: Pod): boolean {
  return (
    pod.metadata.deletionTimestamp === undefined &&
    (pod.status.conditions ?? []).some(({ type, status }) => type === 'Ready' && status === 'True')
  )
}

/** Status of a container; native sidecars are among the init containers. */
export function containersOf(pod: Pod): readonly ContainerStatus[] {
  const running = (pod.status.initContainerStatuses ?? []).filter(({ state }) => state?.running !== undefined)
  return [...(pod.status.containerStatuses ?? []), ...running]
}

/** Id as the container runtime's cgroups carry it. */
export function containerId(status: ContainerStatus): string | undefined {
  return /^[a-z-]+:\/\/([0-9a-f]{12,})$/.exec(status.containerID ?? '')?.[1]
}

/** Containers that wait for this wait for something else, which is the reason. */
const unfinished = new Set(['ContainerCreating', 'PodInitializing'])

/** What keeps a pod from being ready, in one line. */
export function describePod(pod: Pod): string {
  const { name } = pod.metadata
  const { containerStatuses = [], initContainerStatuses = [] } = pod.status
  // An init container that has done its work is none of the reasons.
  const failed = initContainerStatuses.filter(({ state }) => state?.terminated?.exitCode !== 0)
  for (const { name: container, state } of [...containerStatuses, ...failed]) {
    if (state?.waiting?.reason !== undefined && !unfinished.has(state.waiting.reason)) {
      return `${name}: container ${container} waits: ${state.waiting.reason} ${state.waiting.message ?? ''}`.trim()
    }
    if (state?.terminated) {
      const { reason = 'ended', exitCode } = state.terminated
      return `${name}: container ${container} ended: ${reason}, exit code ${exitCode ?? 'unknown'}`
    }
  }
  const unready = [...initContainerStatuses, ...containerStatuses].find(
    ({ state, ready }) => state?.running !== undefined && !ready,
  )
  if (unready) return `${name}: container ${unready.name} runs and is not ready`
  const condition = (pod.status.conditions ?? []).find(({ status, message }) => status === 'False' && message)
  return `${name}: ${pod.status.phase ?? 'unknown'}${condition?.message ? `, ${condition.message}` : ''}`
}

interface WatchEvent {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK' | 'ERROR'
  readonly object: Pod & { readonly metadata: { readonly resourceVersion?: string } }
}

export class PodWatch {
  readonly #proxy: ApiProxy
  readonly #pods = new Map<string, Pod>()
  readonly #namespaces = new Map<string, Promise<void>>()
  readonly #stops = new Set<() => void>()
  /** As many wait for it as arms come up. */
  readonly #changes = new EventEmitter().setMaxListeners(0)
  #closed = false

  constructor(proxy: ApiProxy) {
    this.#proxy = proxy
  }

  /** Starts to watch a namespace; resolves when its pods are known. */
  async watch(namespace: string): Promise<void> {
    let started = this.#namespaces.get(namespace)
    if (!started) {
      started = this.#start(namespace)
      this.#namespaces.set(namespace, started)
      // Whoever asks next tries anew.
      void started.catch(() => this.#namespaces.delete(namespace))
    }
    return started
  }

  find(namespace: string, selector: string): readonly Pod[] {
    return [...this.#pods.values()].filter(
      (pod) => pod.metadata.namespace === namespace && matches(pod, selector),
    )
  }

  /** Waits for pods that fit. Rejects after `timeoutMs`, or when `isHopeless` explains why there is no hope. */
  async waitFor(
    title: string,
    condition: () => boolean,
    options: {
      timeoutMs: number
      signal: AbortSignal
      explain: () => string
      isHopeless?: () => string | undefined
    },
  ): Promise<void> {
    const deadline = Date.now() + options.timeoutMs
    while (!condition()) {
      options.signal.throwIfAborted()
      const reason = options.isHopeless?.()
      if (reason !== undefined) throw new Error(`${title}: ${reason}`)
      const left = deadline - Date.now()
      if (left <= 0)
        throw new Error(`${title}: not ready after ${options.timeoutMs / 1000} s: ${options.explain()}`)
      await this.#change(Math.min(left, 1_000))
    }
  }

  close(): void {
    this.#closed = true
    for (const stop of this.#stops) stop()
  }

  /** Resolves when something has changed, or after that time. */
  async #change(timeoutMs: number): Promise<void> {
    const over = new AbortController()
    const { signal } = over
    await Promise.race([once(this.#changes, 'change', { signal }), sleep(timeoutMs, undefined, { signal })])
    over.abort()
  }

  async #start(namespace: string): Promise<void> {
    const version = await this.#list(namespace)
    void this.#follow(namespace, version)
  }

  async #list(namespace: string): Promise<string> {
    const list = await this.#proxy.json<{ metadata: { resourceVersion: string }; items: Pod[] }>(
      `/api/v1/namespaces/${namespace}/pods`,
    )
    for (const [uid, pod] of this.#pods) if (pod.metadata.namespace === namespace) this.#pods.delete(uid)
    for (const pod of list.items) this.#pods.set(pod.metadata.uid, pod)
    this.#changes.emit('change')
    return list.metadata.resourceVersion
  }

  /** Watches end after some minutes by design, and may lose their place: then everything is listed anew. */
  async #follow(namespace: string, first: string): Promise<void> {
    let version = first
    while (!this.#closed) {
      try {
        const path = `/api/v1/namespaces/${namespace}/pods?watch=1&allowWatchBookmarks=true&resourceVersion=${version}`
        const { lines, stop } = await this.#proxy.stream(path)
        this.#stops.add(stop)
        for await (const line of lines) {
          const { type, object } = JSON.parse(line) as WatchEvent
          if (type === 'ERROR') throw new Error('the watch lost its place')
          version = object.metadata.resourceVersion ?? version
          if (type === 'BOOKMARK') continue
          if (type === 'DELETED') this.#pods.delete(object.metadata.uid)
          else this.#pods.set(object.metadata.uid, object)
          this.#changes.emit('change')
        }
        this.#stops.delete(stop)
      } catch {
        if (this.#closed) return
        await sleep(500, undefined, { ref: false })
        version = await this.#list(namespace).catch(() => version)
      }
    }
  }
}
