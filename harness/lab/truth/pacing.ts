/** The generator keeps its schedule for little CPU. */
import { setTimeout as sleep } from 'node:timers/promises'
import { withAwakeCores } from '../../process/awake.js'
import { run } from '../../process/exec.js'
import { percentileUs } from '../../load/histogram.js'
import { median } from '../../protocol/averages.js'
import type { Answer } from './check.js'
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
  const atMost = (what: string, unit: string, expected: number, measured: number): Answer => {
    return { check: 'pacing', what, unit, expected, measured, rule: 'atMost' }
  }
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

/** How often the program below looks: for as many milliseconds, so that all are within the load beside it. */
const looks = 3500
/** ms for which it then sleeps until that load is over: a process that ends takes a core for tens of ms, and who sends waits. */
const restMs = 2000

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
Atomics.wait(word, 0, 0, ${restMs})
`
