/** `meshbench clean`: finds by run id what killed runs left behind, and takes it away. */
import { exitCodes, UserError, whatWasSaid, type ExitCode } from '../../model/errors.js'
import type { Platform } from '../../model.js'
import { platforms } from '../../../infra/platforms/index.js'
import { findLeftovers, liveRuns, removeLeftover } from '../../process/state.js'
import { print } from '../print.js'

interface CleanFlags {
  readonly dryRun: boolean
  /** What runs have that are still alive is taken, too. */
  readonly force: boolean
}

export async function cleanCommand(runId: string | undefined, flags: CleanFlags): Promise<ExitCode> {
  const found = await removeLeftovers(runId, { ...flags, tell: print })
  if (found === 0)
    print(runId === undefined ? 'nothing is left of any run' : `nothing is left of run ${runId}`)
  return exitCodes.ok
}

interface CleanOptions extends Partial<CleanFlags> {
  readonly tell: (line: string) => void
  /** Default: all that there are. */
  readonly on?: readonly Pick<Platform, 'name' | 'leftovers'>[]
}

/**
 * Removes what runs that are no longer alive left, or with `dryRun` only tells of it; returns how much there was. What a run has
 * that is still alive, as in another terminal, is left alone and told, unless that run is named or `force` is given. What cannot
 * be removed keeps nothing else: it is told at the end, as a `UserError`.
 */
export async function removeLeftovers(
  runId: string | undefined,
  { dryRun = false, force = false, tell, on = Object.values<Platform>(platforms) }: CleanOptions,
): Promise<number> {
  const living = force || runId !== undefined
  const leftovers = await findLeftovers(runId, { living })
  const alive = await liveRuns()
  const problems: string[] = []
  const found = await Promise.all(
    on.map(async ({ name, leftovers: find }) => {
      try {
        return (await find?.(runId)) ?? []
      } catch (error) {
        problems.push(`what there is on ${name}, which could not be looked at: ${whatWasSaid(error)}`)
        return []
      }
    }),
  )
  const onPlatforms = found.flat().filter((leftover) => living || !alive.has(leftover.runId))
  for (const [id, pid] of alive) if (runId === undefined || id === runId) tell(aliveText(id, pid, living))
  const remove = async (what: string, work: () => Promise<void>) => {
    tell(`${dryRun ? 'would remove' : 'removing'} ${what}`)
    if (dryRun) return
    await work().catch((error: unknown) => void problems.push(`${what}: ${whatWasSaid(error)}`))
  }
  for (const leftover of leftovers) {
    const folder = leftover.stateDir === undefined ? '' : ` and ${leftover.stateDir}`
    const what = `${processesText(leftover.pids.length)}${folder} of run ${leftover.runId}`
    await remove(what, () => removeLeftover(leftover))
  }
  for (const leftover of onPlatforms)
    await remove(`${leftover.title} of run ${leftover.runId}`, () => leftover.remove())
  if (problems.length > 0) {
    throw new UserError(`could not be removed: ${problems.join('; ')}`, {
      hint: 'try again when what holds it up is over; `meshbench clean --dry-run` says what is left',
      exitCode: exitCodes.runFailed,
    })
  }
  return leftovers.length + onPlatforms.length
}

const processesText = (count: number) => `${count} ${count === 1 ? 'process' : 'processes'}`

function aliveText(runId: string, pid: number | undefined, isTaken: boolean): string {
  const what =
    pid === undefined
      ? `run ${runId} is another user’s, and may still be alive`
      : `run ${runId} is still alive, in process ${pid}`
  return isTaken
    ? `! ${what}: what is taken from it here is missing there`
    : `${what}: what it has is left alone; \`meshbench clean ${runId}\` takes it`
}
