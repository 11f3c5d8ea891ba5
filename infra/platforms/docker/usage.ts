/** Reads what a container has used: from its cgroup when that is on this machine, else from the engine. */
import type Docker from 'dockerode'
import type { UsageReading } from '../../../harness/model.js'
import { textOf } from '../../../harness/process/probes/process.js'
import { parseProcCgroup, readCgroup, type CgroupPaths } from '../kit/cgroup.js'
import { defined } from '../../../harness/model/defined.js'

/** Finds a container's cgroup through its first process; undefined when the engine runs on another machine. */
export function findCgroup(containerId: string, pid: number): CgroupPaths | undefined {
  const text = textOf(`/proc/${pid}/cgroup`)
  // Without the id it is some other process that has this pid here.
  if (!text.includes(containerId)) return undefined
  return parseProcCgroup(text)
}

/** Rejects when the container has ended. */
export async function readContainer(
  container: Docker.Container,
  cgroup: CgroupPaths | undefined,
): Promise<UsageReading> {
  const reading = cgroup ? readCgroup(cgroup) : parseStats(await readStats(container))
  if (!reading) throw new Error(`no CPU time is known of container ${container.id.slice(0, 12)}`)
  return reading
}

/** The part of the engine's answer that is used. Keys differ between cgroup versions. */
export interface EngineStats {
  readonly cpu_stats: {
    readonly cpu_usage: {
      readonly total_usage: number
      readonly usage_in_usermode?: number
      readonly usage_in_kernelmode?: number
    }
    readonly throttling_data?: { readonly throttled_periods?: number }
  }
  readonly memory_stats: {
    readonly usage?: number
    readonly max_usage?: number
    readonly stats?: Readonly<Record<string, number>>
  }
}

/** `one-shot` skips the second sample, which would take the engine a second (Docker Engine API, ContainerStats). */
async function readStats(container: Docker.Container): Promise<EngineStats> {
  const options = { stream: false, 'one-shot': true } as const
  return await container.stats(options)
}

/** The working set is computed as the `docker stats` command does it (docker/cli, stats_helpers.go). */
export function parseStats(stats: EngineStats): UsageReading {
  const { cpu_usage: cpu, throttling_data: throttling } = stats.cpu_stats
  const { usage, max_usage: peak, stats: memory } = stats.memory_stats
  const inactive = memory?.total_inactive_file ?? memory?.inactive_file ?? 0
  return {
    cpuNs: cpu.total_usage,
    ...defined({
      cpuUserNs: cpu.usage_in_usermode,
      cpuSystemNs: cpu.usage_in_kernelmode,
      throttledPeriods: throttling?.throttled_periods,
      rssBytes: usage !== undefined && inactive < usage ? usage - inactive : usage,
      peakRssBytes: peak,
    }),
    source: 'engine-stats',
    // The engine reads the same cgroup when asked, in microseconds on version 2.
    resolutionNs: 1000,
  }
}
