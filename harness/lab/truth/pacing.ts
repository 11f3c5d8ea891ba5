/** The generator keeps its schedule for little CPU, and reads injected truths better than the tools beside it. */
import { setTimeout as sleep } from 'node:timers/promises'
import { messageOf } from '../../model/errors.js'
import { findProgram, run } from '../../process/exec.js'
import { percentileUs } from '../../load/histogram.js'
import { engineOf, type EngineName } from '../../protocol/engines.js'
import type { Histogram } from '../../model.js'
import { type Answer, median } from './check.js'
import { freezeAfterRequests, freezeMs, frozenPercentileMs, measureDrain } from './freeze.js'
import type { EchoServer, LoadRun, Rig } from './rig.js'

const ratePerSecond = 1000
/** The host's own hiccups come and go: one load in which they came says nothing of the generator. */
const repeats = 3
const others = ['wrk', 'wrk2', 'hey', 'h2load', 'fortio', 'oha', 'nighthawk'] as const

export async function checkPacing(rig: Rig): Promise<Answer[]> {
  const server = await rig.echo()
  const slow: LoadRun[] = []
  const floors = { beside: [] as number[], asleep: [] as number[], awake: [] as number[] }
  for (let repeat = 0; repeat < repeats; repeat++) {
    slow.push(await rig.load('open-loop', { ratePerSecond, warmupMs: 2000, durationMs: 4000 }, server))
    floors.beside.push(await latenessBeside(rig, server))
    floors.asleep.push(await lateness(sleeper))
    floors.awake.push(await lateness(spinner))
  }
  const fast = await rig.load(
    'open-loop',
    { ratePerSecond: 10_000, connections: 64, durationMs: 3000 },
    server,
  )
  await server.kill()
  const lag = (histogram: Histogram | undefined, percentile: number): number =>
    histogram ? percentileUs(histogram, percentile) : Number.NaN
  const atMost = (what: string, unit: string, expected: number, measured: number): Answer => ({
    check: 'pacing',
    what,
    unit,
    expected,
    measured,
    tolerance: 0,
    rule: 'atMost',
  })
  const cores = ({ result }: LoadRun): number => result.generatorCpuUs / 1000 / result.windowMs
  const slowLag = (percentile: number): number =>
    median(slow.map(({ result }) => lag(result.sendLag, percentile)))
  return [
    {
      ...atMost(
        'floor: how late the kernel wakes a thread that sleeps 1 ms, p99',
        'µs',
        0,
        median(floors.asleep),
      ),
      rule: 'context',
    },
    {
      ...atMost(
        'floor: how late a thread that never sleeps and does nothing else sees each ms begin, p99',
        'µs',
        0,
        median(floors.awake),
      ),
      rule: 'context',
    },
    atMost(`${ratePerSecond} req/s: send lag p50, median of ${repeats}`, 'µs', 20, slowLag(50)),
    atMost(
      `send lag p99, median of ${repeats}; a thread that sleeps 1 ms beside the same load is as late`,
      'µs',
      median(floors.beside),
      slowLag(99),
    ),
    atMost(`CPU of the generator, median of ${repeats}`, 'cores', 0.35, median(slow.map(cores))),
    atMost('10000 req/s on one worker: unsent', 'requests', 0, fast.result.unsent),
    { ...atMost('CPU of the generator', 'cores', 0, cores(fast)), rule: 'context' },
  ]
}

/**
 * How late a thread is that does nothing but wake each ms while the same load runs: what a schedule can be kept to
 * beside this server, on this host, at this time.
 */
async function latenessBeside(rig: Rig, server: EchoServer): Promise<number> {
  const load = rig.load('open-loop', { ratePerSecond, warmupMs: 2000, durationMs: 4000 }, server)
  const [late] = await Promise.all([lateness(sleeper, 2000), load])
  return late
}

/** How often each of the programs below looks: two seconds of milliseconds. */
const looks = 2000

/** 99th percentile in µs of what a program of its own finds: no generator can know its lag better than this. */
async function lateness(program: string, afterMs = 0): Promise<number> {
  await sleep(afterMs)
  const { stdout } = await run([process.execPath, '-e', `${program}\n${printP99}`])
  return Number(stdout)
}

const printP99 = `
late.sort((a, b) => a - b)
console.log(late[Math.ceil(0.99 * late.length) - 1])
`

const sleeper = `
const word = new Int32Array(new SharedArrayBuffer(4))
const late = []
for (let i = 0; i < ${looks}; i++) {
  const before = performance.now()
  Atomics.wait(word, 0, 0, 1)
  late.push((performance.now() - before - 1) * 1000)
}
`

/** A whole core for the schedule alone: what it misses, the host has taken away. */
const spinner = `
const late = []
const start = performance.now()
for (let i = 1; i <= ${looks}; i++) {
  let now = performance.now()
  while (now < start + i) now = performance.now()
  late.push((now - start - i) * 1000)
}
`

/** What one engine reads of two injected truths. */
interface Reading {
  readonly engine: EngineName
  readonly riseMs: number
  readonly p99Ms: number
}

const injectedDelayMs = 1
const pairs = 3

/** Every engine at hand reads the same two truths on the same servers; ours has to be the closest to both. */
export async function checkOthers(rig: Rig): Promise<Answer[]> {
  const engines: EngineName[] = ['open-loop']
  for (const name of others)
    if ((await findProgram(engineOf(name).needs ?? name)) !== undefined) engines.push(name)
  if (engines.length === 1) return []
  const readings: Reading[] = []
  for (const engine of engines) {
    try {
      readings.push(await read(rig, engine))
    } catch (error) {
      // What fails in somebody else's tool is said and does not end the check of ours.
      if (engine === 'open-loop') throw error
      console.error(`${engine}: ${messageOf(error)}`)
    }
  }
  const truthP99Ms = frozenPercentileMs(99, 5000, await measureDrain(rig))
  return [
    ...compare(
      readings,
      `${injectedDelayMs} ms at the server: rise of p50 as read by`,
      injectedDelayMs,
      ({ riseMs }) => riseMs,
    ),
    ...compare(readings, `${freezeMs} ms freeze: p99 as read by`, truthP99Ms, ({ p99Ms }) => p99Ms),
  ]
}

async function read(rig: Rig, engine: EngineName): Promise<Reading> {
  const spec = { ratePerSecond, warmupMs: 0, durationMs: 2000 }
  const percentileMs = async (server: Awaited<ReturnType<Rig['echo']>>, durationMs: number, p: number) => {
    const { result } = await rig.load(engine, { ...spec, durationMs }, server)
    const latency = result.response ?? result.service
    return latency ? percentileUs(latency, p) / 1000 : Number.NaN
  }
  const plain = await rig.echo()
  const late = await rig.echo({ delayMs: injectedDelayMs })
  const rises: number[] = []
  for (let pair = 0; pair < pairs; pair++) {
    const before = await percentileMs(plain, spec.durationMs, 50)
    rises.push((await percentileMs(late, spec.durationMs, 50)) - before)
  }
  await Promise.all([plain.kill(), late.kill()])
  const freezing = await rig.echo({ freeze: { afterRequests: freezeAfterRequests, durationMs: freezeMs } })
  const p99Ms = await percentileMs(freezing, 5000, 99)
  await freezing.kill()
  return { engine, riseMs: median(rises), p99Ms }
}

function compare(
  readings: readonly Reading[],
  what: string,
  expected: number,
  value: (reading: Reading) => number,
): Answer[] {
  // A coarse clock that happens to hit the truth still does not know it.
  const step = (engine: EngineName): number => (engineOf(engine).stepUs ?? 1) / 1000
  const errors = readings.map((reading) =>
    Math.max(Math.abs(value(reading) - expected), step(reading.engine)),
  )
  const [ours = Number.NaN, ...theirs] = errors
  return [
    ...readings.map((reading): Answer => ({
      check: 'others',
      what: `${what} ${reading.engine}${step(reading.engine) > 0.001 ? ` (steps of ${step(reading.engine)} ms)` : ''}`,
      unit: 'ms',
      expected,
      measured: value(reading),
      tolerance: 0,
      rule: 'context',
    })),
    {
      check: 'others',
      what: 'error of open-loop, at most that of the best of the others (never less than its step)',
      unit: 'ms',
      expected: Math.min(...theirs),
      measured: ours,
      tolerance: 0,
      rule: 'atMost',
    },
  ]
}
