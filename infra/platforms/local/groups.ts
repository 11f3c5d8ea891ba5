/**
 * A control group for each component, where this host lets us make one: it counts the CPU of threads and children that
 * have ended, too, which a sum over the living threads of one process misses.
 *
 * They are made below the group that Meshbench itself is in, so that what an administrator allows is what is used: root
 * on version 1, a delegated subtree on version 2 (cgroups(7)).
 */
import { existsSync, readdirSync, rmdirSync } from 'node:fs'
import { mkdir, readdir, rmdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { messageOf } from '../../../harness/model/errors.js'
import type { PlatformLeftover, Scope, UsageReading } from '../../../harness/model.js'
import { textOf } from '../../../harness/process/probes/process.js'
import { cgroupFiles, parseProcCgroup, readCgroup, unifiedCgroup, type CgroupPaths } from '../kit/cgroup.js'

export const groupPrefix = 'meshbench-'

export const groupName = (component: string) => component.replace(/[^A-Za-z0-9.-]+/g, '_')

export interface ComponentGroups {
  readonly version: 1 | 2
  /** Moves a started process, and with it whatever it starts. False when the kernel refused. */
  place(component: string, pid: number): Promise<boolean>
  /** CPU that the component has used since it was placed; undefined when it was not. */
  read(component: string): Promise<UsageReading | undefined>
}

/** This process's own group, in which others are made; undefined where there are none. */
export function ownGroup(): CgroupPaths | undefined {
  return parseProcCgroup(textOf('/proc/self/cgroup'))
}

/** Undefined where groups cannot be made. They are removed with the scope, after what runs in them has ended. */
export async function createGroups(scope: Scope): Promise<ComponentGroups | undefined> {
  const own = ownGroup()
  if (!own) return undefined
  const { version } = own
  const root = join(own.cpuacct, `${groupPrefix}${scope.runId}`)
  try {
    await mkdir(root)
  } catch {
    return undefined
  }
  scope.defer('remove control groups', removalOf(root))
  const placed = new Map<string, CgroupPaths>()
  const folderOf = (component: string) => join(root, groupName(component))
  return {
    version,
    async place(component, pid) {
      const folder = folderOf(component)
      try {
        await mkdir(folder, { recursive: true })
        await writeFile(join(folder, 'cgroup.procs'), String(pid))
      } catch {
        return false
      }
      placed.set(component, { ...unifiedCgroup(folder), version })
      return true
    },
    async read(component) {
      const paths = placed.get(component)
      if (!paths) return undefined
      // Memory is not counted here: it would charge pages that were touched before the process was placed to others.
      const { memory: _1, memoryStat: _2, memoryPeak: _3, ...files } = cgroupFiles(paths)
      return readCgroup(paths, files)
    },
  }
}

/** A process that has just ended may hold its group for a moment longer. */
const removeAttempts = 20
const attemptMs = 50

/** Removes a folder and the groups in it. A process that ends before that, as on a second Ctrl-C, does so at its exit. */
export function removalOf(root: string): () => Promise<void> {
  const atExit = () => removeAtOnce(root)
  process.once('exit', atExit)
  return async () => {
    await removeGroups(root)
    process.off('exit', atExit)
  }
}

/** Nothing can be awaited any more, and what was in the groups has been killed a moment ago. */
function removeAtOnce(root: string): void {
  const clock = new Int32Array(new SharedArrayBuffer(4))
  for (let attempt = 1; attempt <= removeAttempts && existsSync(root); attempt++) {
    try {
      for (const entry of readdirSync(root, { withFileTypes: true }))
        if (entry.isDirectory()) rmdirSync(join(root, entry.name))
      rmdirSync(root)
    } catch {
      Atomics.wait(clock, 0, 0, attemptMs)
    }
  }
}

export async function removeGroups(root: string): Promise<void> {
  // Limits may have been set in the same folder, and removed with it.
  const children = await readdir(root, { withFileTypes: true }).catch(orGone([]))
  const folders = children.filter((entry) => entry.isDirectory()).map(({ name }) => join(root, name))
  for (const folder of [...folders, root]) await removeGroup(folder)
}

const isGone = (error: unknown) => (error as { code?: unknown }).code === 'ENOENT'

function orGone<T>(instead: T) {
  return (error: unknown): T => {
    if (isGone(error)) return instead
    throw error
  }
}

async function removeGroup(folder: string): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      await rmdir(folder)
      return
    } catch (error) {
      if (isGone(error)) return
      if (attempt === removeAttempts) throw new Error(`${folder}: ${messageOf(error)}`, { cause: error })
      await sleep(attemptMs)
    }
  }
}

/** Groups that killed runs have left: where CPU is counted, and where it is limited, which may be another hierarchy. */
export async function findGroups(runId?: string): Promise<readonly PlatformLeftover[]> {
  const own = ownGroup()
  const folders = own ? [...new Set([own.cpuacct, own.cpu])] : []
  const found = await Promise.all(
    folders.map(async (folder) =>
      (await readdir(folder).catch(() => []))
        .filter((name) => name.startsWith(groupPrefix))
        .map((name) => ({ id: name.slice(groupPrefix.length), root: join(folder, name) })),
    ),
  )
  return [...new Set(found.flat().map(({ id }) => id))]
    .filter((id) => runId === undefined || id === runId)
    .map((id) => ({
      runId: id,
      title: 'the control groups',
      remove: async () => {
        for (const { root } of found.flat().filter((group) => group.id === id)) await removeGroups(root)
      },
    }))
}
