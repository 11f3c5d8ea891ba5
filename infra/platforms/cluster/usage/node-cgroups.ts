/**
 * Reads containers' cgroups on a Kubernetes node, by whatever name the kubelet gave them: the path depends on cgroup
 * version, cgroup driver and class of service, so it is searched for by the container's id.
 *
 * systemd, v2: kubelet.slice/…/kubelet-kubepods-burstable-pod<UID with _>.slice/cri-containerd-<id>.scope
 * cgroupfs, v1: <controller>/kubelet/kubepods/burstable/pod<UID>/<id>
 */
import type { UsageReading } from '../../../../harness/model.js'
import type { UsageSource } from './components.js'
import { cgroupFiles, parseCgroup, unifiedCgroup, type CgroupPaths } from '../../kit/cgroup.js'

/** Runs a command on a node and returns its standard output. */
export type NodeExec = (argv: readonly string[]) => Promise<string>

/** Where version 1 keeps CPU accounting; where it is missing, the node has version 2. */
const v1Root = '/sys/fs/cgroup/cpuacct'
const v2Root = '/sys/fs/cgroup'

/**
 * One command on each node reads all of its containers and, as the root of its cgroups, the node itself. Where the
 * containers' cgroups are is looked up once.
 */
export function usageFromNodes(
  nodeExec: (node: string, argv: readonly string[]) => Promise<string>,
): UsageSource {
  const known = new Map<string, CgroupPaths>()
  return async (containers, nodes) => {
    const byNode = new Map<string, string[]>(nodes.map((node) => [node, []]))
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
          const roots = nodes.includes(node) ? [v1Cgroup(''), unifiedCgroup(v2Root)] : []
          if (cgroups.size + roots.length === 0) return
          const text = await nodeExec(node, readCommand([...cgroups.values(), ...roots]))
          for (const [id, reading] of parseRead(text, cgroups)) readings.set(id, reading)
          for (const root of roots) {
            const reading = parseRead(text, new Map([[node, root]])).get(node)
            if (reading && !readings.has(node)) readings.set(node, reading)
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

/** Cgroup of each container that was found. */
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
    if (!folder.startsWith(`${v1Root}/`)) {
      found.set(id, unifiedCgroup(folder))
      continue
    }
    found.set(id, v1Cgroup(folder.slice(v1Root.length)))
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

/** `argv` that prints every file as `path:line`; files that a kernel does not have are left out without complaint. */
export function readCommand(cgroups: readonly CgroupPaths[]): readonly string[] {
  const files = cgroups.flatMap((paths) => Object.values(cgroupFiles(paths)))
  return ['sh', '-c', 'grep -Hs "" "$@" || true', 'sh', ...files]
}

/** A reading of each container whose CPU time was among the files. */
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
    const named = Object.entries(cgroupFiles(paths)).map(([key, path]) => [key, texts.get(path)] as const)
    const reading = parseCgroup(paths.version, Object.fromEntries(named))
    if (reading) readings.set(id, reading)
  }
  return readings
}
