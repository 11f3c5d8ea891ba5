/**
 * Known answers of the experiments that act: a pause of known length, a kill at a known moment, memory that grows by a known
 * amount, a neighbour of known CPU, a start that is late by a known time, bytes that are really sent in the clear, and the
 * same with nothing to act on, through whole runs of the real command line.
 */
import { maxUs } from '../../load/histogram.js'
import { start } from '../../process/exec.js'
import { readProcess } from '../../process/probes/process.js'
import { fitLine } from '../../stats/line.js'
import type { Trial, TrialEvent } from '../../model.js'
import { median } from '../../protocol/averages.js'
import { tolerance, type Answer } from './check.js'
import { checkNeighbour } from './neighbour.js'
import { checkPlaintext, checkRace } from './starts.js'
import { measureRun } from './whole-run.js'

const mib = 2 ** 20

/** Every check brings its own processes up: none needs the rig. */
export const experimentChecks = {
  pause: checkPause,
  kill: checkKill,
  leak: checkLeak,
  neighbour: checkNeighbour,
  race: checkRace,
  plaintext: checkPlaintext,
} as const

const window = { warmupMs: 200, ratePerSecond: 400, connections: 128 }

/** A proxy that stands still for 200 ms: the request that waits longest waits for all of it. */
async function checkPause(): Promise<Answer[]> {
  const settings = { ...window, durationMs: 1000, pauseMs: 200, everyMs: 1000 }
  const { trials } = await measureRun('pauses', { reference: ['l7-per-node'] }, settings)
  const paused = trials.filter(({ cell }) => cell.includes('|pauses 200'))
  const other = trials.filter(({ cell }) => cell.includes('|pauses of a spare hop'))
  const lengths = paused.map(({ events = [] }) => between(events[0], events[1]))
  const intervalMs = 1000 / window.ratePerSecond
  return [
    {
      check: 'pauses',
      what: `longest response while the proxy stood still, median of ${paused.length} rounds`,
      unit: 'ms',
      expected: median(lengths),
      measured: median(paused.map(longestMs)),
      tolerance: tolerance(200, 0.05, 2 * intervalMs),
    },
    {
      check: 'pauses',
      what: 'longest response while a spare proxy stood still: no pause is seen',
      unit: 'ms',
      expected: 100,
      measured: median(other.map(longestMs)),
      rule: 'atMost',
    },
  ]
}

/** From when one action was done to when the next began. */
function between(first: TrialEvent | undefined, second: TrialEvent | undefined): number {
  return (second?.startedMs ?? Number.NaN) - (first?.endedMs ?? Number.NaN)
}

function longestMs({ load }: Trial): number {
  return load?.response ? maxUs(load.response) / 1000 : Number.NaN
}

/** A sidecar that is killed hurts its own workload, a proxy of all hurts all; and from the moment on at which it was killed. */
async function checkKill(): Promise<Answer[]> {
  const workloads = 4
  // In the middle of a slice: the slices' clock begins a little after that of the events, which must not lead to another one.
  const killAtMs = 525
  const settings = { ...window, workloads, durationMs: 2500, killAtMs, backAtMs: 825, connections: 16 }
  const arms = { reference: ['l7-per-node', 'l7-sidecar-to-sidecar'] }
  const { trials } = await measureRun('blast-radius', arms, settings)
  const of = (arm: string, load: string) =>
    trials.filter(({ cell }) => cell.includes(`/${arm}|`) && cell.includes(`|${load}`))
  const hit = (all: readonly Trial[]) => median(all.map((trial) => firstHurtMs(trial).length))
  const rows = [
    { arm: 'l7-per-node', load: 'a hop is killed', expected: workloads },
    { arm: 'l7-sidecar-to-sidecar', load: 'a hop is killed', expected: 1 },
    { arm: 'l7-per-node', load: 'a spare hop is killed', expected: 0 },
    { arm: 'l7-sidecar-to-sidecar', load: 'a spare hop is killed', expected: 0 },
  ]
  const moments = of('l7-per-node', 'a hop is killed').map(
    (trial) => Math.min(...firstHurtMs(trial)) - (trial.events?.[0]?.startedMs ?? Number.NaN),
  )
  return [
    ...rows.map(({ arm, load, expected }): Answer => ({
      check: 'blast-radius',
      what: `${arm}, ${load}: workloads of ${workloads} with failed requests`,
      unit: '',
      expected,
      measured: hit(of(arm, load)),
    })),
    {
      check: 'blast-radius',
      what: 'from the kill to the middle of the first slice of 50 ms with a failed request',
      unit: 'ms',
      expected: 0,
      measured: median(moments),
      tolerance: 50,
    },
  ]
}

/** Of each workload in which a request failed: the middle of the first slice with one, in ms. */
function firstHurtMs({ load }: Trial): number[] {
  const { ms = 0, workloads = [] } = load?.slices ?? {}
  return workloads.flatMap(({ failed }) => {
    const slice = failed.findIndex((count) => count > 0)
    return slice < 0 ? [] : [(slice + 0.5) * ms]
  })
}

/** What all share grows by half a MiB for each replica: read as the hops' memory is, and put on a line as theirs. */
async function checkLeak(): Promise<Answer[]> {
  const perReplica = mib / 2
  const program = `
    const held = []
    process.stdin.on('data', (text) => {
      for (const line of String(text).split('\\n').filter(Boolean)) {
        held.push(Buffer.alloc(Number(line), 1))
        console.log(held.length)
      }
    })
    console.log('ready')`
  const slopes: Record<'leaking' | 'sound', number> = { leaking: 0, sound: 0 }
  for (const kind of ['sound', 'leaking'] as const) {
    const child = start({ argv: [process.execPath, '-e', program] })
    const lines = child.lines[Symbol.asyncIterator]()
    await lines.next()
    const points = []
    for (const replicas of [1, 2, 4, 8]) {
      const grown = replicas - (points.at(-1)?.x ?? 0)
      child.write(`${kind === 'leaking' ? grown * perReplica : 1}\n`)
      await lines.next()
      const { pssBytes, rssBytes = 0 } = await readProcess(child.pid ?? 0)
      points.push({ x: replicas, y: (pssBytes ?? rssBytes) / mib })
    }
    child.kill('SIGKILL')
    await child.exited
    slopes[kind] = fitLine(points)?.slope ?? Number.NaN
  }
  return [
    {
      check: 'footprint',
      what: 'a component that grows by 0.5 MiB for each replica: slope of its memory',
      unit: 'MiB',
      expected: 0.5,
      measured: slopes.leaking,
      tolerance: tolerance(0.5, 0.05),
    },
    {
      check: 'footprint',
      what: 'one that does not grow',
      unit: 'MiB',
      expected: 0,
      measured: slopes.sound,
      tolerance: 0.05,
    },
  ]
}
