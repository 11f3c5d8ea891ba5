/**
 * Shows what recording costs the closed-loop engine: its throughput with our histograms and checks against itself
 * without them, alternated on one server, with other tools beside it. Run it with `npm run bench:recording`.
 *
 *     npm run bench:recording -- [--rounds 5] [--seconds 2]
 */
import { onInterrupt } from '../../process/interrupts.js'
import { exitCodes, messageOf } from '../../model/errors.js'
import { findProgram } from '../../process/exec.js'
import type { EngineName } from '../../protocol/engines.js'
import { median } from '../../protocol/averages.js'
import { type EchoServer, type Rig, createRig } from '../truth/rig.js'
import { exitCodeOf, readFlags, wholeFlag } from './series.js'

/** Recording may cost at most this share of the throughput. */
const allowedShare = 0.15
const connections = 16

interface Variant {
  readonly label: string
  readonly engine: EngineName
  readonly recording: boolean
}

const variants: readonly Variant[] = [
  { label: 'closed-loop, recording', engine: 'closed-loop', recording: true },
  { label: 'closed-loop, recording off', engine: 'closed-loop', recording: false },
]

process.exitCode = await main().catch(exitCodeOf)

async function main(): Promise<number> {
  const flags = readFlags({ rounds: 5, seconds: 2 })
  const [rounds, seconds] = [wholeFlag('rounds', flags.rounds), wholeFlag('seconds', flags.seconds)]
  const others: Variant[] = []
  for (const engine of ['wrk', 'hey'] as const) {
    if ((await findProgram(engine)) !== undefined) others.push({ label: engine, engine, recording: true })
  }
  const all = [...variants, ...others]
  const rig = await createRig()
  onInterrupt(() => void rig.close().then(() => process.exit(exitCodes.interrupted)))
  const rates = new Map<Variant, number[]>(all.map((variant) => [variant, []]))
  try {
    const server = await rig.echo()
    for (let round = 0; round < rounds; round++) {
      // Every other round backwards: who runs first must not matter.
      for (const variant of round % 2 === 0 ? all : [...all].reverse()) {
        try {
          rates.get(variant)?.push(await throughput(rig, server, variant, seconds))
        } catch (error) {
          // The others are context: what fails there is said and does not end the comparison.
          if (variants.includes(variant)) throw error
          console.error(`${variant.label}: ${messageOf(error)}`)
        }
      }
      process.stderr.write(`round ${round + 1} of ${rounds}\n`)
    }
  } finally {
    await rig.close()
  }
  return report(rates)
}

async function throughput(rig: Rig, server: EchoServer, variant: Variant, seconds: number): Promise<number> {
  const { engine, recording } = variant
  const own = engine === 'closed-loop' ? { recording } : {}
  const spec = { model: 'closed', connections, warmupMs: 500, durationMs: seconds * 1000, ...own } as const
  const { result } = await rig.load(engine, spec, server)
  return result.achievedRatePerSecond
}

function report(rates: ReadonlyMap<Variant, number[]>): number {
  for (const [{ label }, values] of rates) {
    const each = values.map((value) => Math.round(value)).join(' ')
    console.log(`${label.padEnd(28)} ${String(Math.round(median(values))).padStart(8)} req/s   (${each})`)
  }
  const [withRecording = [], without = []] = variants.map((variant) => rates.get(variant) ?? [])
  // Paired by round, so that a host that drifts does so for both.
  const ratios = withRecording.map((rate, round) => rate / (without[round] ?? Number.NaN))
  const ratio = median(ratios)
  const right = Math.abs(ratio - 1) <= allowedShare
  const each = ratios.map((value) => value.toFixed(3)).join(' ')
  console.log(`\nrecording on / off: ${ratio.toFixed(3)}, median of paired ratios (${each})`)
  console.log(right ? `within ${allowedShare * 100} %` : `NOT within ${allowedShare * 100} %`)
  return right ? exitCodes.ok : exitCodes.thresholdFailed
}
