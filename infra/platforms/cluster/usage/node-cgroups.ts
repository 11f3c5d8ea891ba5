/**
 * Reads containers' cgroups on a Kubernetes node, by whatever name the kubelet gave them: the path depends on cgroup
 * version, cgroup driver and class of service, so it is searched for by the container's id.
 *
 * systemd, v2: kubelet.slice/…/kubelet-kubepods-burstable-pod<UID with _>.slice/cri-containerd-<id>.scope
 * cgroupfs, v1: <controller>/kubelet/kubepods/burstable/pod<UID>/<id>
 *
 * A node's own programs are read from procfs.
 */
import type { UsageReading } from '../../../../harness/model.js'
import { commandNames } from './cluster-programs.js'
import { programKey, type ProgramRef, type UsageSource } from './components.js'
import { cgroupFiles, readCgroup, unifiedCgroup, type CgroupPaths } from '../../kit/cgroup.js'

/** Where version 1 keeps CPU accounting; where it is missing, the node has version 2. */
const v1Root = '/sys/fs/cgroup/cpuacct'
const v2Root = '/sys/fs/cgroup'

/** One command on each node reads all of its containers and its own programs. Where the containers' cgroups are is looked up once. */
export function usageFromNodes(
  nodeExec: (node: string, argv: readonly string[]) => Promise<string>,
): UsageSource {
  const known = new Map<string, CgroupPaths>()
  return async (containers, programs) => {
    const byNode = new Map<string, string[]>(programs.map(({ nodeName }) => [nodeName, []]))
    for (const { nodeName, id } of containers) byNode.set(nodeName, [...(byNode.get(nodeName) ?? []), id])
    const readings = new Map<string, UsageReading>()
    await Promise.all(
      [...byNode].map(async ([node, ids]) => {
        try {
          const unknown = ids.filter((id) => !known.has(id))
          if (unknown.length > 0) {
            const found = parseFound(await nodeExec(node, findCommand(unknown)), unknown)
            for (const [id, paths] of found) known.set(id, paths)
          }
          const cgroups = new Map(ids.flatMap((id) => (known.has(id) ? [[id, known.get(id)!] as const] : [])))
          const own = programs.filter(({ nodeName }) => nodeName === node)
          if (cgroups.size + own.length === 0) return
          const text = await nodeExec(node, readCommand([...cgroups.values()], own.length > 0))
          for (const [id, reading] of parseRead(text, cgroups)) readings.set(id, reading)
          for (const ref of own) {
            const reading = parseProgram(text, ref)
            if (reading) readings.set(programKey(ref), reading)
          }
        } catch {
          // The node is gone; `health` says so, and its components have no reading.
        }
      }),
    )
    return readings
  }
}

/** `argv` of one search for all containers: prints a line for each folder that carries an id. */
export function findCommand(ids: readonly string[]): readonly string[] {
  const names = ids.flatMap((id, index) => [...(index === 0 ? [] : ['-o']), '-name', `*${id}*`])
  const script = `root=${v2Root}; [ -d ${v1Root} ] && root=${v1Root}; find "$root" -type d "$@" -print`
  return ['sh', '-c', script, 'sh', '(', ...names, ')']
}

export function parseFound(stdout: string, ids: readonly string[]): ReadonlyMap<string, CgroupPaths> {
  const found = new Map<string, CgroupPaths>()
  // Shorter first: what lies below a container's own group is not the container.
  const folders = stdout
    .split('\n')
    .filter(Boolean)
    .sort((a, b) => a.length - b.length)
  for (const id of ids) {
    const folder = folders.find((path) => path.slice(path.lastIndexOf('/') + 1).includes(id))
    if (folder === undefined) continue
    const isOld = folder.startsWith(`${v1Root}/`)
    found.set(id, isOld ? v1Cgroup(folder.slice(v1Root.length)) : unifiedCgroup(folder))
  }
  return found
}

function v1Cgroup(below: string): CgroupPaths {
  return {
    version: 1,
    cpu: `/sys/fs/cgroup/cpu${below}`,
    cpuacct: `${v1Root}${below}`,
    memory: `/sys/fs/cgroup/memory${below}`,
  }
}

/**
 * `argv` that prints every file as `path:line`, and with them those of every process of the node if they are wanted; files
 * that a kernel does not have, or no longer, are left out without complaint.
 */
export function readCommand(cgroups: readonly CgroupPaths[], processes = false): readonly string[] {
  const files = cgroups.flatMap((paths) => Object.values(cgroupFiles(paths)))
  const all = processes ? ' /proc/[0-9]*/stat' : ''
  return ['sh', '-c', `grep -Hs "" "$@"${all} || true`, 'sh', ...files]
}

/** Nanoseconds of a clock tick, and bytes of a page, as `/proc/PID/stat` counts (proc(5)). */
const [tickNs, pageBytes] = [10_000_000, 4096]

/**
 * A program of the node, and the children that it has waited for: `containerd` starts one for every pod. Undefined where
 * none runs.
 */
function parseProgram(stdout: string, { program }: Pick<ProgramRef, 'program'>): UsageReading | undefined {
  const names = commandNames[program]
  const processes = [...stdout.matchAll(/^\/proc\/\d+\/stat:\d+ \((.*)\) (.*)$/gm)].filter(([, name = '']) =>
    names.includes(name),
  )
  if (processes.length === 0) return undefined
  // Counted from the state, which is the third.
  const sum = (...fields: readonly number[]) =>
    processes
      .map(([, , rest = '']) => rest.split(' '))
      .reduce((total, values) => fields.reduce((all, field) => all + Number(values[field - 3]), total), 0)
  const [userNs, systemNs] = [sum(14, 16) * tickNs, sum(15, 17) * tickNs]
  return {
    cpuNs: userNs + systemNs,
    cpuUserNs: userNs,
    cpuSystemNs: systemNs,
    rssBytes: sum(24) * pageBytes,
    source: 'ticks',
    resolutionNs: tickNs,
  }
}

export function parseRead(
  stdout: string,
  cgroups: ReadonlyMap<string, CgroupPaths>,
): ReadonlyMap<string, UsageReading> {
  const texts = new Map<string, string>()
  for (const line of stdout.split('\n')) {
    const colon = line.indexOf(':')
    if (colon <= 0) continue
    const path = line.slice(0, colon)
    texts.set(path, `${texts.get(path) ?? ''}${line.slice(colon + 1)}\n`)
  }
  const readings = new Map<string, UsageReading>()
  for (const [id, paths] of cgroups) {
    const reading = readCgroup(paths, cgroupFiles(paths), (path) => texts.get(path))
    if (reading) readings.set(id, reading)
  }
  return readings
}
