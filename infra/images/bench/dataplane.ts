/**
 * `npm run bench:dataplane`: what our hops cost beside Debian's haproxy, measured in one run.
 *
 * Subjects take turns within each round, in an order that is turned around from round to round, so that drift hits all
 * of them. CPU is the scheduler's count of each process; figures are compared only as ratios within a round.
 *
 *     npm run bench:dataplane -- [--rounds 8] [--seconds 2] [--connections 16] [--only l4] [--quick]
 *
 * Then the same subjects at a rate that leaves them idle most of the time (`--rate 1000`, over `--rate-connections 64`):
 * there each request costs a wake-up, and what is batched under saturation is paid one by one.
 */
import { once } from 'node:events'
import { type Socket, connect } from 'node:net'
import { parseArgs } from 'node:util'
import { createWorkspace, type Workspace } from '../kit/testing.js'
import { type Interval, bootstrapMedian, median, pairedRatio } from './intervals.js'
import { type LoadOutcome, cpuNs, download, drive, driveAtRate, memoryBytes } from './measure.js'
import { type Peer, startApplication } from './peers.js'
import type { RunningSubject, Subject } from './subject.js'
import { l4Subjects } from './subjects-l4.js'
import { l7Subjects } from './subjects-l7.js'

/** A family of subjects that stand for the same thing; the first is the reference. */
interface Family {
  readonly name: string
  readonly subjects: readonly Subject[]
  /** What the second subject's CPU per request may be, as a ratio to the first's. */
  readonly maxCpuRatio: number
}

const families: readonly Family[] = [
  { name: 'l7', subjects: l7Subjects, maxCpuRatio: 1.5 },
  { name: 'l4', subjects: l4Subjects, maxCpuRatio: 1.25 },
]

interface Round {
  /** µs of CPU per request and hop. */
  readonly hopCpuUs: readonly number[]
  readonly requestsPerSecond: number
  readonly errors: number
}

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '8' },
    seconds: { type: 'string', default: '2' },
    connections: { type: 'string', default: '16' },
    rate: { type: 'string', default: '1000' },
    'rate-connections': { type: 'string', default: '64' },
    only: { type: 'string' },
    quick: { type: 'boolean', default: false },
  },
})
const rounds = Number(values.rounds)
const seconds = Number(values.seconds)
const connections = Number(values.connections)
const largeBytes = 2 ** 30

const cpuOf = (running: RunningSubject): number[] => running.hops.map(({ pid }) => cpuNs(pid))

function toRound(before: readonly number[], after: readonly number[], load: LoadOutcome): Round {
  return {
    hopCpuUs: after.map((ns, i) => (ns - (before[i] as number)) / 1000 / load.requests),
    requestsPerSecond: load.requestsPerSecond,
    errors: load.errors,
  }
}

async function measureSaturated(running: RunningSubject): Promise<Round> {
  const before = cpuOf(running)
  const load = await drive(running.entry, connections, seconds)
  return toRound(before, cpuOf(running), load)
}

async function measureAtRate(running: RunningSubject): Promise<Round> {
  let before: number[] = []
  let after: number[] = []
  const rate = {
    connections: Number(values['rate-connections']),
    ratePerSecond: Number(values.rate),
    seconds,
  }
  const load = await driveAtRate(running.entry, rate, (edge) => {
    if (edge === 'start') before = cpuOf(running)
    else after = cpuOf(running)
  })
  return toRound(before, after, load)
}

/** Every subject once a round, in an order that is turned around from round to round. Results by subject. */
async function alternate(
  name: string,
  running: readonly RunningSubject[],
  measure: (subject: RunningSubject) => Promise<Round>,
): Promise<Round[][]> {
  const results: Round[][] = running.map(() => [])
  for (let round = 0; round < rounds; round += 1) {
    const order = running.map((_, i) => i)
    if (round % 2 === 1) order.reverse()
    for (const i of order) (results[i] as Round[]).push(await measure(running[i] as RunningSubject))
    process.stderr.write(`\r${name}: round ${round + 1} of ${rounds} `)
  }
  process.stderr.write('\n')
  return results
}

/** Opens plain connections, each with one small request answered so that everything behind it stands too. */
async function memoryWithConnections(running: RunningSubject, count: number): Promise<number[]> {
  const sockets: Socket[] = []
  for (let i = 0; i < count; i += 1) {
    const socket = connect(running.entry)
    sockets.push(socket)
    await once(socket, 'connect')
    socket.write('GET / HTTP/1.1\r\nHost: bench\r\n\r\n')
    await once(socket, 'data')
  }
  const rss = running.hops.map(({ pid }) => memoryBytes(pid).rss)
  for (const socket of sockets) socket.destroy()
  return rss
}

async function benchFamily(family: Family, workspace: Workspace, application: Peer): Promise<boolean> {
  const running: RunningSubject[] = []
  try {
    for (const subject of family.subjects) running.push(await subject.start(workspace, application.address))
    const rest = running.map(({ hops }) => hops.map(({ pid }) => memoryBytes(pid).rss))
    for (const subject of running) await drive(subject.entry, connections, 1)
    const saturated = await alternate(family.name, running, measureSaturated)
    const load = `${connections} connections, as fast as they are answered`
    const ok = printCpu(family, running, saturated, load, family.maxCpuRatio)
    if (!values.quick) {
      const idling = await alternate(`${family.name} at ${values.rate}/s`, running, measureAtRate)
      printCpu(
        family,
        running,
        idling,
        `${values['rate-connections']} connections, ${values.rate} requests/s`,
      )
    }
    await printMemoryAndTransfer(family, running, rest)
    return ok
  } finally {
    for (const subject of running) await subject.stop()
  }
}

/** Prints a table; with a bar, the second subject's verdict too. False when it failed, or requests did. */
function printCpu(
  family: Family,
  running: readonly RunningSubject[],
  results: readonly Round[][],
  load: string,
  maxCpuRatio?: number,
): boolean {
  const meanHop = (round: Round): number =>
    round.hopCpuUs.reduce((sum, us) => sum + us, 0) / round.hopCpuUs.length
  const reference = results[0] as Round[]
  const hopNames = running[0]?.hops.map(({ name }) => name).join(' / ') ?? ''
  console.log(
    `\n${family.name}: ${load}, HTTP/1.1 keep-alive, 1 KiB replies, ${rounds} rounds of ${seconds} s`,
  )
  console.log(row('', 'CPU µs/request/hop', hopNames, 'CPU ratio', 'requests/s', 'rate ratio', 'errors'))
  let verdict: Interval | undefined
  let errors = 0
  for (const [i, subject] of family.subjects.entries()) {
    const mine = results[i] as Round[]
    const cpu = bootstrapMedian(mine.map(meanHop))
    const ratio = pairedRatio(mine.map(meanHop), reference.map(meanHop))
    const rate = bootstrapMedian(mine.map((round) => round.requestsPerSecond))
    const rateRatio = pairedRatio(
      mine.map((round) => round.requestsPerSecond),
      reference.map((round) => round.requestsPerSecond),
    )
    const perHop = (running[i] as RunningSubject).hops.map((_, hop) =>
      median(mine.map((r) => r.hopCpuUs[hop] as number)),
    )
    const failed = mine.reduce((sum, round) => sum + round.errors, 0)
    errors += failed
    if (i === 1) verdict = ratio
    console.log(
      row(
        subject.name,
        interval(cpu, 1),
        perHop.map((us) => us.toFixed(1)).join(' / '),
        i === 0 ? '1' : interval(ratio, 2),
        rate.value.toFixed(0),
        i === 0 ? '1' : interval(rateRatio, 2),
        String(failed),
      ),
    )
  }
  if (!verdict || maxCpuRatio === undefined) return errors === 0
  const state = verdict.high <= maxCpuRatio ? 'pass' : verdict.low > maxCpuRatio ? 'fail' : 'inconclusive'
  console.log(
    `CPU of ${family.subjects[1]?.name} at most ${maxCpuRatio} × ${family.subjects[0]?.name}: ${state}`,
  )
  return state !== 'fail' && errors === 0
}

async function printMemoryAndTransfer(
  family: Family,
  running: readonly RunningSubject[],
  rest: readonly number[][],
): Promise<void> {
  if (values.quick) return
  console.log(
    row('', 'MiB at rest', 'MiB, 1000 connections', '1 GiB: MiB/s', 'CPU s per hop', 'peak MiB', ''),
  )
  for (const [i, subject] of running.entries()) {
    const loaded = await memoryWithConnections(subject, 1000)
    const before = subject.hops.map(({ pid }) => cpuNs(pid))
    const { bytes, seconds: elapsed } = await download(subject.entry, '/large')
    if (bytes !== largeBytes)
      throw new Error(`${family.subjects[i]?.name}: ${bytes} bytes of ${largeBytes} arrived`)
    const cpu = subject.hops.map(({ pid }, hop) => (cpuNs(pid) - (before[hop] as number)) / 1e9)
    console.log(
      row(
        family.subjects[i]?.name ?? '',
        mib(rest[i] as number[]),
        mib(loaded),
        (bytes / 2 ** 20 / elapsed).toFixed(0),
        cpu.map((s) => s.toFixed(2)).join(' / '),
        mib(subject.hops.map(({ pid }) => memoryBytes(pid).peak)),
        '',
      ),
    )
  }
}

function row(...cells: string[]): string {
  const widths = [24, 20, 22, 18, 14, 18, 6]
  return cells
    .map((cell, i) => cell.padEnd(widths[i] ?? 12))
    .join(' ')
    .trimEnd()
}

function interval({ value, low, high }: Interval, digits: number): string {
  return `${value.toFixed(digits)} (${low.toFixed(digits)}–${high.toFixed(digits)})`
}

function mib(bytes: readonly number[]): string {
  return bytes.map((n) => (n / 2 ** 20).toFixed(0)).join(' / ')
}

const workspace = createWorkspace()
const application = await startApplication(workspace, largeBytes)
let allOk = true
try {
  for (const family of families) {
    if (values.only === undefined || values.only === family.name) {
      allOk = (await benchFamily(family, workspace, application)) && allOk
    }
  }
} finally {
  await application.stop()
  workspace.remove()
}
process.exitCode = allOk ? 0 : 1
