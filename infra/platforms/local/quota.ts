/**
 * Cores that single components may use, by CFS bandwidth control of a control group each (the kernel's
 * Documentation/scheduler/sched-bwc.rst), where this host lets us set it: root on version 1, or the controller `cpu` delegated
 * to the group that Meshbench is in on version 2.
 */
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { messageOf } from '../../../harness/model/errors.js'
import type { EnvironmentRequest, Scope, Unmet } from '../../../harness/model.js'
import { bandwidth, mostCpus } from '../kit/units.js'
import { groupName, groupPrefix, ownGroup, removalOf, removeGroups } from './groups.js'

export interface Quotas {
  /** Limits a started process and what it starts; rejects where the kernel refuses. */
  limit(component: string, pid: number, cpus: number): Promise<void>
}

/** Groups are made as the first component is limited, and removed after what runs in them has ended. */
export function createQuotas(scope: Scope): Quotas {
  let root: Promise<Root> | undefined
  let remove: (() => Promise<void>) | undefined
  scope.defer('remove CPU limits', async () => remove?.())
  const open = async () => {
    const made = rootOf(scope.runId)
    remove = removalOf(made.folder)
    await openRoot(made)
    return made
  }
  return {
    async limit(component, pid, cpus) {
      root ??= open()
      await setLimit(await root, component, pid, cpus)
    },
  }
}

interface Root {
  readonly version: 1 | 2
  readonly folder: string
}

function rootOf(id: string, own = ownGroup()): Root {
  if (!own) throw new Error('there are no control groups here')
  // Where CPU is counted in the same hierarchy, components have their groups there already.
  return { version: own.version, folder: join(own.cpu, `${groupPrefix}${id}`) }
}

async function openRoot({ version, folder }: Root): Promise<void> {
  await mkdir(folder, { recursive: true })
  if (version === 2) await writeFile(join(folder, 'cgroup.subtree_control'), '+cpu')
}

async function setLimit({ version, folder }: Root, component: string, pid: number, cpus: number) {
  const group = join(folder, groupName(component))
  const { quotaUs, periodUs } = bandwidth(cpus)
  await mkdir(group, { recursive: true })
  if (version === 2) await writeFile(join(group, 'cpu.max'), `${quotaUs} ${periodUs}`)
  else {
    await writeFile(join(group, 'cpu.cfs_period_us'), String(periodUs))
    await writeFile(join(group, 'cpu.cfs_quota_us'), String(quotaUs))
  }
  await writeFile(join(group, 'cgroup.procs'), String(pid))
}

/** What the limits of a request need and this host refuses: tried on a group that nothing is in. */
export async function unmetQuota(request: Pick<EnvironmentRequest, 'arms'>): Promise<readonly Unmet[]> {
  return mostCpus(request) === undefined ? [] : tryQuota()
}

export async function tryQuota(own = ownGroup()): Promise<readonly Unmet[]> {
  try {
    const root = rootOf(`try-${process.pid}`, own)
    try {
      await openRoot(root)
      const group = join(root.folder, 'limited')
      await mkdir(group)
      await writeFile(join(group, root.version === 2 ? 'cpu.max' : 'cpu.cfs_quota_us'), '10000')
    } finally {
      await removeGroups(root.folder)
    }
    return []
  } catch (error) {
    return [
      {
        need: 'CPU limits of single processes, for experiments.scale-out.cpusPerHop',
        found: messageOf(error),
        remedy:
          'start it as root, or with the controller cpu delegated to its group; or leave cpusPerHop out',
      },
    ]
  }
}
