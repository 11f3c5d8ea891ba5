/** Checks what a kind cluster needs of its host before anything is created; kind itself finds out only when it fails. */
import { readFile } from 'node:fs/promises'
import { existsSync } from 'node:fs'
import { freemem } from 'node:os'
import type { Unmet } from '../../../harness/model.js'

/** https://kind.sigs.k8s.io/docs/user/known-issues/#pod-errors-due-to-too-many-open-files */
const inotifyMinimum = { max_user_watches: 524_288, max_user_instances: 512 } as const

/** Measured with Kubernetes 1.20: about 250 MiB for an idle worker, 600 MiB for a control plane; newer ones need more. */
const mibPerNode = 500
const mibPerPod = 80

export interface HostFacts {
  /** Value of each `fs.inotify` setting; absent where it cannot be read (not Linux): then kind's own VM has its own. */
  readonly inotify: Readonly<Partial<Record<keyof typeof inotifyMinimum, number>>>
  readonly availableMib: number
  /** What the host's kernel runs; version 1 is still a controller of its own there. */
  readonly cgroup: 'v1' | 'v2'
}

export async function readHostFacts(): Promise<HostFacts> {
  const inotify: Partial<Record<keyof typeof inotifyMinimum, number>> = {}
  for (const name of Object.keys(inotifyMinimum) as (keyof typeof inotifyMinimum)[]) {
    const text = await readFile(`/proc/sys/fs/inotify/${name}`, 'utf8').catch(() => '')
    if (text !== '') inotify[name] = Number(text)
  }
  const memory = await readFile('/proc/meminfo', 'utf8').catch(() => '')
  const availableKib = /^MemAvailable:\s+(\d+)/m.exec(memory)?.[1]
  return {
    inotify,
    cgroup: hostCgroup(),
    availableMib: availableKib === undefined ? freemem() / 2 ** 20 : Number(availableKib) / 1024,
  }
}

/** Of this host; the file is there where the unified hierarchy is all there is. */
export function hostCgroup(): 'v1' | 'v2' {
  const isOld = process.platform === 'linux' && !existsSync('/sys/fs/cgroup/cgroup.controllers')
  return isOld ? 'v1' : 'v2'
}

export function checkHostFacts(
  facts: Omit<HostFacts, 'cgroup'>,
  size: { nodes: number; pods: number },
): readonly Unmet[] {
  const unmet: Unmet[] = []
  for (const [name, minimum] of Object.entries(inotifyMinimum)) {
    const found = facts.inotify[name as keyof typeof inotifyMinimum]
    if (found === undefined || found >= minimum) continue
    unmet.push({
      need: `fs.inotify.${name} of at least ${minimum}, since all nodes share the host's`,
      found: String(found),
      remedy: `sudo sysctl -w fs.inotify.${name}=${minimum}`,
    })
  }
  const neededMib = size.nodes * mibPerNode + size.pods * mibPerPod
  if (facts.availableMib < neededMib) {
    unmet.push({
      need: `about ${neededMib} MiB of free memory for ${size.nodes} nodes and ${size.pods} pods`,
      found: `${Math.round(facts.availableMib)} MiB available`,
      remedy: 'free memory, set platformSettings.kind.workers to 1, or measure fewer arms at a time (--arm)',
    })
  }
  return unmet
}
