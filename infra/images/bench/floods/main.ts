/**
 * `npm run bench:floods`: what floods of HTTP/2 do to a bystander on another connection of the proxy and of HBONE, beside
 * an honest client that costs the sender as much CPU.
 *
 *     npm run bench:floods -- [--rounds 10] [--seconds 1] [--share 0.3] [--only 'PING'] [--target proxy,HBONE]
 *
 * Flood and honest client take turns; the honest one may use the CPU that the flood used in the same round. Exits 1
 * when the bystander saw an error, or when its 99th percentile is above twice the honest one's beyond doubt.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { ascending, mean } from '../../../../harness/protocol/averages.js'
import { createWorkspace } from '../../kit/testing.js'
import { memoryBytes } from '../counters.js'
import { isAsked, readFlags } from '../flags.js'
import { pairedRatio } from '../intervals.js'
import { interval } from '../tables.js'
import { startBystander } from './bystander.js'
import { floodKinds, honest } from './kinds.js'
import type { Order, Report } from './sender.js'
import { type FloodTarget, descriptorsOf, startProxyTarget, startTunnelTarget } from './targets.js'

const flags = readFlags({ rounds: 10, seconds: 1, share: 0.3, only: undefined, target: undefined })
const { rounds, seconds } = flags
const mostRatio = 2

interface Turn extends Report {
  readonly p99Ms: number
  readonly errors: readonly string[]
}

const child = spawn(
  process.execPath,
  ['--import', 'tsx', fileURLToPath(new URL('sender.ts', import.meta.url))],
  { stdio: ['pipe', 'pipe', 'inherit'] },
)
const answers = createInterface({ input: child.stdout })

async function send(order: Order): Promise<Report> {
  const answered = once(answers, 'line') as Promise<[string]>
  child.stdin.write(`${JSON.stringify(order)}\n`)
  const [line] = await answered
  return JSON.parse(line) as Report
}

async function turn(target: FloodTarget, kind: string, cpuShare: number): Promise<Turn> {
  const { address, pem } = target.attack
  const bystander = startBystander(target.entry)
  const report = await send({ kind, target: target.name, address, pem, seconds, cpuShare })
  const { latenciesMs, errors } = await bystander.stop()
  return { ...report, errors, p99Ms: percentile(latenciesMs, 0.99) }
}

function percentile(of: readonly number[], share: number): number {
  const sorted = ascending(of)
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? NaN
}

const row = (...cells: readonly string[]): string =>
  cells
    .map((cell, i) => cell.padEnd(i === 0 ? 34 : 16))
    .join(' ')
    .trimEnd()

/** False when the bystander had to suffer. */
async function benchKind(target: FloodTarget, kind: string): Promise<boolean> {
  const floods: Turn[] = []
  const honestTurns: Turn[] = []
  const before = { bytes: memoryBytes(target.pid).rss, descriptors: descriptorsOf(target.pid) }
  for (let round = 0; round < rounds; round += 1) {
    const flood = await turn(target, kind, flags.share)
    floods.push(flood)
    honestTurns.push(await turn(target, honest.name, flood.cpuShare))
  }
  const of = (turns: readonly Turn[], field: 'p99Ms' | 'cpuShare' | 'closed'): number[] =>
    turns.map((t) => t[field])
  const ratio = pairedRatio(of(floods, 'p99Ms'), of(honestTurns, 'p99Ms'))
  const errors = floods.flatMap((flood) => flood.errors)
  console.log(
    row(
      `${target.name}, ${kind}`,
      String(errors.length),
      mean(of(floods, 'p99Ms')).toFixed(2),
      mean(of(honestTurns, 'p99Ms')).toFixed(2),
      interval(ratio, 2),
      `${mean(of(floods, 'cpuShare')).toFixed(2)} / ${mean(of(honestTurns, 'cpuShare')).toFixed(2)}`,
      ((memoryBytes(target.pid).rss - before.bytes) / 2 ** 20).toFixed(1),
      String(descriptorsOf(target.pid) - before.descriptors),
    ),
  )
  return errors.length === 0 && ratio.low <= mostRatio
}

const workspace = createWorkspace()
let isOk = true
try {
  console.log(
    row('', 'errors', 'p99 ms, flood', 'p99 ms, honest', 'ratio', 'sender CPU', 'MiB more', 'descriptors'),
  )
  for (const start of [startProxyTarget, startTunnelTarget]) {
    const target = await start(workspace)
    try {
      if (!isAsked(flags.target, target.name)) continue
      await turn(target, honest.name, 1)
      for (const { name } of floodKinds)
        if (isAsked(flags.only, name)) isOk = (await benchKind(target, name)) && isOk
    } finally {
      await target.stop()
    }
  }
} finally {
  child.kill()
  workspace.remove()
}
process.exitCode = isOk ? 0 : 1
