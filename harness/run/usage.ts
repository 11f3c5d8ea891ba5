/** Turns counters read at a window's edges into the bill of that window. Pure. */
import type {
  Component,
  ComponentUsage,
  Edge,
  HostReading,
  LoadResult,
  TrialEvent,
  Usage,
  UsageReading,
} from '../model.js'
import { defined } from '../model/defined.js'

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
  events: readonly TrialEvent[] = [],
): Usage {
  const rows = components.flatMap((component): ComponentUsage[] => {
    const before = start.usage[component.name]
    const after = end.usage[component.name]
    return before && after ? [componentUsage(component, before, after)] : []
  })
  const generator = (component: string, cpuUs: number): ComponentUsage => ({
    component,
    category: 'generator',
    cpuNs: cpuUs * 1000,
    source: 'self-reported',
    resolutionNs: 1000,
  })
  const second = events.flatMap((event) =>
    event.load ? [generator('second generator', event.load.generatorCpuUs)] : [],
  )
  return {
    windowMs: (end.host.atNs - start.host.atNs) / 1e6,
    cpus: end.host.cpus,
    hostBusyNs: busyNs(start.host, end.host),
    hostSoftirqNs: end.host.softirqNs - start.host.softirqNs,
    ...defined({ hostKsoftirqdNs: rise(start.host.ksoftirqdNs, end.host.ksoftirqdNs) }),
    hostStealNs: end.host.stealNs - start.host.stealNs,
    orchestratorNs: (end.host.orchestratorCpuNs ?? 0) - (start.host.orchestratorCpuNs ?? 0),
    components: [...rows, generator('generator', load.generatorCpuUs), ...second],
  }
}

/** Undefined of what was not read at both edges. */
const rise = (before: number | undefined, after: number | undefined) =>
  before === undefined || after === undefined ? undefined : after - before

/** Components that could be read at one of two edges alone: a sum that lacks them looks like that of a cheaper arm. */
export function halfRead(components: readonly Component[], start: Edge, end: Edge): readonly string[] {
  return components
    .map(({ name }) => name)
    .filter((name) => (start.usage[name] === undefined) !== (end.usage[name] === undefined))
}

function componentUsage(component: Component, before: UsageReading, after: UsageReading): ComponentUsage {
  const since = (key: Exclude<keyof UsageReading, 'source'>) => rise(before[key], after[key])
  const notBelow0 = (ns: number | undefined) => ns && Math.max(0, ns)
  return {
    component: component.name,
    category: component.category,
    cpuNs: after.cpuNs - before.cpuNs,
    ...defined({
      cpuUserNs: notBelow0(since('cpuUserNs')),
      cpuSystemNs: notBelow0(since('cpuSystemNs')),
      rssBytes: after.rssBytes,
      pssBytes: after.pssBytes,
      peakRssBytes: after.peakRssBytes,
      voluntarySwitches: since('voluntarySwitches'),
      involuntarySwitches: since('involuntarySwitches'),
      throttledPeriods: since('throttledPeriods'),
      readSyscalls: since('readSyscalls'),
      writeSyscalls: since('writeSyscalls'),
    }),
    source: after.source,
    resolutionNs: after.resolutionNs,
  }
}

/**
 * Nanoseconds that the host's CPUs worked between two readings: the time that they were neither idle nor stolen.
 *
 * Not the sum of user, system and interrupts, which a kernel without CONFIG_VIRT_CPU_ACCOUNTING_GEN samples at its
 * ticks: work in short bursts between the ticks, as a generator's at a fixed rate, is missed or counted several times
 * over. At 1 000 req/s such sums read 0.07 to 1 core where 0.28 were used. Idle time is measured on tickless kernels
 * (get_cpu_idle_time_us in kernel/time/tick-sched.c), and printed in steps of 10 ms.
 */
export function busyNs(start: HostReading, end: HostReading): number {
  const since = (key: 'atNs' | 'idleNs' | 'iowaitNs' | 'stealNs') => end[key] - start[key]
  return Math.max(0, since('atNs') * end.cpus - since('idleNs') - since('iowaitNs') - since('stealNs'))
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
