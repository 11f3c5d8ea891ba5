/**
 * How often does the real host call two measurements of the same thing different? Compares the baseline with its twin,
 * with the rounds and windows of a profile, many times over, and counts. Run it on a host that is otherwise idle; a
 * comparison of the quick profile takes about 40 s.
 *
 *     npm run bench:aa -- [--comparisons 40] [--profile quick] [--out results/aa]
 *
 * Ctrl-C keeps what was measured, and the same command goes on from there. Exits 1 when more than 5 % differ.
 */
import { join } from 'node:path'
import { catalogue } from '../../cli/catalogue.js'
import { meshRegistry } from '../../cli/commands/planning.js'
import { resolveConfig } from '../../config/resolve-config.js'
import { exitCodes } from '../../model/errors.js'
import type { NoiseFloor, Plan } from '../../model.js'
import { makePlan } from '../../plan/plan.js'
import { exitCodeOf, interruptSignal, readFlags, runOnce, wholeFlag } from './series.js'

const allowedShare = 0.05

process.exitCode = await main().catch(exitCodeOf)

/** Baseline and twin under the profile's latency experiment; the seed is what differs between comparisons. */
function planOf(profile: string, seed: number): Plan {
  const config = resolveConfig(
    { arms: { reference: ['l7-per-node'] }, experiments: { latency: {} } },
    { profile, seed },
    'bench:aa',
  )
  return makePlan({ ...config, arms: {} }, catalogue)
}

async function main(): Promise<number> {
  const { profile, out, ...given } = readFlags({ comparisons: 40, profile: 'quick', out: 'results/aa' })
  const comparisons = wholeFlag('comparisons', given.comparisons)
  const signal = interruptSignal()
  const floors: NoiseFloor[] = []
  for (let index = 0; index < comparisons; index++) {
    const analysis = await runOnce({
      plan: planOf(profile, index + 1),
      folder: join(out, String(index + 1).padStart(3, '0')),
      meshes: meshRegistry,
      signal,
    })
    const [floor] = analysis.noise
    const bad = analysis.trials.filter(({ state }) => state !== 'ok').length
    if (floor) floors.push(floor)
    console.log(
      `${String(index + 1).padStart(3)}  ${floor ? describe(floor) : 'nothing to compare'}${bad > 0 ? `  (${bad} trials not valid)` : ''}`,
    )
  }
  const different = floors.filter(({ differs }) => differs).length
  const most = Math.floor(allowedShare * floors.length)
  console.log(
    `\n${different} of ${floors.length} comparisons differ significantly (p50, p99 and CPU as one family, Holm); at most ${most} may`,
  )
  if (floors.length < comparisons) console.log(`${comparisons - floors.length} had no valid trials`)
  return floors.length === comparisons && different <= most ? exitCodes.ok : exitCodes.thresholdFailed
}

function describe({ latencyP50, latencyP99, cpu, differs }: NoiseFloor): string {
  const us = ({ value, low, high }: NoiseFloor['latencyP50']) =>
    `${(value * 1000).toFixed(1)} µs (${(low * 1000).toFixed(1)} to ${(high * 1000).toFixed(1)})`
  const figures = [`p50 ${us(latencyP50)}`]
  if (latencyP99) figures.push(`p99 ${us(latencyP99)}`)
  // ms per 1 000 requests is µs a request.
  if (cpu) figures.push(`CPU ${cpu.value.toFixed(2)} µs (${cpu.low.toFixed(2)} to ${cpu.high.toFixed(2)})`)
  return `${differs ? 'DIFFERS' : 'same   '}  ${figures.join('  ')}`
}
