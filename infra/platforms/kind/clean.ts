/** Removes clusters that runs left behind. A cluster's name is its label: it starts with the run that made it. */
import { setTimeout as sleep } from 'node:timers/promises'
import { run } from '../../../harness/process/exec.js'
import { findEngine, isMissing } from '../docker/engine.js'
import { dnsLabel } from '../cluster/render/names.js'
import { findTool } from '../../supply/tools.js'
import type { PlatformLeftover } from '../../../harness/model.js'

const prefix = 'mb'
/** Between run id and mesh; run ids hold no two hyphens in a row. */
const separator = '--'

/** `mb-<run id>--<mesh>`: short, since node names are made of it and have at most 63 characters. */
export function clusterName(runId: string, environment: string): string {
  const mesh = environment.split('/').at(-1) ?? environment
  return `${dnsLabel(prefix, runId)}${separator}${dnsLabel(mesh)}`
}

/** The run that a cluster belongs to, or undefined when it is none of ours. */
export function runOfCluster(name: string): string | undefined {
  return new RegExp(`^${prefix}-(.+)${separator}[a-z0-9-]+$`).exec(name)?.[1]
}

const deleteAttempts = 3

/** Nothing where there is no engine or no kind. */
export async function clusterLeftovers(runId?: string): Promise<readonly PlatformLeftover[]> {
  if (isMissing(await findEngine())) return []
  const { kind = '', names = [] } = (await findClusters(runId)) ?? {}
  return names.map((name) => ({
    runId: runOfCluster(name) ?? '',
    title: `the cluster ${name}`,
    remove: () => deleteCluster(kind, name),
  }))
}

/** Tries again: a busy engine may fail to end a node in time ("did not receive an exit event") and end it a moment later. */
export async function deleteCluster(kind: string, name: string): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      await run([kind, 'delete', 'cluster', '--name', name], { timeoutMs: 120_000 })
      return
    } catch (error) {
      if (attempt === deleteAttempts) throw error
      await sleep(attempt * 2_000)
    }
  }
}

/** Names of the clusters of one run, or of all runs. */
export async function findClusters(
  runId?: string,
): Promise<{ readonly kind: string; readonly names: readonly string[] } | undefined> {
  // Not downloaded to look for what it has made: without it there is nothing.
  const kind = await findTool('kind').catch(() => undefined)
  if (kind === undefined) return undefined
  // Without an engine there are no clusters, and kind says so with an error.
  const { stdout, code } = await run([kind, 'get', 'clusters'], { allowFailure: true })
  if (code !== 0) return undefined
  const names = stdout.split('\n').filter((name) => {
    const owner = runOfCluster(name.trim())
    return owner !== undefined && (runId === undefined || owner === dnsLabel(runId))
  })
  return { kind, names }
}
