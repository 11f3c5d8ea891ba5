/**
 * Is a small effect of known size found on the real host? Two meshes are the same proxy, but one burns a share more CPU
 * for each request; a run of the profile compares them. Run it on a host that is otherwise idle.
 *
 *     npm run bench:effect -- [--share 0.05] [--profile full] [--minutes 60] [--out results/effect]
 *
 * `--share 0` is the A/A of two proxies. Ctrl-C keeps what was measured, and the same command goes on from there. Exits
 * 1 when the effect is not found, or one is where there is none.
 */
import * as metrics from '../../../scenarios/metrics.js'
import { join } from 'node:path'
import { catalogue } from '../../cli/catalogue.js'
import { meshRegistry } from '../../cli/commands/planning.js'
import { resolveConfig } from '../../config/resolve-config.js'
import { UserError, exitCodes } from '../../model/errors.js'
import type { Analysis, Mesh, Plan } from '../../model.js'
import { makePlan } from '../../plan/plan.js'
import { createHopMesh } from '../../../infra/meshes/hops/hop-mesh.js'
import { ownProxy } from '../../../infra/meshes/hops/own-hops.js'
import { exitCodeOf, interruptSignal, readFlags, runOnce } from './series.js'
import { defined } from '../../model/defined.js'

const path = 'l7-per-node'
const [plain, burdened] = ['plain', 'burdened']
const meshes: Readonly<Record<string, Mesh>> = {
  ...meshRegistry,
  ...Object.fromEntries(
    [plain, burdened].map((name) => [
      name,
      createHopMesh({ name, summary: name, paths: [path], l7: ownProxy }),
    ]),
  ),
}

process.exitCode = await main().catch(exitCodeOf)

function planOf(
  profile: string,
  rounds: number | undefined,
  minutes: number | undefined,
  burnUs: number,
): Plan {
  const config = resolveConfig(
    { arms: { reference: [path] }, experiments: { latency: {} } },
    { profile, ...defined({ rounds }) },
    'bench:effect',
  )
  return makePlan(
    {
      ...config,
      arms:
        burnUs > 0 || minutes !== undefined ? { [plain]: [path], [burdened]: [path] } : { [plain]: [path] },
      meshSettings: burnUs > 0 ? { [burdened]: { proxy: { filters: { burn: { cpuUs: burnUs } } } } } : {},
      rounds: { ...config.rounds, budgetMinutes: minutes ?? config.rounds.budgetMinutes },
    },
    catalogue,
  )
}

async function main(): Promise<number> {
  const flags = readFlags({ share: 0.05, profile: 'full', minutes: 60, out: 'results/effect' })
  const { share, profile, minutes, out } = flags
  if (share > 10) throw new UserError(`--share: ${share} is not from 0 to 10`)
  if (minutes === 0) throw new UserError('--minutes: 0 is not above 0')
  const run = { meshes, signal: interruptSignal() }
  // What the hop costs by itself says how much a share of it is.
  const pilot = await runOnce({
    ...run,
    plan: planOf('quick', 4, undefined, 0),
    folder: join(out, 'pilot'),
  })
  const hopUs = pilot.cells.find(({ arm }) => arm === `${plain}/${path}`)?.hopCpu?.value
  if (hopUs === undefined) throw new UserError('the pilot has no valid trial: is the host idle?')
  const burnUs = Number((hopUs * share).toPrecision(3))
  console.log(`the hop costs ${hopUs.toFixed(1)} µs of CPU a request; ${burnUs} µs more are burned`)
  const analysis = await runOnce({
    ...run,
    plan: planOf(profile, undefined, minutes, burnUs),
    folder: join(out, profile),
  })
  return judge(analysis, burnUs)
}

function judge(analysis: Analysis, burnUs: number): number {
  const found = analysis.comparisons.find(
    ({ metric, arm, versus }) =>
      metric === metrics.cpu.id && arm === `${burdened}/${path}` && versus === `${plain}/${path}`,
  )
  if (!found) throw new UserError('nothing to compare: no valid trial')
  const { difference: d, ratio, pValue, verdict, detectable } = found
  console.log(
    `${analysis.rounds.done} rounds (${analysis.outcome}): ${d.value.toFixed(2)} µs a request (${d.low.toFixed(2)} to ${d.high.toFixed(2)}), ` +
      `ratio ${ratio.value.toFixed(4)}, adjusted p = ${pValue.toPrecision(2)}, ${verdict}; detectable ${detectable.toFixed(2)} µs; injected ${burnUs} µs`,
  )
  const right = burnUs > 0 ? verdict === 'worse' : verdict === 'inconclusive'
  console.log(right ? 'right' : 'WRONG')
  return right ? exitCodes.ok : exitCodes.thresholdFailed
}
