/** Removes what runs left behind, found by label alone, so that it works after `kill -9`. */
import type Docker from 'dockerode'
import { messageOf } from '../../../harness/errors.js'
import { runFilter, runLabel } from './labels.js'

export interface Cleaned {
  readonly containers: number
  readonly networks: number
  /** Runs that something was found of. */
  readonly runIds: readonly string[]
  readonly problems: readonly string[]
}

const stopSeconds = 2

/** Runs that have something on the engine, and how much. */
export async function findRunsOnEngine(
  docker: Docker,
  runId?: string,
): Promise<readonly { readonly runId: string; readonly containers: number; readonly networks: number }[]> {
  const filters = runFilter(runId)
  const [containers, networks] = await Promise.all([
    docker.listContainers({ all: true, filters }),
    docker.listNetworks({ filters }),
  ])
  const owners = new Set([...containers, ...networks].map(({ Labels }) => Labels?.[runLabel] ?? ''))
  const owned = (objects: readonly { Labels?: Record<string, string> | undefined }[], owner: string) =>
    objects.filter(({ Labels }) => Labels?.[runLabel] === owner).length
  return [...owners]
    .filter(Boolean)
    .sort()
    .map((owner) => ({
      runId: owner,
      containers: owned(containers, owner),
      networks: owned(networks, owner),
    }))
}

export async function removeRun(docker: Docker, runId?: string): Promise<Cleaned> {
  const problems: string[] = []
  const attempt = async (title: string, remove: () => Promise<unknown>): Promise<boolean> => {
    try {
      await remove()
      return true
    } catch (error) {
      // Gone already, or another process is removing it: that is what was wanted.
      const status = (error as { statusCode?: number }).statusCode
      if (status === 404 || status === 409) return true
      problems.push(`${title}: ${messageOf(error)}`)
      return false
    }
  }
  const filters = runFilter(runId)
  const containers = await docker.listContainers({ all: true, filters })
  const removed = await Promise.all(
    containers.map(({ Id: id, Names: [name = id] }) =>
      attempt(`remove container ${name}`, async () => {
        const container = docker.getContainer(id)
        // 304: it has ended already.
        await container.stop({ t: stopSeconds }).catch(() => {})
        await container.remove({ v: true, force: true })
      }),
    ),
  )
  // Networks can go only when nothing is on them.
  const networks = await docker.listNetworks({ filters })
  const removedNetworks: boolean[] = []
  for (const { Id: id, Name: name } of networks) {
    removedNetworks.push(await attempt(`remove network ${name}`, () => docker.getNetwork(id).remove()))
  }
  const labels = [...containers, ...networks].map(({ Labels }) => Labels?.[runLabel] ?? '')
  return {
    containers: removed.filter(Boolean).length,
    networks: removedNetworks.filter(Boolean).length,
    runIds: [...new Set(labels)].filter(Boolean).sort(),
    problems,
  }
}
