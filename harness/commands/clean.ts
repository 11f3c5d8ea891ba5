/** `meshbench clean`: finds by run id what killed runs left behind, and takes it away. */
import { exitCodes, type ExitCode } from '../errors.js'
import { findPlatformLeftovers } from '../../infra/platforms/leftovers.js'
import { findLeftovers, liveRuns, removeLeftover } from '../state.js'

export async function cleanCommand(runId: string | undefined, flags: { dryRun: boolean }): Promise<ExitCode> {
  const leftovers = await findLeftovers(runId)
  const alive = await liveRuns()
  const onPlatforms = (await findPlatformLeftovers(runId)).filter((leftover) => !alive.has(leftover.runId))
  const print = (text: string) => process.stdout.write(`${text}\n`)
  if (leftovers.length + onPlatforms.length === 0)
    print(runId === undefined ? 'nothing is left of any run' : `nothing is left of run ${runId}`)
  for (const leftover of leftovers) {
    const folder = leftover.stateDir === undefined ? '' : ` and ${leftover.stateDir}`
    print(
      `${flags.dryRun ? 'would remove' : 'removing'} ${leftover.pids.length} processes${folder} of run ${leftover.runId}`,
    )
    if (!flags.dryRun) await removeLeftover(leftover)
  }
  for (const leftover of onPlatforms) {
    print(`${flags.dryRun ? 'would remove' : 'removing'} ${leftover.title} of run ${leftover.runId}`)
    if (!flags.dryRun) await leftover.remove()
  }
  return exitCodes.ok
}
