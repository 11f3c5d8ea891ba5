/** The generator keeps its schedule for little CPU, and reads injected truths better than the tools beside it. */
import { setTimeout as sleep } from 'node:timers/promises'
import { messageOf } from '../../model/errors.js'
import { withAwakeCores } from '../../process/awake.js'
import { findProgram, run } from '../../process/exec.js'
import { percentileUs } from '../../load/histogram.js'
import { engineOf, type EngineName } from '../../protocol/engines.js'
import { boundsOf, estimateLocation } from '../../stats/location.js'
import { type Answer, median } from './check.js'
import { freezeAfterRequests, freezeMs, frozenPercentileMs, measureDrain } from './freeze.js'
import type { EchoServer, LoadRun, Rig } from './rig.js'

const ratePerSecond = 1000
/** The host's own hiccups come and go: one load in which they came says nothing of the generator. */
const repeats = 11
/**
 * A generator may be so late, or as late as a thread beside it that does nothing but wake: no schedule is kept better on
 * this host, in these seconds.
 */
const lagLimitUs = 250
/** Enough for what is told without being judged. */
const fewRepeats = 3
const others = ['wrk', 'wrk2', 'hey', 'h2load', 'fortio', 'oha', 'nighthawk'] as const

export async function checkPacing(rig: Rig): Promise<Answer[]> {
  const server = await rig.echo()
  const asleep = await repeated(fewRepeats, () => loadBesideSleeper(rig, server))
  const floors = { asleep: await repeated(fewRepeats, () => lateness(sleeper)), awake: [] as number[] }
  // How late a core that sleeps is woken is the host's doing: what is left is the generator's.
  const awake = await withAwakeCores(async () => {
    floors.awake = await repeated(fewRepeats, () => lateness(sleeper))
    return repeated(repeats, () => loadBesideSleeper(rig, server))
  })
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
  const context = (what: string, unit: string, measured: number): Answer => ({
    ...atMost(what, unit, 0, measured),
    rule: 'context',
  })
  const cores = ({ result }: LoadRun): number => result.generatorCpuUs / 1000 / result.windowMs
  const middle = (loads: readonly SlowLoad[], value: (load: SlowLoad) => number): number =>
    median(loads.map(value))
  const beside = ({ besideUs }: SlowLoad): number => besideUs
  const floor = 'floor: how late a thread that sleeps to each ms is on an idle host, p99'
  return [
    context(floor, 'µs', median(floors.asleep)),
    context(`${floor}, cores kept awake`, 'µs', median(floors.awake)),
    context(
      `${ratePerSecond} req/s, cores that sleep: send lag p99`,
      'µs',
      middle(asleep, ({ run }) => lag(run, 99)),
    ),
    context('a thread that only sleeps to each ms, in the same loads, p99', 'µs', middle(asleep, beside)),
    atMost(
      `${ratePerSecond} req/s, cores kept awake: send lag p50, median of ${repeats}`,
      'µs',
      20,
      middle(awake, ({ run }) => lag(run, 50)),
    ),
    context(
      'send lag p99',
      'µs',
      middle(awake, ({ run }) => lag(run, 99)),
    ),
    context('a thread that only sleeps to each ms, in the same loads, p99', 'µs', middle(awake, beside)),
    atMost(
      `send lag p99 to ${lagLimitUs} µs, or to that thread’s where it was later in the same load`,
      'times',
      1,
      middle(awake, ({ run, besideUs }) => lag(run, 99) / Math.max(lagLimitUs, besideUs)),
    ),
    atMost(
      'CPU of the generator',
      'cores',
      0.35,
      middle(awake, ({ run }) => cores(run)),
    ),
    atMost('10000 req/s on one worker: unsent', 'requests', 0, fast.result.unsent),
    context('CPU of the generator', 'cores', cores(fast)),
  ]
}

async function repeated<Found>(times: number, find: () => Promise<Found>): Promise<Found[]> {
  const found: Found[] = []
  for (let time = 0; time < times; time++) found.push(await find())
  return found
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

/** A truth that every engine can be asked to read, once a round. */
interface Truth {
  readonly what: string
  /** ms. */
  readonly expected: number
  /** As many as it takes to know who reads it better to less than that matters. */
  readonly rounds: number
  /** What an engine reads of it, in ms. */
  read(engine: EngineName): Promise<number>
}

const injectedDelayMs = 1
/** Tools that read a truth well by chance once do not do so in rounds of their own. */
const finalists = 2
/** Half of what an answer may be off to be right. */
const levelWithin = 0.025

/**
 * Every engine at hand reads the same two truths on the same servers. Those that were the closest meet ours again in
 * rounds of their own, in which ours has to be as close.
 */
export async function checkOthers(rig: Rig): Promise<Answer[]> {
  const engines: EngineName[] = ['open-loop']
  for (const name of others)
    if ((await findProgram(engineOf(name).needs ?? name)) !== undefined) engines.push(name)
  if (engines.length === 1) return []
  const servers = await Promise.all([rig.echo(), rig.echo({ delayMs: injectedDelayMs })])
  const answers = await withAwakeCores(async () => [
    ...(await compare(engines, riseOn(rig, ...servers))),
    ...(await compare(engines, await freezeOn(rig))),
  ])
  await Promise.all(servers.map((server) => server.kill()))
  return answers
}

async function readMs(
  rig: Rig,
  engine: EngineName,
  server: EchoServer,
  durationMs: number,
  percentile: number,
) {
  const { result } = await rig.load(engine, { ratePerSecond, warmupMs: 0, durationMs }, server)
  const latency = result.response ?? result.service
  return latency ? percentileUs(latency, percentile) / 1000 : Number.NaN
}

function riseOn(rig: Rig, plain: EchoServer, late: EchoServer): Truth {
  return {
    what: `${injectedDelayMs} ms at the server: rise of p50 as read by`,
    expected: injectedDelayMs,
    rounds: 20,
    async read(engine) {
      const before = await readMs(rig, engine, plain, 2000, 50)
      return (await readMs(rig, engine, late, 2000, 50)) - before
    },
  }
}

async function freezeOn(rig: Rig): Promise<Truth> {
  return {
    what: `${freezeMs} ms freeze: p99 as read by`,
    expected: frozenPercentileMs(99, 5000, await measureDrain(rig)),
    rounds: 10,
    async read(engine) {
      const freezing = await rig.echo({
        freeze: { afterRequests: freezeAfterRequests, durationMs: freezeMs },
      })
      const p99 = await readMs(rig, engine, freezing, 5000, 99)
      await freezing.kill()
      return p99
    },
  }
}

async function compare(engines: readonly EngineName[], truth: Truth): Promise<Answer[]> {
  // A coarse clock that happens to hit the truth still does not know it.
  const step = (engine: EngineName): number => (engineOf(engine).stepUs ?? 1) / 1000
  const distance = (engine: EngineName, value: number): number =>
    Math.max(Math.abs(value - truth.expected), step(engine))
  const first = new Map<EngineName, number>()
  for (const engine of engines) {
    try {
      first.set(engine, await truth.read(engine))
    } catch (error) {
      // What fails in somebody else's tool is said and does not end the check of ours.
      if (engine === 'open-loop') throw error
      console.error(`${engine}: ${messageOf(error)}`)
    }
  }
  const closest = [...first]
    .filter(([engine, value]) => engine !== 'open-loop' && Number.isFinite(value))
    .sort((a, b) => distance(...a) - distance(...b))
    .slice(0, finalists)
    .map(([engine]) => engine)
  const further = new Map(closest.map((engine) => [engine, [] as number[]]))
  for (let round = 0; round < truth.rounds; round++) {
    const read = new Map<EngineName, number>()
    const order = ['open-loop' as const, ...closest]
    for (const engine of round % 2 === 0 ? order : order.reverse())
      read.set(engine, distance(engine, await truth.read(engine)))
    for (const engine of closest)
      further.get(engine)?.push((read.get('open-loop') ?? Number.NaN) - (read.get(engine) ?? Number.NaN))
  }
  return [
    ...[...first].map(([engine, value]): Answer => ({
      check: 'others',
      what: `${truth.what} ${engine}${step(engine) > 0.001 ? ` (steps of ${step(engine)} ms)` : ''}`,
      unit: 'ms',
      expected: truth.expected,
      measured: value,
      tolerance: 0,
      rule: 'context',
    })),
    ...[...further].map(([engine, values]): Answer => ({
      check: 'others',
      what: `by how much more open-loop is off than ${engine}, upper end of 95 %, ${truth.rounds} rounds`,
      unit: 'ms',
      expected: truth.expected * levelWithin,
      measured: boundsOf(estimateLocation(values, { seed: 1 }), 0.95).high,
      tolerance: 0,
      rule: 'atMost',
    })),
  ]
}
