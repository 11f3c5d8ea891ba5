/** `meshbench plan`: what a run would do, and how long it would take. */
import { timeText } from '../../run/display.js'
import { exitCodes, type ExitCode } from '../../model/errors.js'
import { roundsOf, unvariedLines } from '../../model/plan.js'
import type { Plan } from '../../model.js'
import type { PlanFlags } from '../../config/flags.js'
import { tellOtherRuns } from './doctor.js'
import { installLines } from '../../../infra/meshes/declared.js'
import { alignColumns } from '../../../reports/page/columns.js'
import { planFromFlags } from './planning.js'

export async function planCommand(flags: PlanFlags & { json: boolean }): Promise<ExitCode> {
  const plan = await planFromFlags(flags)
  if (flags.json) {
    process.stdout.write(`${JSON.stringify(plan, null, 2)}\n`)
    return exitCodes.ok
  }
  await tellOtherRuns()
  const { config, arms, paths, order } = plan
  const installed = installLines(plan)
  const lines = [
    `platform ${config.platform} · profile ${config.profile} · seed ${config.seed} · plan ${plan.hash.slice(0, 12)}`,
    '',
    'arms',
    ...table(
      arms.map((arm) => {
        const path = paths.find(({ name }) => name === arm.path)
        const isTwin = arm.role === 'twin'
        return [
          arm.id,
          isTwin ? 'the baseline again: their difference is the noise floor' : (path?.summary ?? ''),
        ]
      }),
    ),
    ...unvariedLines(plan).map((line) => `  ${line}`),
    ...(installed.length === 0
      ? []
      : ['', 'installed on the cluster', ...installed.map((line) => `  ${line}`)]),
    '',
    'loads, each on every arm',
    ...table(loadRows(plan)),
    '',
    `${order.length} trials, ${timeText(plan)}`,
  ]
  process.stdout.write(`${lines.join('\n')}\n`)
  return exitCodes.ok
}

const table = (rows: readonly (readonly string[])[]) =>
  alignColumns(rows, [0, 1, 2]).map((line) => `  ${line}`)

/** Each load once, with how often and how long it is put on an arm. */
function loadRows(plan: Plan): readonly (readonly string[])[] {
  const { cells } = plan
  const first = cells.filter(
    ({ experiment, loadLabel }, index) =>
      cells.findIndex((cell) => cell.experiment === experiment && cell.loadLabel === loadLabel) === index,
  )
  return first.map(({ id, experiment, loadLabel, load }) => {
    const rounds = roundsOf(plan, id)
    const { warmupMs, durationMs } = load
    return [
      experiment,
      loadLabel,
      `${rounds} ${rounds === 1 ? 'round' : 'rounds'} of ${warmupMs} + ${durationMs} ms`,
    ]
  })
}
