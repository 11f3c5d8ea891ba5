/** The generator keeps its schedule for little CPU, and reads injected truths better than the tools beside it. */
import { setTimeout as sleep } from 'node:timers/promises'
import { messageOf } from '../../model/errors.js'
import { findProgram, run } from '../../process/exec.js'
import { percentileUs } from '../../load/histogram.js'
import { engineOf, type EngineName } from '../../protocol/engines.js'
import { boundsOf, estimateLocation, halfWidth } from '../../stats/location.js'
import { type Answer, median } from './check.js'
import { freezeAfterRequests, freezeMs, frozenPercentileMs, measureDrain } from './freeze.js'
import type { EchoServer, LoadRun, Rig } from './rig.js'

const ratePerSecond = 1000
/** The host's own hiccups come and go: one load in which they came says nothing of the generator. */
const repeats = 7
const others = ['wrk', 'wrk2', 'hey', 'h2load', 'fortio', 'oha', 'nighthawk'] as const

export async function checkPacing(rig: Rig): Promise<Answer[]> {
  const server = await rig.echo()
  const slow: SlowLoad[] = []
  const floors = { asleep: [] as number[], awake: [] as number[] }
  for (let repeat = 0; repeat < repeats; repeat++) {
    slow.push(await loadBesideSleeper(rig, server))
    if (repeat % 3 > 0) continue
    floors.asleep.push(await lateness(sleeper))
    floors.awake.push(await lateness(spinner))
  }
  const fast = await rig.load(
    'open-loop',
    { ratePerSecond: 10_000, connections: 64, durationMs: 3000 },
    server,
  )
  await server.kill()
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
  const context = (what: string, unit: string, measured: number): Answer => ({
    ...atMost(what, unit, 0, measured),
    rule: 'context',
  })
  const ratio = ratioOf(slow)
  const middle = (value: (load: SlowLoad) => number): number => median(slow.map(value))
  return [
    context(
      'floor: how late a thread that sleeps to each ms is on an idle host, p99',
      'µs',
      median(floors.asleep),
    ),
    context(
      'floor: how late a thread that never sleeps and does nothing else sees each ms begin, p99',
      'µs',
      median(floors.awake),
    ),
    atMost(
      `${ratePerSecond} req/s: send lag p50, median of ${repeats}`,
      'µs',
      20,
      middle(({ run }) => lag(run, 50)),
    ),
    context(
      `send lag p99, median of ${repeats}`,
      'µs',
      middle(({ run }) => lag(run, 99)),
    ),
    context(
      'a thread that only sleeps to each ms, in the same loads, p99',
      'µs',
      middle(({ besideUs }) => besideUs),
    ),
    context("send lag p99 over that thread's lateness, load by load", 'times', ratio.value),
    atMost('lower end of the 95 % interval of that ratio', 'times', 1, ratio.low),
    atMost(
      `CPU of the generator, median of ${repeats}`,
      'cores',
      0.35,
      middle(({ run }) => cores(run)),
    ),
    atMost('10000 req/s on one worker: unsent', 'requests', 0, fast.result.unsent),
    context('CPU of the generator', 'cores', cores(fast)),
  ]
}

/** How many times as late as the thread beside it the generator is at p99, and the least that it may be (95 % interval). */
function ratioOf(loads: readonly SlowLoad[]): { readonly value: number; readonly low: number } {
  const location = estimateLocation(
    loads.map(({ run, besideUs }) => Math.log(lag(run, 99) / besideUs)),
    { seed: 1 },
  )
  return { value: Math.exp(location.value), low: Math.exp(boundsOf(location, 0.95).low) }
}

/** µs. */
function lag({ result }: LoadRun, percentile: number): number {
  return result.sendLag ? percentileUs(result.sendLag, percentile) : Number.NaN
}

interface SlowLoad {
  readonly run: LoadRun
  /** 99th percentile in µs. */
  readonly besideUs: number
}

/**
 * A load, and a thread beside it that does nothing but wake for each instant of the same kind of schedule: what a
 * schedule can be kept to beside this server, on this host, in these seconds.
 */
async function loadBesideSleeper(rig: Rig, server: EchoServer): Promise<SlowLoad> {
  const load = rig.load('open-loop', { ratePerSecond, warmupMs: 2000, durationMs: 4000 }, server)
  // In the warm-up, so that no process starts while the generator's lag is counted.
  await sleep(1500)
  const [run, besideUs] = await Promise.all([load, lateness(sleeper)])
  return { run, besideUs }
}

/** How often each of the programs below looks: for as many milliseconds, so that it ends before the load beside it. */
const looks = 3500

/** 99th percentile in µs of what a program of its own finds: no generator can know its lag better than this. */
async function lateness(program: string): Promise<number> {
  const { stdout } = await run([process.execPath, '-e', `${program}\n${printP99}`])
  return Number(stdout)
}

const printP99 = `
late.sort((a, b) => a - b)
console.log(late[Math.ceil(0.99 * late.length) - 1])
`

/**
 * The schedule is absolute, as the generator's is: a thread that was away for 3 ms has missed three instants and not one.
 */
const sleeper = `
const word = new Int32Array(new SharedArrayBuffer(4))
const late = []
const start = performance.now()
for (let i = 1; i <= ${looks}; i++) {
  for (let left; (left = start + i - performance.now()) > 0; ) Atomics.wait(word, 0, 0, left)
  late.push((performance.now() - start - i) * 1000)
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
  readonly riseMs: Known
  readonly p99Ms: Known
}

interface Known {
  readonly value: number
  /** Half of its 95 % interval. */
  readonly error: number
}

const injectedDelayMs = 1
/** How often each truth is read: once is luck. */
const readingsEach = 3

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
  for (let reading = 0; reading < readingsEach; reading++) {
    const before = await percentileMs(plain, spec.durationMs, 50)
    rises.push((await percentileMs(late, spec.durationMs, 50)) - before)
  }
  await Promise.all([plain.kill(), late.kill()])
  const p99s: number[] = []
  for (let reading = 0; reading < readingsEach; reading++) {
    const freezing = await rig.echo({ freeze: { afterRequests: freezeAfterRequests, durationMs: freezeMs } })
    p99s.push(await percentileMs(freezing, 5000, 99))
    await freezing.kill()
  }
  return { engine, riseMs: known(rises), p99Ms: known(p99s) }
}

function known(values: readonly number[]): Known {
  const location = estimateLocation(values, { seed: 1 })
  return { value: location.value, error: halfWidth(location, 0.95) }
}

function compare(
  readings: readonly Reading[],
  what: string,
  expected: number,
  value: (reading: Reading) => Known,
): Answer[] {
  // A coarse clock that happens to hit the truth still does not know it.
  const step = (engine: EngineName): number => (engineOf(engine).stepUs ?? 1) / 1000
  const [ours, ...theirs] = readings.map((reading) => ({
    distance: Math.max(Math.abs(value(reading).value - expected), step(reading.engine)),
    error: value(reading).error,
  }))
  const [best] = theirs.sort((a, b) => a.distance - b.distance)
  return [
    ...readings.map((reading): Answer => ({
      check: 'others',
      what: `${what} ${reading.engine}${step(reading.engine) > 0.001 ? ` (steps of ${step(reading.engine)} ms)` : ''}`,
      unit: 'ms',
      expected,
      measured: value(reading).value,
      tolerance: 0,
      rule: 'context',
    })),
    {
      check: 'others',
      what: 'error of open-loop, at most that of the closest of the others (never less than its step) and what both leave open',
      unit: 'ms',
      // The closest of seven tools is so by luck, too: by what its interval and ours are wide.
      expected: best && ours ? best.distance + best.error + ours.error : Number.NaN,
      measured: ours?.distance ?? Number.NaN,
      tolerance: 0,
      rule: 'atMost',
    },
  ]
}
