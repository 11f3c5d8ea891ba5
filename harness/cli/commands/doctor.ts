/** `meshbench doctor`: everything that this host lacks for what the config asks, at once, each with its remedy. */
import { exitCodes, type ExitCode } from '../../model/errors.js'
import type { Unmet } from '../../model.js'
import { checkHost } from '../../run/run.js'
import type { PlanFlags } from '../../config/flags.js'
import { lockingRuns } from '../../process/state.js'
import { meshRegistry, planFromFlags, platformOf } from './common.js'

export async function doctorCommand(flags: PlanFlags): Promise<ExitCode> {
  const plan = await planFromFlags(flags)
  const platform = platformOf(plan)
  await tellOtherRuns()
  const found = await checkHost(plan, platform, meshRegistry)
  const unmet = [...found.platform, ...found.meshes]
  if (unmet.length > 0) {
    process.stdout.write(`${describeUnmet(unmet)}\n`)
    return exitCodes.hostLacks
  }
  process.stdout.write(`✓ this host has what ${platform.name} needs for ${plan.arms.length} arms\n`)
  return exitCodes.ok
}

/** A run beside another is refused unless it is forced; a look at the host is not. */
export async function tellOtherRuns(): Promise<void> {
  const others = await lockingRuns()
  if (others.length > 0)
    process.stderr.write(`! another run is being measured on this host: ${others.join(', ')}\n`)
}

export function describeUnmet(unmet: readonly Unmet[]): string {
  const lines = unmet.flatMap(({ need, found, remedy }) => [
    `  ✗ ${need}`,
    `      found: ${found}`,
    `      → ${remedy}`,
  ])
  return [`this host lacks ${unmet.length === 1 ? 'something' : `${unmet.length} things`}:`, ...lines].join(
    '\n',
  )
}
