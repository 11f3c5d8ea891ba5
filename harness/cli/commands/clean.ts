/** `meshbench clean`: finds by run id what killed runs left behind, and takes it away. */
import { exitCodes, UserError, whatWasSaid, type ExitCode } from '../../model/errors.js'
import type { Platform } from '../../model.js'
import { platforms } from '../../../infra/platforms/index.js'
import { findLeftovers, liveRuns, removeLeftover } from '../../process/state.js'
import { print } from './print.js'

export async function cleanCommand(runId: string | undefined, flags: { dryRun: boolean }): Promise<ExitCode> {
  const found = await removeLeftovers(runId, { dryRun: flags.dryRun, tell: print })
  if (found === 0)
    print(runId === undefined ? 'nothing is left of any run' : `nothing is left of run ${runId}`)
  return exitCodes.ok
}

interface CleanOptions {
  readonly dryRun?: boolean
  readonly tell: (line: string) => void
  /** Default: all that there are. */
  readonly on?: readonly Pick<Platform, 'leftovers'>[]
}

/**
 * Removes what runs that are no longer alive left, or with `dryRun` only tells of it; returns how much there was. What cannot
 * be removed keeps nothing else: it is told at the end, as a `UserError`.
 */
export async function removeLeftovers(
  runId: string | undefined,
  { dryRun = false, tell, on = Object.values<Platform>(platforms) }: CleanOptions,
): Promise<number> {
  const leftovers = await findLeftovers(runId)
  const alive = await liveRuns()
  const found = await Promise.all(on.map(async (platform) => (await platform.leftovers?.(runId)) ?? []))
  const onPlatforms = found.flat().filter((leftover) => !alive.has(leftover.runId))
  const problems: string[] = []
  const remove = async (what: string, work: () => Promise<void>) => {
    tell(`${dryRun ? 'would remove' : 'removing'} ${what}`)
    if (dryRun) return
    await work().catch((error: unknown) => void problems.push(`${what}: ${whatWasSaid(error)}`))
  }
  for (const leftover of leftovers) {
    const folder = leftover.stateDir === undefined ? '' : ` and ${leftover.stateDir}`
    const what = `${leftover.pids.length} processes${folder} of run ${leftover.runId}`
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
