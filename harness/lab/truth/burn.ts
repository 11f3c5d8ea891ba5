/** A server that burns c µs of CPU more for each request: the CPU that is charged to it rises by c. */
import { setTimeout as sleep } from 'node:timers/promises'
import { defined } from '../../model/defined.js'
import { withAwakeCores } from '../../process/awake.js'
import { unmetPins, type LocalSettings } from '../../../infra/platforms/local/settings.js'
import { type Answer, isKnown, located, tolerance } from './check.js'
import type { EchoServer, Rig } from './rig.js'

const burnsUs = [50, 200]
/**
 * What a request burns in every slice: with a burn in both, only its length differs, and not the code that runs; and
 * both are long enough to leave the caches as cold as a burn can.
 */
const leastUs = 100
/**
 * Requests that are burned for at one go. After a burn the rest of a request finds its caches cold, the colder the longer
 * it burned, and costs more: that is no error of the account, and is paid once for so many.
 */
const burnEvery = 20
/** Loads of this length, as long as the rise is not known to half of what it may be off. */
const loadMs = 30_000
const mostLoads = 10
const sliceMs = 600
/** Requests after which a load is known to run. */
const underWay = 1000
/** The last pair begins before this is left of a load: its two slices, and the calls to the server around them. */
const lastPairMs = 2 * (sliceMs + 500)
/** Requests until the compiler has done with the server: before, each costs up to twice as much. */
const warmUp = { warmupMs: 0, durationMs: 6000 }
/**
 * One request after the other on one connection: each finds the server waiting, however long the one before it burned.
 * With several at once a longer burn gathers requests, which then share a wake-up and a read, and cost less by
 * themselves.
 */
const oneByOne = { connections: 1 }
/**
 * Where `taskset` and the host have them: what a request costs by itself depends on whether the server is moved between
 * cores, and shares one with whoever asks it; and that depends on how busy the burn keeps it.
 */
const apart: LocalSettings = { pin: { generator: '0', server: '1' } }

/**
 * One server and one load, with a longer burn switched on and off: what a request costs beside it differs by a fifth between
 * two processes of the same program and from one second to the next, which is more than what is looked for. Slices
 * next to each other are compared, and which of the two comes first alternates.
 */
export async function checkBurn(rig: Rig): Promise<Answer[]> {
  return withAwakeCores(() => measureBurns(rig))
}

async function measureBurns(rig: Rig): Promise<Answer[]> {
  const place = (await unmetPins('local', apart)).length === 0 ? apart : undefined
  const server = await rig.echo({}, place)
  const answers: Answer[] = []
  for (const burnUs of burnsUs) {
    await server.inject({ burnUs: leastUs, burnEvery })
    await rig.load('closed-loop', { ...oneByOne, ...warmUp }, server, defined({ place }))
    const rises: number[] = []
    const burned: number[] = []
    const allowed = tolerance(burnUs, 0.05)
    for (let loads = 0; loads < mostLoads && (loads === 0 || !isKnown(rises, allowed / 2)); loads++) {
      for (const pair of await measurePairs(rig, server, burnUs, place)) {
        rises.push(pair.burning.cpuUs - pair.plain.cpuUs)
        burned.push(pair.burning.burnedUs - pair.plain.burnedUs)
      }
    }
    answers.push(
      {
        check: 'CPU',
        what: `${burnUs} µs more asked for with each request: what the server burned by its own CPU clock`,
        unit: 'µs',
        expected: burnUs,
        measured: located(burned).value,
        tolerance: tolerance(burnUs, 0.02),
      },
      {
        check: 'CPU',
        what: `rise of the CPU that is charged to it, ${rises.length} pairs`,
        unit: 'µs',
        expected: burnUs,
        measured: located(rises).value,
        tolerance: allowed,
      },
    )
  }
  await server.kill()
  return answers
}

/** One load, in which slices of the least burn and of `burnUs` more follow each other. */
async function measurePairs(
  rig: Rig,
  server: EchoServer,
  burnUs: number,
  place: LocalSettings | undefined,
): Promise<readonly { plain: Slice; burning: Slice }[]> {
  const load = rig.load(
    'closed-loop',
    { ...oneByOne, warmupMs: 0, durationMs: loadMs },
    server,
    defined({ place }),
  )
  // Only what the slices say is judged; a load that fails makes them worthless.
  let failed = false
  void load.catch(() => (failed = true))
  const measured: { plain: Slice; burning: Slice }[] = []
  // A load is known to run once its requests come.
  for (const before = await server.requests(); !failed && (await server.requests()) < before + underWay;)
    await sleep(sliceMs)
  const end = performance.now() + loadMs - 1000 - lastPairMs
  while (!failed && performance.now() < end) {
    const slices: [plain: Slice, burning: Slice] = [nothing, nothing]
    for (const burning of measured.length % 2 === 0 ? [0, 1] : [1, 0]) {
      await server.inject({ burnUs: leastUs + burning * burnUs, burnEvery })
      slices[burning as 0 | 1] = await readSlice(server)
    }
    measured.push({ plain: slices[0], burning: slices[1] })
  }
  await load
  return measured
}

/** Of one request. */
interface Slice {
  readonly cpuUs: number
  readonly burnedUs: number
}
const nothing: Slice = { cpuUs: Number.NaN, burnedUs: Number.NaN }

async function readSlice(server: EchoServer): Promise<Slice> {
  const read = async () => [await server.requests(), await server.burnedUs(), await server.cpuUs()] as const
  const before = await read()
  await sleep(sliceMs)
  const after = await read()
  const requests = after[0] - before[0]
  return { cpuUs: (after[2] - before[2]) / requests, burnedUs: (after[1] - before[1]) / requests }
}
