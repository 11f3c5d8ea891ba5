/** Finds the containers behind each component, and tells from them what it has used and whether it is well. */
import type { Component, NodeRole, TrialError, UsageReading } from '../../../../harness/model.js'
import type { ContainerSelector } from '../../../../harness/model/cluster-access.js'
import { addReadings, withEarlier } from '../../kit/cgroup.js'
import type { NodeProgram } from './cluster-programs.js'
import { containerId, containersOf, describePod, isReady, type Pod, type PodWatch } from '../api/pods.js'

export interface ContainerRef {
  readonly id: string
  readonly ready: boolean
  readonly nodeName: string
  readonly namespace: string
  readonly pod: string
  readonly container: string
}

/** A program of a node itself whose usage is wanted. */
export interface ProgramRef {
  readonly nodeName: string
  readonly program: NodeProgram
}

export const programKey = ({ nodeName, program }: ProgramRef) => `${program} on ${nodeName}`

/**
 * Reads what containers have used, and programs of the nodes, where it can; what cannot be read is left out. Keyed by
 * container id and by `programKey`.
 */
export type UsageSource = (
  containers: readonly ContainerRef[],
  programs: readonly ProgramRef[],
) => Promise<ReadonlyMap<string, UsageReading>>

export interface ComponentsOptions {
  readonly pods: PodWatch
  readonly usage: UsageSource
  readonly nodeFailure: (nodeName: string) => TrialError | undefined
}

export class Components {
  readonly #options: ComponentsOptions
  readonly #selectors = new Map<string, ContainerSelector>()
  /** Components that are a program of these nodes. */
  readonly #programs = new Map<string, readonly ProgramRef[]>()
  /** Containers of each component when the running trial began: a replaced one cannot continue it. */
  readonly #expected = new Map<string, string>()
  /** What containers had used that were ended on purpose, by the place in their pod that others have taken since. */
  readonly #earlier = new Map<string, UsageReading[]>()
  /** Places whose container was ended on purpose, and not followed yet. */
  readonly #away = new Set<string>()
  /** What is acted on where a component is more than its arm's own. */
  readonly #standIns = new Map<string, ContainerSelector>()

  constructor(options: ComponentsOptions) {
    this.#options = options
  }

  bind(component: Component, selector: ContainerSelector, standIn?: ContainerSelector): void {
    this.#selectors.set(component.name, selector)
    if (standIn) this.#standIns.set(component.name, standIn)
  }

  /** A component that is one program on each of these nodes. */
  bindProgram(component: Component, program: NodeProgram, nodeNames: readonly string[]): void {
    this.#programs.set(
      component.name,
      nodeNames.map((nodeName) => ({ nodeName, program })),
    )
  }

  selectorOf(component: string): ContainerSelector {
    const selector = this.#selectors.get(component)
    if (!selector) throw new Error(`no component named ${component} is running`)
    return selector
  }

  /** Pods that are not on their way out. */
  podsOf(component: string): readonly Pod[] {
    return this.#podsMatching(this.selectorOf(component))
  }

  #podsMatching({ namespace, podSelector, nodeName }: ContainerSelector): readonly Pod[] {
    return this.#options.pods
      .find(namespace, podSelector)
      .filter(({ metadata }) => metadata.deletionTimestamp === undefined)
      .filter(({ spec }) => nodeName === undefined || spec.nodeName === nodeName)
  }

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
    const expected = this.#expected.get(component)
    const isReplaced = expected !== undefined && expected !== this.#identity(component)
    const unready = pods.find((pod) => !isReady(pod) && !this.#isWellBeside(selector, pod))
    if (unready) {
      const place = isReplaced ? ', in the place of what went away during the trial' : ''
      return { kind: 'hop-died', message: `${component}: ${describePod(unready)}${place}` }
    }
    return isReplaced
      ? { kind: 'hop-died', message: `${component}: its container was replaced during the trial` }
      : undefined
  }

  /** Its pod is not ready since another container of it was ended on purpose; its own are. */
  #isWellBeside(selector: ContainerSelector, { metadata: { namespace, name: pod } }: Pod): boolean {
    const own = this.#matching(selector).filter((ref) => ref.pod === pod)
    const isOwnAway = own.some((ref) => this.#away.has(placeOf(ref)))
    const isOtherAway = [...this.#away].some((place) => place.startsWith(`${namespace}/${pod}/`))
    return isOtherAway && !isOwnAway && own.length > 0 && own.every(({ ready }) => ready)
  }

  async readUsage(components: readonly Component[]): Promise<Readonly<Record<string, UsageReading>>> {
    const refs = new Map(
      components
        .filter(({ name }) => this.#selectors.has(name))
        .map(({ name }) => [name, this.containersOf(name)] as const),
    )
    const programs = components.flatMap(({ name }) => this.#programs.get(name) ?? [])
    const readings = await this.#options.usage(distinct([...refs.values()].flat()), programs)
    const result: Record<string, UsageReading> = {}
    const add = (name: string, keys: readonly string[], earlier: readonly UsageReading[]) => {
      const found = keys.flatMap((key) => readings.get(key) ?? [])
      // A sum that lacks a part would look like a cheaper component.
      const sum = found.length < keys.length ? undefined : addReadings(found)
      if (sum) result[name] = withEarlier(sum, earlier)
    }
    for (const [name, containers] of refs)
      add(
        name,
        containers.map(({ id }) => id),
        containers.flatMap((ref) => this.#earlier.get(placeOf(ref)) ?? []),
      )
    for (const { name } of components) add(name, (this.#programs.get(name) ?? []).map(programKey), [])
    return result
  }

  /** Containers that are ended or paused when a script acts on it. */
  actedOn(component: string): readonly ContainerRef[] {
    return this.#matching(this.#standIns.get(component) ?? this.selectorOf(component))
  }

  /** These are about to be ended on purpose: reads them, so that what they have used is not lost with them. */
  async expectEnd(refs: readonly ContainerRef[]): Promise<void> {
    for (const ref of refs) this.#away.add(placeOf(ref))
    const readings = await this.#options.usage(refs, [])
    for (const ref of refs) {
      const reading = readings.get(ref.id)
      if (reading) this.#earlier.set(placeOf(ref), [...(this.#earlier.get(placeOf(ref)) ?? []), reading])
    }
  }

  /** Whether containers have taken the place of these, and are ready. */
  haveFollowed(component: string, ended: readonly ContainerRef[]): boolean {
    const now = this.actedOn(component)
    return ended.every((old) =>
      now.some((ref) => placeOf(ref) === placeOf(old) && ref.id !== old.id && ref.ready),
    )
  }

  /** They were replaced on purpose: the running trial goes on with what has followed them. */
  accept(ended: readonly ContainerRef[]): void {
    const places = new Set(ended.map(placeOf))
    for (const place of places) this.#away.delete(place)
    for (const name of this.#expected.keys())
      if (this.containersOf(name).some((ref) => places.has(placeOf(ref))))
        this.#expected.set(name, this.#identity(name))
  }

  containersOf(component: string): readonly ContainerRef[] {
    return this.#matching(this.selectorOf(component))
  }

  /** Containers of pods that are not on their way out. */
  #matching(selector: ContainerSelector): readonly ContainerRef[] {
    const { namespace, container } = selector
    return this.#podsMatching(selector).flatMap((pod) =>
      containersOf(pod)
        .filter(({ name }) => container === undefined || name === container)
        .flatMap((status) => {
          const id = containerId(status)
          const nodeName = pod.spec.nodeName
          if (id === undefined || nodeName === undefined) return []
          return [
            { id, ready: status.ready, nodeName, namespace, pod: pod.metadata.name, container: status.name },
          ]
        }),
    )
  }

  #identity(component: string): string {
    return this.containersOf(component)
      .map(({ id }) => id)
      .sort()
      .join(',')
  }
}

/** What a container and the one that follows it in the same pod have in common. */
const placeOf = ({ namespace, pod, container }: ContainerRef) => `${namespace}/${pod}/${container}`

function distinct(refs: readonly ContainerRef[]): readonly ContainerRef[] {
  return [...new Map(refs.map((ref) => [ref.id, ref])).values()]
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
