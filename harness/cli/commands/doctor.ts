/** `meshbench doctor`: everything that this host lacks for what the config asks, at once, each with its remedy. */
import { exitCodes, type ExitCode } from '../../model/errors.js'
import { measureTiming, type HostTiming } from '../../process/probes/timing.js'
import type { Plan, Platform, Unmet } from '../../model.js'
import { foreignShare, restlessText } from '../../process/host-room.js'
import { checkHost } from '../../run/run.js'
import type { PlanFlags } from '../../config/flags.js'
import { lockingRuns } from '../../process/state.js'
import { meshRegistry, planFromFlags, platformOf } from './planning.js'

export async function doctorCommand(flags: PlanFlags): Promise<ExitCode> {
  const plan = await planFromFlags(flags)
  const platform = platformOf(plan)
  await tellOtherRuns()
  const restless = await restlessHost(plan, platform)
  if (restless !== undefined) process.stderr.write(`! ${restless}\n`)
  const found = await checkHost(plan, platform, meshRegistry)
  const unmet = [...found.platform, ...found.meshes]
  if (unmet.length > 0) {
    process.stdout.write(`${describeUnmet(unmet)}\n`)
    return exitCodes.hostLacks
  }
  process.stdout.write(`✓ this host has what ${platform.name} needs for ${plan.arms.length} arms\n`)
  process.stdout.write(`${describeTiming(await measureTiming())}\n`)
  return exitCodes.ok
}

/** What is said of a host that others keep busy; a cluster that is there already has hosts of its own. */
export async function restlessHost(plan: Plan, platform: Platform): Promise<string | undefined> {
  const { offers } = platform
  const isElsewhere = offers.includes('cluster') && !offers.includes('new-cluster')
  return isElsewhere ? undefined : restlessText(await foreignShare(), plan)
}

/** A run beside another is refused unless it is forced; a look at the host is not. */
export async function tellOtherRuns(): Promise<void> {
  const others = await lockingRuns()
  if (others.length > 0)
    process.stderr.write(`! another run is being measured on this host: ${others.join(', ')}\n`)
}

/**
 * The floor under every latency that is measured here. Arms are compared by medians of many requests, whose wake-ups are
 * late alike: what differs by less than the usual lateness is not told from the host's own mood.
 */
export function describeTiming(timing: HostTiming): string {
  const { wakeUpLateP50Us, wakeUpLateP99Us, clockStepUs, stealShare, clockSource } = timing
  const steal = `${(stealShare * 100).toFixed(1)} % stolen by the hypervisor`
  const lines = [
    `  timing: a sleeping thread is woken ${wakeUpLateP50Us} µs late (p50), ${wakeUpLateP99Us} µs (p99); clock ${clockSource ?? 'unknown'} in steps of ${clockStepUs} µs; ${steal}`,
    `    → differences of p50 above ${effectUs(wakeUpLateP50Us, clockStepUs)} µs, and of p99 above ${effectUs(wakeUpLateP99Us, clockStepUs)} µs, can be told here; smaller ones need more rounds`,
  ]
  if (stealShare > 0.01 || wakeUpLateP99Us > 1000)
    lines.push('    → this host is busy, or shared: measure when it is idle, or on another one')
  return lines.join('\n')
}

/** Lateness itself is in both arms; what it varies by, at most as much again, is what hides a difference. */
function effectUs(lateUs: number, stepUs: number): number {
  return Number(Math.max(lateUs, stepUs).toPrecision(2))
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
