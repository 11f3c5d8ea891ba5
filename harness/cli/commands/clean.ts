/** `meshbench clean`: finds by run id what killed runs left behind, and takes it away. */
import { exitCodes, type ExitCode } from '../../model/errors.js'
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

/** Removes what runs that are no longer alive left, or with `dryRun` only tells of it; returns how much there was. */
export async function removeLeftovers(
  runId: string | undefined,
  { dryRun = false, tell }: { dryRun?: boolean; tell: (line: string) => void },
): Promise<number> {
  const leftovers = await findLeftovers(runId)
  const alive = await liveRuns()
  const found = await Promise.all(
    Object.values<Platform>(platforms).map(async (platform) => (await platform.leftovers?.(runId)) ?? []),
  )
  const onPlatforms = found.flat().filter((leftover) => !alive.has(leftover.runId))
  for (const leftover of leftovers) {
    const folder = leftover.stateDir === undefined ? '' : ` and ${leftover.stateDir}`
    tell(
      `${dryRun ? 'would remove' : 'removing'} ${leftover.pids.length} processes${folder} of run ${leftover.runId}`,
    )
    if (!dryRun) await removeLeftover(leftover)
  }
  for (const leftover of onPlatforms) {
    tell(`${dryRun ? 'would remove' : 'removing'} ${leftover.title} of run ${leftover.runId}`)
    if (!dryRun) await leftover.remove()
  }
  return leftovers.length + onPlatforms.length
}
