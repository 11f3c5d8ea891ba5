/** `meshbench plan`: what a run would do, and how long it would take. */
import { formatDuration } from '../../run/display.js'
import { exitCodes, type ExitCode } from '../../model/errors.js'
import { roundsOf, unvariedLines } from '../../model/plan.js'
import type { PlanFlags } from '../../config/flags.js'
import { tellOtherRuns } from './doctor.js'
import { installLines } from '../../../infra/meshes/declared.js'
import { planFromFlags } from './planning.js'

export async function planCommand(flags: PlanFlags & { json: boolean }): Promise<ExitCode> {
  const plan = await planFromFlags(flags)
  if (flags.json) {
    process.stdout.write(`${JSON.stringify(plan, null, 2)}\n`)
    return exitCodes.ok
  }
  await tellOtherRuns()
  const { config, arms, paths, cells, order, estimateMs } = plan
  const installed = installLines(plan)
  const lines = [
    `platform ${config.platform} · profile ${config.profile} · seed ${config.seed} · plan ${plan.hash.slice(0, 12)}`,
    '',
    'arms',
    ...arms.map((arm) => {
      const path = paths.find(({ name }) => name === arm.path)
      const note =
        arm.role === 'twin'
          ? 'the baseline again: their difference is the noise floor'
          : (path?.summary ?? '')
      return `  ${arm.id.padEnd(34)} ${note}`
    }),
    ...unvariedLines(plan).map((line) => `  ${line}`),
    ...(installed.length === 0
      ? []
      : ['', 'installed on the cluster', ...installed.map((line) => `  ${line}`)]),
    '',
    'loads, each on every arm',
    ...[...new Set(cells.map((cell) => `${cell.experiment.padEnd(10)} ${cell.loadLabel}`))].map((text) => {
      const cell = cells.find((cell) => `${cell.experiment.padEnd(10)} ${cell.loadLabel}` === text)
      const rounds = roundsOf(plan, cell?.id)
      const { warmupMs = 0, durationMs = 0 } = cell?.load ?? {}
      return `  ${text}   ${rounds} rounds of ${warmupMs} + ${durationMs} ms`
    }),
    '',
    `${order.length} trials, ${config.rounds.min < config.rounds.max ? 'at most' : 'about'} ${formatDuration(estimateMs)}`,
  ]
  process.stdout.write(`${lines.join('\n')}\n`)
  return exitCodes.ok
}
