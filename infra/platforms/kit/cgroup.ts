/**
 * Reads a component's CPU and memory from its control group: exact at the instant of the reading, whereas the stats of
 * engines and kubelets are samples that may be ten seconds old.
 *
 * Files: Documentation/admin-guide/cgroup-v2.rst, and cgroup-v1/{cpuacct,memory}.rst of the kernel.
 */
import type { UsageReading } from '../../../harness/model.js'
import { defined } from '../../../harness/model/defined.js'
import { textOf } from '../../../harness/process/probes/process.js'

/** Where a cgroup's files lie. In version 1 each controller has a tree of its own. */
export interface CgroupPaths {
  readonly version: 1 | 2
  readonly cpu: string
  readonly cpuacct: string
  readonly memory: string
}

const root = '/sys/fs/cgroup'

export function parseProcCgroup(text: string): CgroupPaths | undefined {
  const byController = new Map<string, string>()
  for (const line of text.split('\n')) {
    const [, controllers, path] = /^\d+:([^:]*):(.*)$/.exec(line) ?? []
    if (controllers === undefined || path === undefined) continue
    for (const controller of controllers.split(',')) byController.set(controller, path === '/' ? '' : path)
  }
  const [cpu, cpuacct, memory] = ['cpu', 'cpuacct', 'memory'].map((name) => byController.get(name))
  // Hybrid hosts list both; the controllers are where version 1 says they are.
  if (cpu !== undefined && cpuacct !== undefined && memory !== undefined) {
    return {
      version: 1,
      cpu: `${root}/cpu${cpu}`,
      cpuacct: `${root}/cpuacct${cpuacct}`,
      memory: `${root}/memory${memory}`,
    }
  }
  const unified = byController.get('')
  return unified === undefined ? undefined : unifiedCgroup(`${root}${unified}`)
}

export function unifiedCgroup(folder: string): CgroupPaths {
  return { version: 2, cpu: folder, cpuacct: folder, memory: folder }
}

/** Files that `parseCgroup` wants, by what they tell. Some may be missing on older kernels. */
export function cgroupFiles(paths: CgroupPaths): Readonly<Record<string, string>> {
  if (paths.version === 2) {
    return {
      cpuStat: `${paths.cpu}/cpu.stat`,
      memory: `${paths.memory}/memory.current`,
      memoryStat: `${paths.memory}/memory.stat`,
      memoryPeak: `${paths.memory}/memory.peak`,
    }
  }
  return {
    cpuStat: `${paths.cpu}/cpu.stat`,
    cpu: `${paths.cpuacct}/cpuacct.usage`,
    cpuUser: `${paths.cpuacct}/cpuacct.usage_user`,
    cpuSystem: `${paths.cpuacct}/cpuacct.usage_sys`,
    memory: `${paths.memory}/memory.usage_in_bytes`,
    memoryStat: `${paths.memory}/memory.stat`,
    memoryPeak: `${paths.memory}/memory.max_usage_in_bytes`,
  }
}

/**
 * A reading from the files' texts, keyed as `cgroupFiles` keys them; undefined when the CPU time is not among them.
 *
 * `rssBytes` is the working set, as Kubernetes defines it: usage less the inactive file pages, which the kernel takes
 * back at no cost.
 */
export function parseCgroup(
  version: 1 | 2,
  texts: Readonly<Record<string, string | undefined>>,
): UsageReading | undefined {
  const stat = parseFlatKeyed(texts.cpuStat)
  const memoryStat = parseFlatKeyed(texts.memoryStat)
  const usedBytes = parseNumber(texts.memory)
  const inactiveBytes = memoryStat.get(version === 2 ? 'inactive_file' : 'total_inactive_file') ?? 0
  const shared = {
    ...defined({
      rssBytes: usedBytes === undefined ? undefined : Math.max(0, usedBytes - inactiveBytes),
      peakRssBytes: parseNumber(texts.memoryPeak),
      throttledPeriods: stat.get('nr_throttled'),
    }),
    source: `cgroup-v${version}`,
  }
  if (version === 2) {
    const usageUs = stat.get('usage_usec')
    if (usageUs === undefined) return undefined
    return {
      cpuNs: usageUs * 1000,
      ...defined({
        cpuUserNs: inNs(stat.get('user_usec')),
        cpuSystemNs: inNs(stat.get('system_usec')),
      }),
      ...shared,
      resolutionNs: 1000,
    }
  }
  const cpuNs = parseNumber(texts.cpu)
  if (cpuNs === undefined) return undefined
  return {
    cpuNs,
    ...defined({
      cpuUserNs: parseNumber(texts.cpuUser),
      cpuSystemNs: parseNumber(texts.cpuSystem),
    }),
    ...shared,
    resolutionNs: 1,
  }
}

/** The reading of a cgroup whose files `read` gives the texts of, by default as they lie on this host. */
export function readCgroup(
  paths: CgroupPaths,
  files: Readonly<Record<string, string>> = cgroupFiles(paths),
  read: (path: string) => string | undefined = textOf,
): UsageReading | undefined {
  const texts = Object.entries(files).map(([key, path]) => [key, read(path)] as const)
  return parseCgroup(paths.version, Object.fromEntries(texts))
}

/** With what the lives before this one have used, whose counters are gone with them. */
export function withEarlier(reading: UsageReading, earlier: readonly UsageReading[]): UsageReading {
  const sums: Partial<Record<(typeof counted)[number], number>> = {}
  for (const key of counted) {
    const { [key]: own } = reading
    if (own !== undefined) sums[key] = earlier.reduce((sum, { [key]: before = 0 }) => sum + before, own)
  }
  return { ...reading, ...sums }
}

/** What begins at nothing in each life. */
const counted = [
  ...(['cpuNs', 'cpuUserNs', 'cpuSystemNs', 'voluntarySwitches', 'involuntarySwitches'] as const),
  ...(['throttledPeriods', 'readSyscalls', 'writeSyscalls'] as const),
]

/** Sum of several containers' readings: what a component made of more than one costs. */
export function addReadings(readings: readonly UsageReading[]): UsageReading | undefined {
  const [first] = readings
  if (!first) return undefined
  const sum = (read: (reading: UsageReading) => number | undefined) => {
    const values = readings.map(read)
    return values.every((value) => value !== undefined) ? values.reduce((a, b) => a + b, 0) : undefined
  }
  return {
    cpuNs: sum(({ cpuNs }) => cpuNs) ?? 0,
    ...defined({
      cpuUserNs: sum(({ cpuUserNs }) => cpuUserNs),
      cpuSystemNs: sum(({ cpuSystemNs }) => cpuSystemNs),
      rssBytes: sum(({ rssBytes }) => rssBytes),
      peakRssBytes: sum(({ peakRssBytes }) => peakRssBytes),
      throttledPeriods: sum(({ throttledPeriods }) => throttledPeriods),
    }),
    source: first.source,
    resolutionNs: Math.max(...readings.map(({ resolutionNs }) => resolutionNs)),
  }
}

function parseFlatKeyed(text = ''): ReadonlyMap<string, number> {
  return new Map(
    text.split('\n').flatMap((line) => {
      const [key, value] = line.trim().split(/\s+/)
      return key && value && Number.isFinite(Number(value)) ? [[key, Number(value)] as const] : []
    }),
  )
}

function parseNumber(text: string | undefined): number | undefined {
  const trimmed = text?.trim() ?? ''
  return /^\d+$/.test(trimmed) ? Number(trimmed) : undefined
}

function inNs(us: number | undefined): number | undefined {
  return us === undefined ? undefined : us * 1000
}
