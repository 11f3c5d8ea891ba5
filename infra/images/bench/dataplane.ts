/**
 * `npm run bench:dataplane`: what our hops cost beside haproxy, nginx, Envoy and nghttpx, measured in one run.
 *
 * Subjects take turns within each round, in an order that is turned around from round to round, so that drift hits all
 * of them. CPU is the scheduler's count of each process; figures are compared only as ratios within a round.
 *
 *     npm run bench:dataplane -- [--rounds 10] [--seconds 2] [--only h2,grpc] [--load 'saturated'] [--subject haproxy,proxy]
 *         [--rate 1000] [--mib 1024] [--counters] [--quick]
 *
 * Each family is measured under saturation and at a rate that leaves it idle most of the time (`--rate`, over 64
 * connections): there each request costs a wake-up, and what is batched under saturation is paid one by one. `--counters`
 * adds what a request costs in system calls and context switches, by `perf stat`. `--quick` leaves out the low rate,
 * memory and the large body.
 */
import { once } from 'node:events'
import { type Socket, connect } from 'node:net'
import { createWorkspace, type Workspace } from '../kit/testing.js'
import { type KernelCounts, countKernelEvents, memoryBytes } from './counters.js'
import { isAsked, readFlags } from './flags.js'
import { type Family, type Load, type Round, createFamilies, measure } from './peers/families.js'
import { type Applications, startApplications } from './peers/programs.js'
import { printCounters, printCpu, printMemory } from './tables.js'
import type { RunningSubject, Subject } from './peers/subject.js'

const flags = readFlags({
  ...{ rounds: 10, seconds: 2, rate: 1000, mib: 1024, only: undefined, load: undefined, subject: undefined },
  ...{ counters: false, quick: false },
})
const { rounds, seconds } = flags
const largeBytes = flags.mib * 2 ** 20

type Started = Subject & RunningSubject

/** A window of its own, as counting is not free. Counts are per request and the mean of the hops. */
async function count(load: Load, running: Started): Promise<KernelCounts> {
  let stops: (() => Promise<KernelCounts>)[] = []
  let all: KernelCounts[] = []
  const outcome = await load.driver(running.entry, seconds, async (edge) => {
    if (edge === 'start') stops = await Promise.all(running.hops.map(({ pid }) => countKernelEvents(pid)))
    else all = await Promise.all(stops.map((stop) => stop()))
  })
  const units = outcome.requests * (load.unitsPerRequest ?? 1) * running.hops.length
  const sums = Object.entries(all[0] ?? {}).map(([name]) => [
    name,
    all.reduce((sum, counts) => sum + counts[name as keyof KernelCounts], 0) / units,
  ])
  return Object.fromEntries(sums) as KernelCounts
}

/** Every subject once a round, in an order that is turned around from round to round. Results by subject. */
async function alternate(label: string, load: Load, running: readonly Started[]): Promise<Round[][]> {
  const results: Round[][] = running.map(() => [])
  for (let round = 0; round < rounds; round += 1) {
    const order = running.map((_, i) => i)
    if (round % 2 === 1) order.reverse()
    for (const i of order) (results[i] as Round[]).push(await measure(load, running[i] as Started, seconds))
    process.stderr.write(`\r${label}: round ${round + 1} of ${rounds} `)
  }
  process.stderr.write('\n')
  return results
}

/** Opens plain connections, each with one small request answered so that everything behind it stands too. */
async function memoryWithConnections(running: RunningSubject, connections: number): Promise<number[]> {
  const sockets: Socket[] = []
  for (let i = 0; i < connections; i += 1) {
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

async function startSubjects(
  { name, subjects, application }: Family,
  workspace: Workspace,
  applications: Applications,
): Promise<Started[]> {
  const running: Started[] = []
  try {
    for (const subject of subjects.filter(isWanted)) {
      const why = subject.missing?.()
      if (why === undefined)
        running.push({ ...subject, ...(await subject.start(workspace, applications[application])) })
      else console.log(`${name}: without ${subject.name}, as there is no ${why}`)
    }
  } catch (error) {
    for (const subject of running) await subject.stop()
    throw error
  }
  return running
}

function isWanted({ name }: Subject): boolean {
  return flags.subject?.split(',').some((part) => name.includes(part)) ?? true
}

/** False when a bar is missed, or requests failed. */
async function benchFamily(
  family: Family,
  workspace: Workspace,
  applications: Applications,
): Promise<boolean> {
  const running = await startSubjects(family, workspace, applications)
  let ok = running.length > 0
  try {
    const rest = running.map(({ hops }) => hops.map(({ pid }) => memoryBytes(pid).rss))
    const loads = family.loads.filter(
      ({ name, isSlow }) =>
        (flags.load === undefined || name.includes(flags.load)) && !(flags.quick && isSlow),
    )
    for (const load of loads) {
      const label = `${family.name}: ${load.name}`
      // What is compiled and allocated once is not a request's.
      for (const subject of running) await load.driver(subject.entry, 1, () => {})
      const results = await alternate(label, load, running)
      const measured = running.map((subject, i) => ({ ...subject, rounds: results[i] as Round[] }))
      ok = printCpu(`${label}, ${rounds} rounds of ${seconds} s`, load, measured) && ok
      if (flags.counters) await benchCounters(load, running)
    }
    if (!flags.quick && flags.load === undefined && family.hasMemory) await benchMemory(running, rest)
    return ok
  } finally {
    for (const subject of running) await subject.stop()
  }
}

async function benchCounters(load: Load, running: readonly Started[]): Promise<void> {
  const counted: { readonly name: string; readonly counts: KernelCounts }[] = []
  try {
    for (const subject of running) counted.push({ name: subject.name, counts: await count(load, subject) })
  } catch (error) {
    console.log(`no counters: ${String(error)}`)
    return
  }
  printCounters(counted)
}

async function benchMemory(running: readonly Started[], rest: readonly number[][]): Promise<void> {
  const rows: Parameters<typeof printMemory>[0][number][] = []
  for (const [i, subject] of running.entries()) {
    const loaded = await memoryWithConnections(subject, 1000)
    const peak = subject.hops.map(({ pid }) => memoryBytes(pid).peak)
    rows.push([subject.name, rest[i] as number[], loaded, peak])
  }
  printMemory(rows)
}

const workspace = createWorkspace()
const families = createFamilies(workspace, flags.rate, largeBytes).filter(({ name }) =>
  isAsked(flags.only, name),
)
const needed = families.map(({ application }) => application)
const applications = await startApplications(workspace, largeBytes, needed)
let allOk = true
try {
  for (const family of families) allOk = (await benchFamily(family, workspace, applications)) && allOk
} finally {
  await applications.stop()
  workspace.remove()
}
process.exitCode = allOk ? 0 : 1
