/**
 * Known answers: injects faults of known size into the real server, measures them with the real generator, and prints
 * expected, measured and error. Run it with `npm run bench:truth` on a host that is otherwise idle.
 *
 *     npm run bench:truth -- [--experiments] [--only delay,freeze] [--json]
 *
 * `--experiments`: those of whole runs that act on hops instead.
 */
import { onInterrupt } from '../../process/interrupts.js'
import { cpus, loadavg } from 'node:os'
import { UserError, exitCodes, messageOf } from '../../model/errors.js'
import { readHost } from '../../process/probes/host.js'
import { busyNs } from '../../run/usage.js'
import { exitCodeOf, readFlags } from '../bench/series.js'
import { checkBill } from './bill.js'
import { checkBurn } from './burn.js'
import { type Answer, isRight, renderAnswers } from './check.js'
import { checkCounts } from './counts.js'
import { checkDelay } from './delay.js'
import { experimentChecks } from './experiments.js'
import { checkFreeze } from './freeze.js'
import { checkOthers } from './others.js'
import { checkPacing } from './pacing.js'
import { type Rig, createRig } from './rig.js'
import { checkSlow } from './slow.js'

const checks = {
  counts: checkCounts,
  pacing: checkPacing,
  delay: checkDelay,
  freeze: checkFreeze,
  cpu: checkBurn,
  bill: checkBill,
  slow: checkSlow,
  others: checkOthers,
} satisfies Record<string, (rig: Rig) => Promise<Answer[]>>
type Checks = Readonly<Record<string, (rig: Rig) => Promise<Answer[]>>>

process.exitCode = await main().catch(exitCodeOf)

async function main(): Promise<number> {
  const { only, experiments, json } = readFlags({ only: undefined, experiments: false, json: false })
  const chosen: Checks = experiments ? experimentChecks : checks
  const names = Object.keys(chosen)
  const wanted = only?.split(',') ?? names
  const unknown = wanted.filter((name) => !names.includes(name))
  if (unknown.length > 0)
    throw new UserError(`--only ${unknown.join(',')}: the checks are ${names.join(', ')}`)
  const foreign = await foreignCores()
  const note = `host: ${cpus().length} CPUs, load average ${(loadavg()[0] ?? 0).toFixed(2)}, ${foreign.toFixed(2)} cores busy before the start`
  if (!json) console.log(note)
  const rig = await createRig()
  onInterrupt(() => void rig.close().then(() => process.exit(exitCodes.interrupted)))
  const answers: Answer[] = []
  try {
    for (const name of wanted) {
      if (!json) process.stderr.write(`${name} …\n`)
      try {
        answers.push(...((await chosen[name]?.(rig)) ?? []))
      } catch (error) {
        // The answers that are there already are worth minutes each: what could not be asked is one that is wrong.
        console.error(`${name}: ${messageOf(error)}`)
        answers.push(unanswered(name))
      }
    }
  } finally {
    await rig.close()
  }
  const whole = answers.map((answer) => ({ tolerance: 0, rule: 'near', ...answer }))
  const wrong = answers.filter((answer) => !isRight(answer)).length
  if (json) console.log(JSON.stringify({ note, answers: whole }, null, 2))
  else {
    console.log(`\n${renderAnswers(answers)}\n\n${wrong === 0 ? 'all right' : `${wrong} wrong`}`)
    if (wrong > 0 && foreign > 0.1)
      console.log(
        'The host was not idle: what others use shows in latencies and send lag. Try again when it is.',
      )
  }
  return wrong === 0 ? exitCodes.ok : exitCodes.thresholdFailed
}

const unanswered = (check: string): Answer => ({
  ...{ check, what: 'it ended with an error, see above', unit: '', expected: 0, measured: Number.NaN },
})

/** CPUs that were busy over half a second in which we did nothing. */
async function foreignCores(): Promise<number> {
  const before = await readHost()
  await new Promise((resolve) => setTimeout(resolve, 500))
  const after = await readHost()
  return busyNs(before, after) / (after.atNs - before.atNs)
}
