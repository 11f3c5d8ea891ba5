/**
 * Where a run keeps its keys and configs while it lives, and how `meshbench clean` finds what a killed run left.
 *
 * Every run has a folder of its own in the system's temporary folder, with the owner's process named in it; every
 * process that a run starts carries the run id in its environment. That is all the state there is.
 */
import { randomBytes } from 'node:crypto'
import { rmSync } from 'node:fs'
import { mkdtemp, readFile, readdir, readlink, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, isAbsolute, join, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { z } from 'zod'
import { runIdVariable } from './exec.js'
import { makeFolder, tryFolder } from './folders.js'
import { parseStartTicks } from './probes/process.js'
import { defined } from '../model/defined.js'

const prefix = 'meshbench-'
const ownerName = 'owner.json'

/** Private keys must not outlive this process when it ends without taking its run down. */
const ownFolders = new Set<string>()
process.on('exit', () => {
  for (const folder of ownFolders) rmSync(folder, { recursive: true, force: true })
})

/**
 * What runs exclude each other on: one host, unless this variable names something else. Tests, which look at behaviour
 * and not at figures, name a lock each, so that they run side by side.
 */
export const lockVariable = 'MESHBENCH_LOCK'
const ownLock = (): string => process.env[lockVariable] ?? 'host'

const ownerSchema = z.object({
  runId: z.string(),
  lock: z.string().exactOptional(),
  pid: z.number(),
  /** Start of the process in ticks since boot: a pid alone may have been given to another. */
  startTicks: z.number(),
})
type Owner = z.infer<typeof ownerSchema>

/** Ids sort by time; two runs that start within one second, even of one plan, are told apart. */
export function newRunId(started: Date): string {
  const time = started.toISOString().slice(0, 19).replace(/[:.]/g, '-').toLowerCase()
  return `${time}-${randomBytes(3).toString('hex')}`
}

/** Creates the folder, readable by its owner alone: private keys lie in it. */
export async function createStateDir(runId: string): Promise<string> {
  tryFolder('TMPDIR', tmpdir())
  makeFolder(tmpdir())
  const folder = await mkdtemp(join(tmpdir(), `${prefix}${runId}-`))
  ownFolders.add(folder)
  const owner: Owner = {
    runId,
    lock: ownLock(),
    pid: process.pid,
    startTicks: await startTicks(process.pid),
  }
  await writeFile(join(folder, ownerName), JSON.stringify(owner), { mode: 0o600 })
  return folder
}

/** What a run that is no longer alive left on this machine. */
export interface Leftover {
  readonly runId: string
  readonly stateDir?: string
  readonly pids: readonly number[]
}

/**
 * Leftovers of runs whose owner is gone; with `runId`, of that run alone. With `living`, what runs have that are still alive is
 * among them.
 */
export async function findLeftovers(
  runId?: string,
  { living = false }: { readonly living?: boolean } = {},
): Promise<readonly Leftover[]> {
  const runs = new Map((await knownRuns()).map((run) => [run.runId, run]))
  const processes = await labelledProcesses()
  const runIds = new Set([...runs.keys(), ...processes.keys()])
  return [...runIds]
    .filter((id) => runId === undefined || id === runId)
    .filter((id) => living || runs.get(id)?.state !== 'alive')
    .filter((id) => runs.get(id)?.state !== 'hidden')
    .map((id) => ({
      runId: id,
      ...defined({ stateDir: runs.get(id)?.folder }),
      pids: processes.get(id) ?? [],
    }))
}

/**
 * Runs whose owner is alive, and those of other users, of which it cannot be told: what they have elsewhere is in use. The
 * owner's process with each, where it is known.
 */
export async function liveRuns(): Promise<ReadonlyMap<string, number | undefined>> {
  const inUse = (await knownRuns()).filter(({ state }) => state !== 'ended')
  return new Map(inUse.map(({ runId, owner }) => [runId, owner?.pid]))
}

/**
 * Runs that are being measured and would be disturbed by another; with the folder of a run, those alone that go before it:
 * of several that begin at once, of which none has found another, all but one give way.
 */
export async function lockingRuns(folder?: string): Promise<readonly string[]> {
  const own = folder === undefined ? undefined : basename(folder)
  const runs = await knownRuns()
  return runs
    .filter(({ state, owner }) => state === 'alive' && owner?.lock === ownLock())
    .filter((run) => own === undefined || basename(run.folder) < own)
    .map(({ runId }) => runId)
}

/** A run that has a folder on this machine. */
interface KnownRun {
  readonly runId: string
  readonly folder: string
  /** `hidden`: another user’s, who keeps it from being read. */
  readonly state: 'alive' | 'ended' | 'hidden'
  readonly owner?: Owner
}

async function knownRuns(): Promise<readonly KnownRun[]> {
  const found = await Promise.all((await stateFolders()).map(knownRun))
  // A cluster that is borrowed is marked by a folder more: it is in use as long as either owner lives.
  const rank = { alive: 2, hidden: 1, ended: 0 }
  const known = found.filter((run) => run !== undefined).sort((a, b) => rank[a.state] - rank[b.state])
  return [...new Map(known.map((run) => [run.runId, run])).values()]
}

async function knownRun(folder: string): Promise<KnownRun | undefined> {
  const owner = await readOwner(folder)
  if (owner === 'hidden') {
    const [, runId] = hiddenName.exec(basename(folder)) ?? []
    return runId === undefined ? undefined : { runId, folder, state: 'hidden' }
  }
  if (!owner) return undefined
  return { runId: owner.runId, folder, state: (await isAlive(owner)) ? 'alive' : 'ended', owner }
}

/** `meshbench-<run id>-<six characters>`, with an id as `newRunId` makes them. */
const hiddenName = new RegExp(
  `^${prefix}(\\d{4}-\\d\\d-\\d\\dt\\d\\d-\\d\\d-\\d\\d-[0-9a-f]{6})-[A-Za-z0-9]{6}$`,
)

/**
 * Folders of runs: in this process's temporary folder, and in those of the other processes of this machine, since a run in
 * another terminal may have another.
 */
async function stateFolders(): Promise<readonly string[]> {
  const parents = new Set([tmpdir()])
  for (const { pid, variables } of await environments()) {
    const named = ['TMPDIR', 'TMP', 'TEMP'].map((name) => valueOf(variables, name)).find(Boolean) ?? '/tmp'
    const cwd = isAbsolute(named) ? '/' : await readlink(`/proc/${pid}/cwd`).catch(() => '/')
    parents.add(resolve(cwd, named))
  }
  const lists = await Promise.all(
    [...parents].map(async (parent) => {
      const names = await readdir(parent).catch(() => [])
      return names.filter((name) => name.startsWith(prefix)).map((name) => join(parent, name))
    }),
  )
  return lists.flat()
}

/** Ends a leftover's processes, sees them gone, and removes its folder. Throws when some cannot be ended. */
export async function removeLeftover(leftover: Leftover): Promise<void> {
  let alive = await stillRunning(leftover.pids)
  for (const [signal, waitMs] of [
    ['SIGTERM', 1_000],
    ['SIGKILL', 10_000],
  ] as const) {
    for (const pid of alive) {
      try {
        process.kill(pid, signal)
      } catch {
        // It ended by itself in the meantime, or is not ours to end, which is told below.
      }
    }
    const deadline = Date.now() + waitMs
    while (alive.length > 0 && Date.now() < deadline) {
      await sleep(25)
      alive = await stillRunning(alive)
    }
  }
  if (alive.length > 0) throw new Error(`processes ${alive.join(', ')} of run ${leftover.runId} do not end`)
  if (leftover.stateDir !== undefined) await rm(leftover.stateDir, { recursive: true, force: true })
}

/** A process that has ended but was not reaped by its parent has no environment left. */
async function stillRunning(pids: readonly number[]): Promise<readonly number[]> {
  const environments = await Promise.all(
    pids.map((pid) => readFile(`/proc/${pid}/environ`, 'utf8').catch(() => '')),
  )
  return pids.filter((_, index) => environments[index] !== '')
}

async function readOwner(folder: string): Promise<Owner | 'hidden' | undefined> {
  try {
    const owner = ownerSchema.parse(JSON.parse(await readFile(join(folder, ownerName), 'utf8')))
    return basename(folder).startsWith(`${prefix}${owner.runId}-`) ? owner : undefined
  } catch (error) {
    // Without such a file it is not one of ours.
    return isRefusal(error) ? 'hidden' : undefined
  }
}

const isRefusal = (error: unknown) =>
  ['EACCES', 'EPERM'].includes((error as NodeJS.ErrnoException).code ?? '')

async function isAlive(owner: Owner): Promise<boolean> {
  if ((await startTicks(owner.pid)) !== owner.startTicks) return false
  try {
    process.kill(owner.pid, 0)
    return true
  } catch (error) {
    // It is there, and not ours to signal.
    return isRefusal(error)
  }
}

async function startTicks(pid: number): Promise<number> {
  // Without procfs the pid alone has to do.
  return readFile(`/proc/${pid}/stat`, 'utf8').then(parseStartTicks, () => 0)
}

/** run id → processes that carry it in their environment. */
async function labelledProcesses(): Promise<Map<string, number[]>> {
  const found = new Map<string, number[]>()
  for (const { pid, variables } of await environments()) {
    const runId = valueOf(variables, runIdVariable)
    if (runId) found.set(runId, [...(found.get(runId) ?? []), pid])
  }
  return found
}

interface Environment {
  readonly pid: number
  /** `name=value` each. */
  readonly variables: readonly string[]
}

/** What the other processes were started with, as far as this user may read it; of none without procfs. */
async function environments(): Promise<readonly Environment[]> {
  const names = await readdir('/proc').catch(() => [])
  const pids = names.filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
  const texts = await Promise.all(pids.map((pid) => readFile(`/proc/${pid}/environ`, 'utf8').catch(() => '')))
  return texts.flatMap((text, index) =>
    text === '' ? [] : [{ pid: Number(pids[index]), variables: text.split('\0') }],
  )
}

function valueOf(variables: readonly string[], name: string): string | undefined {
  return variables.find((text) => text.startsWith(`${name}=`))?.slice(name.length + 1)
}
