/** Finds the containers behind each component, and tells from them what it has used and whether it is well. */
import type { Component, NodeRole, TrialError, UsageReading } from '../../harness/model.js'
import type { ContainerSelector } from '../meshes/cluster-access.js'
import { addReadings } from '../platforms/cgroup.js'
import { containerId, containersOf, describePod, isReady, type Pod, type PodWatch } from './pods.js'

/** A container whose usage is wanted. */
export interface ContainerRef {
  readonly id: string
  readonly nodeName: string
  readonly namespace: string
  readonly pod: string
  readonly container: string
}

/** Reads what containers have used; those that cannot be read are left out. Keyed by container id. */
export type UsageSource = (containers: readonly ContainerRef[]) => Promise<ReadonlyMap<string, UsageReading>>

export interface ComponentsOptions {
  readonly pods: PodWatch
  readonly usage: UsageSource
  /** Why a node cannot go on. */
  readonly nodeFailure: (nodeName: string) => TrialError | undefined
}

export class Components {
  readonly #options: ComponentsOptions
  readonly #selectors = new Map<string, ContainerSelector>()
  /** Containers of each component when the running trial began: a replaced one cannot continue it. */
  readonly #expected = new Map<string, string>()

  constructor(options: ComponentsOptions) {
    this.#options = options
  }

  bind(component: Component, selector: ContainerSelector): void {
    this.#selectors.set(component.name, selector)
  }

  selectorOf(component: string): ContainerSelector {
    const selector = this.#selectors.get(component)
    if (!selector) throw new Error(`no component named ${component} is running`)
    return selector
  }

  /** Pods that are not on their way out. */
  podsOf(component: string): readonly Pod[] {
    const { namespace, podSelector, nodeName } = this.selectorOf(component)
    return this.#options.pods
      .find(namespace, podSelector)
      .filter(({ metadata }) => metadata.deletionTimestamp === undefined)
      .filter(({ spec }) => nodeName === undefined || spec.nodeName === nodeName)
  }

  /** Remembers what every component consists of, at the start of a trial. */
  beginTrial(): void {
    this.#expected.clear()
    for (const name of this.#selectors.keys()) this.#expected.set(name, this.#identity(name))
  }

  health(component: string): TrialError | undefined {
    const selector = this.#selectors.get(component)
    if (!selector) return undefined
    const pods = this.podsOf(component)
    for (const { spec } of pods) {
      const failure = this.#options.nodeFailure(spec.nodeName ?? '')
      if (failure) return failure
    }
    if (pods.length === 0) return { kind: 'hop-died', message: `${component}: its pod is gone` }
    const unready = pods.find((pod) => !isReady(pod))
    if (unready) return { kind: 'hop-died', message: `${component}: ${describePod(unready)}` }
    const expected = this.#expected.get(component)
    if (expected !== undefined && expected !== this.#identity(component)) {
      return { kind: 'hop-died', message: `${component}: its container was replaced during the trial` }
    }
    return undefined
  }

  async readUsage(components: readonly Component[]): Promise<Readonly<Record<string, UsageReading>>> {
    const refs = new Map(
      components
        .filter(({ name }) => this.#selectors.has(name))
        .map(({ name }) => [name, this.#containersOf(name)] as const),
    )
    const readings = await this.#options.usage([...refs.values()].flat())
    const result: Record<string, UsageReading> = {}
    for (const [name, containers] of refs) {
      const found = containers.map(({ id }) => readings.get(id))
      // A sum that lacks a part would look like a cheaper component.
      if (found.length === 0 || found.some((reading) => reading === undefined)) continue
      const sum = addReadings(found.filter((reading) => reading !== undefined))
      if (sum) result[name] = sum
    }
    return result
  }

  #containersOf(component: string): readonly ContainerRef[] {
    const { namespace, container } = this.selectorOf(component)
    return this.podsOf(component).flatMap((pod) =>
      containersOf(pod)
        .filter(({ name }) => container === undefined || name === container)
        .flatMap((status) => {
          const id = containerId(status)
          const nodeName = pod.spec.nodeName
          if (id === undefined || nodeName === undefined) return []
          return [{ id, nodeName, namespace, pod: pod.metadata.name, container: status.name }]
        }),
    )
  }

  #identity(component: string): string {
    return this.#containersOf(component)
      .map(({ id }) => id)
      .sort()
      .join(',')
  }
}

/** Whether pods are where they must be: a client and a server on one node measure another network. */
export function misplaced(
  pods: readonly Pod[],
  role: NodeRole,
  nodes: Readonly<Record<NodeRole, string>>,
): string | undefined {
  const pod = pods.find(({ spec }) => spec.nodeName !== nodes[role])
  return pod && `${pod.metadata.name} is on ${pod.spec.nodeName ?? 'no node'} and not on ${nodes[role]}`
}
