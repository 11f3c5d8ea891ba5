/** Removes what runs left behind, found by label alone, so that it works after `kill -9`. */
import { hostname } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import type Docker from 'dockerode'
import type { PlatformLeftover } from '../../../harness/model.js'
import { messageOf } from '../../../harness/model/errors.js'
import { findEngine, isMissing } from './engine.js'
import { componentLabel, machineLabel, runFilter, runLabel } from './labels.js'

const stopSeconds = 2
const removalTimeoutMs = 20_000
const pollMs = 50

/**
 * Runs that have something on the engine, and how much; without a run id those alone that this machine made, since whether one of
 * another is still alive cannot be told from here.
 */
export async function findRunsOnEngine(
  docker: Docker,
  runId?: string,
): Promise<readonly { readonly runId: string; readonly containers: number; readonly networks: number }[]> {
  const filters = runFilter(runId)
  const [containers, networks] = await Promise.all([
    docker.listContainers({ all: true, filters }),
    docker.listNetworks({ filters }),
  ])
  const isOurs = ({ Labels: labels }: { Labels?: Record<string, string> | undefined }) =>
    runId !== undefined || (labels?.[machineLabel] ?? hostname()) === hostname()
  const owners = new Set(
    [...containers, ...networks].filter(isOurs).map(({ Labels }) => Labels?.[runLabel] ?? ''),
  )
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

/** Nothing where there is no engine. */
export async function engineLeftovers(runId?: string): Promise<readonly PlatformLeftover[]> {
  const engine = await findEngine()
  if (isMissing(engine)) return []
  const { docker } = engine
  return (await findRunsOnEngine(docker, runId)).map(({ runId: owner, containers, networks }) => ({
    runId: owner,
    title: `${containers} containers and ${networks} networks`,
    remove: () => removeRun(docker, owner),
  }))
}

/**
 * Removes what carries the run's label, and resolves when the engine lists nothing of it any more: a removal that another
 * process began is waited for, since a network can go only when the last container has left it. Rejects with all that could
 * not be removed.
 */
export async function removeRun(docker: Docker, runId: string): Promise<void> {
  const problems: string[] = []
  const attempt = async (
    title: string,
    remove: () => Promise<unknown>,
    inspect: () => Promise<unknown>,
  ): Promise<void> => {
    const deadline = Date.now() + removalTimeoutMs
    for (;;) {
      try {
        await remove()
      } catch (error) {
        const { statusCode: status } = error as { statusCode?: number }
        if (status === 404) return
        // 409: another removal is under way; 403: the network still has containers, which are being removed.
        if ((status !== 409 && status !== 403) || Date.now() > deadline)
          return void problems.push(`${title}: ${messageOf(error)}`)
      }
      // The engine may answer before it is done.
      if (await isGone(inspect)) return
      if (Date.now() > deadline)
        return void problems.push(`${title}: the engine still lists it after ${removalTimeoutMs / 1000} s`)
      await sleep(pollMs)
    }
  }
  const filters = runFilter(runId)
  await Promise.all(
    (await docker.listContainers({ all: true, filters })).map(({ Id: id, Names: [name = id] }) => {
      const container = docker.getContainer(id)
      const remove = async () => {
        // 304: it has ended already.
        await container.stop({ t: stopSeconds }).catch(() => {})
        await container.remove({ v: true, force: true })
      }
      return attempt(`remove container ${name}`, remove, () => container.inspect())
    }),
  )
  // Networks can go only when nothing is on them.
  await Promise.all(
    (await docker.listNetworks({ filters })).map(({ Id: id, Name: name }) => {
      const network = docker.getNetwork(id)
      return attempt(
        `remove network ${name}`,
        () => network.remove(),
        () => network.inspect(),
      )
    }),
  )
  if (problems.length > 0) throw new Error(problems.join('; '))
}

/** Removes the containers of an arm's own components, those that did not get ready among them. */
export async function removeArm(docker: Docker, runId: string, arm: string): Promise<void> {
  const containers = await docker.listContainers({ all: true, filters: runFilter(runId) })
  const own = containers.filter(({ Labels }) => Labels[componentLabel]?.startsWith(`${arm}/`))
  await Promise.all(own.map(({ Id: id }) => docker.getContainer(id).remove({ v: true, force: true })))
}

async function isGone(inspect: () => Promise<unknown>): Promise<boolean> {
  try {
    await inspect()
    return false
  } catch (error) {
    return (error as { statusCode?: number }).statusCode === 404
  }
}
