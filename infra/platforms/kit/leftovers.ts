/** What runs left on engines and clusters, for `meshbench clean`: found by label or name alone, so that it works after `kill -9`. */
import { findRunsOnEngine, removeRun } from '../docker/clean.js'
import { findEngine, isMissing } from '../docker/engine.js'
import { findGroups } from '../local/groups.js'
import { cleanKind, findClusters, runOfCluster } from '../kind/clean.js'
import { findNamespaces } from '../kubernetes/clean.js'

/** Something of one run that can be removed. */
export interface PlatformLeftover {
  readonly runId: string
  /** For example `2 containers and 3 networks`. */
  readonly title: string
  /** Rejects with what could not be removed. */
  remove(): Promise<void>
}

/** Leftovers of one run or of all; the caller knows which runs are still alive. Nothing where there is no engine. */
export async function findPlatformLeftovers(runId?: string): Promise<readonly PlatformLeftover[]> {
  const leftovers: PlatformLeftover[] = (await findGroups(runId)).map((group) => ({
    ...group,
    title: 'the control groups',
  }))
  for (const found of await findNamespaces(runId))
    leftovers.push({ ...found, title: `${found.names.length} namespaces of the context ${found.context}` })
  const engine = await findEngine()
  if (isMissing(engine)) return leftovers
  for (const found of await findRunsOnEngine(engine.docker, runId)) {
    leftovers.push({
      runId: found.runId,
      title: `${found.containers} containers and ${found.networks} networks`,
      remove: async () => rejectWith((await removeRun(engine.docker, found.runId)).problems),
    })
  }
  const names = (await findClusters(runId))?.names ?? []
  for (const name of names) {
    const owner = runOfCluster(name) ?? ''
    leftovers.push({
      runId: owner,
      title: `the cluster ${name}`,
      remove: async () => rejectWith((await cleanKind(owner)).problems),
    })
  }
  return leftovers
}

function rejectWith(problems: readonly string[]): void {
  if (problems.length > 0) throw new Error(problems.join('; '))
}
