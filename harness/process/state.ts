/**
 * Where a run keeps its keys and configs while it lives, and how `meshbench clean` finds what a killed run left.
 *
 * Every run has a folder of its own in the system's temporary folder, with the owner's process named in it; every
 * process that a run starts carries the run id in its environment. That is all the state there is.
 */
import { randomBytes } from 'node:crypto'
import { rmSync } from 'node:fs'
import { mkdir, mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { runIdVariable } from './exec.js'
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

interface Owner {
  readonly runId: string
  readonly lock?: string
  readonly pid: number
  /** Start of the process in ticks since boot: a pid alone may have been given to another. */
  readonly startTicks: number
}

/** Ids sort by time; two runs that start within one second, even of one plan, are told apart. */
export function newRunId(started: Date): string {
  const time = started.toISOString().slice(0, 19).replace(/[:.]/g, '-').toLowerCase()
  return `${time}-${randomBytes(3).toString('hex')}`
}

/** Creates the folder, readable by its owner alone: private keys lie in it. */
export async function createStateDir(runId: string): Promise<string> {
  await mkdir(tmpdir(), { recursive: true })
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

/** Leftovers of runs whose owner is gone; with `runId`, of that run alone. */
export async function findLeftovers(runId?: string): Promise<readonly Leftover[]> {
  const folders = (await readdir(tmpdir()))
    .filter((name) => name.startsWith(prefix))
    .map((name) => join(tmpdir(), name))
  const owners = new Map<string, { folder: string; alive: boolean }>()
  for (const folder of folders) {
    const owner = await readOwner(folder)
    if (owner) owners.set(owner.runId, { folder, alive: await isAlive(owner) })
  }
  const processes = await labelledProcesses()
  const runIds = new Set([...owners.keys(), ...processes.keys()])
  return [...runIds]
    .filter((id) => runId === undefined || id === runId)
    .filter((id) => owners.get(id)?.alive !== true)
    .map((id) => {
      const folder = owners.get(id)?.folder
      return {
        runId: id,
        ...defined({ stateDir: folder }),
        pids: processes.get(id) ?? [],
      }
    })
}

/** Runs whose owner is alive: what they have elsewhere is in use. */
export async function liveRuns(): Promise<ReadonlySet<string>> {
  return new Set((await liveOwners()).map(({ runId }) => runId))
}

/**
 * Runs that are being measured and would be disturbed by another; with the folder of a run, those alone that go before it:
 * of several that begin at once, of which none has found another, all but one give way.
 */
export async function lockingRuns(folder?: string): Promise<readonly string[]> {
  const own = folder === undefined ? undefined : basename(folder)
  return (await liveOwners())
    .filter(({ lock, name }) => lock === ownLock() && (own === undefined || name < own))
    .map(({ runId }) => runId)
}

async function liveOwners(): Promise<readonly (Owner & { readonly name: string })[]> {
  const names = (await readdir(tmpdir())).filter((name) => name.startsWith(prefix))
  const owners = await Promise.all(names.map((name) => readOwner(join(tmpdir(), name))))
  const alive: (Owner & { name: string })[] = []
  for (const [index, owner] of owners.entries())
    if (owner && (await isAlive(owner))) alive.push({ ...owner, name: names[index] ?? '' })
  return alive
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

async function readOwner(folder: string): Promise<Owner | undefined> {
  try {
    const owner = JSON.parse(await readFile(join(folder, ownerName), 'utf8')) as Partial<Owner>
    const { runId, lock, pid, startTicks: ticks } = owner
    if (typeof runId !== 'string' || typeof pid !== 'number' || typeof ticks !== 'number') return undefined
    return basename(folder).startsWith(`${prefix}${runId}-`)
      ? { runId, pid, startTicks: ticks, ...defined({ lock }) }
      : undefined
  } catch {
    return undefined // Not one of ours, or not for us to read.
  }
}

async function isAlive(owner: Owner): Promise<boolean> {
  if ((await startTicks(owner.pid)) !== owner.startTicks) return false
  try {
    process.kill(owner.pid, 0)
    return true
  } catch {
    return false
  }
}

async function startTicks(pid: number): Promise<number> {
  // Without procfs the pid alone has to do.
  return readFile(`/proc/${pid}/stat`, 'utf8').then(parseStartTicks, () => 0)
}

/** run id → processes that carry it in their environment. */
async function labelledProcesses(): Promise<Map<string, number[]>> {
  const found = new Map<string, number[]>()
  const entries = await readdir('/proc').catch(() => [])
  await Promise.all(
    entries
      .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
      .map(async (name) => {
        const environment = await readFile(`/proc/${name}/environ`, 'utf8').catch(() => '')
        const entry = environment.split('\0').find((text) => text.startsWith(`${runIdVariable}=`))
        const runId = entry?.slice(runIdVariable.length + 1)
        if (runId) found.set(runId, [...(found.get(runId) ?? []), Number(name)])
      }),
  )
  return found
}
