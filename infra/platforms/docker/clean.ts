/** Removes what runs left behind, found by label alone, so that it works after `kill -9`. */
import { hostname } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import type Docker from 'dockerode'
import type { PlatformLeftover } from '../../../harness/model.js'
import { messageOf } from '../../../harness/model/errors.js'
import { findEngine, isMissing } from './engine.js'
import { componentLabel, machineLabel, runFilter, runLabel } from './labels.js'

const removalTimeoutMs = 30_000
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

/** Removes what carries the run's label. Rejects with all that could not be removed. */
export async function removeRun(
  docker: Docker,
  runId: string,
  timeoutMs: number = removalTimeoutMs,
): Promise<void> {
  const filters = runFilter(runId)
  const containers = await removeContainers(docker, filters.label, { timeoutMs }).catch(messageOf)
  // Networks can go only when nothing is on them.
  const networks = (await docker.listNetworks({ filters })).map(({ Id: id, Name: name }) => ({
    ...{ title: `remove network ${name}`, object: docker.getNetwork(id) },
  }))
  const problems = [containers ?? '', ...(await removeAll(networks, timeoutMs))].filter(Boolean)
  if (problems.length > 0) throw new Error(problems.join('; '))
}

/** Removes the containers of an arm's own components, those that did not get ready among them. */
export async function removeArm(docker: Docker, runId: string, arm: string): Promise<void> {
  await removeContainers(docker, runFilter(runId).label, {
    isMeant: (labels) => labels[componentLabel]?.startsWith(`${arm}/`) === true,
  })
}

interface RemovalOptions {
  /** Of those with the label, by all of their labels; default: each. */
  readonly isMeant?: (labels: Readonly<Record<string, string>>) => boolean
  readonly timeoutMs?: number
}

/** Ends and removes containers with a label, and their volumes. Rejects with all that could not be removed. */
export async function removeContainers(
  docker: Docker,
  label: string[],
  { isMeant = () => true, timeoutMs = removalTimeoutMs }: RemovalOptions = {},
): Promise<void> {
  const found = await docker.listContainers({ all: true, filters: { label } })
  const containers = found
    .filter(({ Labels: labels }) => isMeant(labels))
    .map(({ Id: id, Names: [name = id] }) => ({
      ...{ title: `remove container ${name}`, object: docker.getContainer(id) },
    }))
  const problems = await removeAll(containers, timeoutMs)
  if (problems.length > 0) throw new Error(problems.join('; '))
}

interface Removal {
  readonly title: string
  readonly object: {
    remove(options: { v: boolean; force: boolean }): Promise<unknown>
    inspect(): Promise<unknown>
  }
}

/** Returns what could not be done. */
async function removeAll(removals: readonly Removal[], timeoutMs: number): Promise<readonly string[]> {
  const problems = await Promise.all(
    removals.map(async ({ title, object }) => {
      const problem = await removeObject(object, timeoutMs)
      return problem === undefined ? [] : [`${title}: ${problem}`]
    }),
  )
  return problems.flat()
}

/**
 * Resolves when the engine has it no more: it may answer before it is done, and another process may have begun the removal.
 * Tries again until the time is up, whatever is said: a network lets go when the last container has left it, and a busy engine may fail
 * to end a container in time ("did not receive an exit event") and end it a moment later.
 */
async function removeObject(object: Removal['object'], timeoutMs: number): Promise<string | undefined> {
  const deadline = Date.now() + timeoutMs
  for (;;) {
    const refusal = await object.remove({ v: true, force: true }).then(() => undefined, problemOf)
    if (refusal === 'gone' || (await object.inspect().then(() => undefined, problemOf)) === 'gone')
      return undefined
    if (Date.now() > deadline) return refusal ?? `the engine still lists it after ${timeoutMs / 1000} s`
    await sleep(pollMs)
  }
}

const problemOf = (error: unknown) =>
  (error as { statusCode?: number }).statusCode === 404 ? 'gone' : messageOf(error)
