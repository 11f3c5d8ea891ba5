/** Turns counters read at a window's edges into the bill of that window. Pure. */
import type {
  Component,
  ComponentUsage,
  Edge,
  HostReading,
  LoadResult,
  Usage,
  UsageReading,
} from './model.js'

/**
 * The bill: what every component used between the two edges. A component that could not be read at both edges is left
 * out, and shows as unaccounted.
 *
 * The generator reports its own CPU, since on some platforms nothing else can see it.
 */
export function billWindow(
  components: readonly Component[],
  start: Edge,
  end: Edge,
  load: LoadResult,
): Usage {
  const rows = components.flatMap((component): ComponentUsage[] => {
    const before = start.usage[component.name]
    const after = end.usage[component.name]
    return before && after ? [componentUsage(component, before, after)] : []
  })
  const generator: ComponentUsage = {
    component: 'generator',
    category: 'generator',
    cpuNs: load.generatorCpuUs * 1000,
    source: 'self-reported',
    resolutionNs: 1000,
  }
  return {
    windowMs: (end.host.atNs - start.host.atNs) / 1e6,
    cpus: end.host.cpus,
    hostBusyNs: busyNs(start.host, end.host),
    hostSoftirqNs: end.host.softirqNs - start.host.softirqNs,
    hostStealNs: end.host.stealNs - start.host.stealNs,
    orchestratorNs: (end.host.orchestratorCpuNs ?? 0) - (start.host.orchestratorCpuNs ?? 0),
    components: [...rows, generator],
  }
}

function componentUsage(component: Component, before: UsageReading, after: UsageReading): ComponentUsage {
  const since = (key: keyof UsageReading): number | undefined => {
    const [first, last] = [before[key], after[key]]
    return typeof first === 'number' && typeof last === 'number' ? last - first : undefined
  }
  const user = since('cpuUserNs')
  const system = since('cpuSystemNs')
  const voluntary = since('voluntarySwitches')
  const involuntary = since('involuntarySwitches')
  const throttled = since('throttledPeriods')
  return {
    component: component.name,
    category: component.category,
    cpuNs: after.cpuNs - before.cpuNs,
    ...(user === undefined ? {} : { cpuUserNs: Math.max(0, user) }),
    ...(system === undefined ? {} : { cpuSystemNs: Math.max(0, system) }),
    ...(after.rssBytes === undefined ? {} : { rssBytes: after.rssBytes }),
    ...(after.pssBytes === undefined ? {} : { pssBytes: after.pssBytes }),
    ...(after.peakRssBytes === undefined ? {} : { peakRssBytes: after.peakRssBytes }),
    ...(voluntary === undefined ? {} : { voluntarySwitches: voluntary }),
    ...(involuntary === undefined ? {} : { involuntarySwitches: involuntary }),
    ...(throttled === undefined ? {} : { throttledPeriods: throttled }),
    source: after.source,
    resolutionNs: after.resolutionNs,
  }
}

/** Nanoseconds that the host's CPUs worked between two readings; stolen time is not its work. */
function busyNs(start: HostReading, end: HostReading): number {
  const busy = (reading: HostReading) => reading.userNs + reading.systemNs + reading.irqNs + reading.softirqNs
  return busy(end) - busy(start)
}

/**
 * One component for each program: where arms share one under names of their own, the arm's own name stays, so that a
 * node's ztunnel is charged once, to the hop of the arm that is measured.
 */
export function onePerProcess(components: readonly Component[], arm: string): readonly Component[] {
  const chosen = new Map<string, Component>()
  for (const component of components) {
    const key = component.process ?? `component ${component.name}`
    if (!chosen.has(key) || component.arm === arm) chosen.set(key, component)
  }
  return [...chosen.values()]
}
