/** The generator reads injected truths at least as well as any tool beside it that takes a rate. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { imageBundles } from '../../../infra/images/bundles.js'
import { messageOf } from '../../model/errors.js'
import { withAwakeCores } from '../../process/awake.js'
import { findProgram } from '../../process/exec.js'
import { boundsOf } from '../../stats/location.js'
import { attempt, type Attempt, type Bench } from '../../truth/attempt.js'
import { latencyPercentile, stepOf } from '../../truth/figures.js'
import { percentileOf, responseTimes, serviceTimes } from '../../truth/log.js'
import type { Scenario } from '../../truth/scenarios.js'
import { buildServer } from '../../truth/server.js'
import type { Subject } from '../../truth/subject.js'
import { listSubjects } from '../../truth/subjects.js'
import { type Answer, located } from './check.js'
import { freezeAfterRequests, freezeMs, frozenPercentileMs } from './freeze.js'

/** What a tool read of a truth, what was true in that very run, and the step of its times; all in ms. */
interface Reading {
  readonly read: number
  readonly truth: number
  readonly step: number
}

interface Truth {
  readonly what: string
  /** ms: what was asked of the server. */
  readonly nominal: number
  /** As many as it takes to know who reads it better to less than that matters. */
  readonly rounds: number
  read(subject: Subject, bench: Bench): Promise<Reading>
}

const ours = 'open-loop'
/** Tools that read a truth well by chance once do not do so in rounds of their own. */
const finalists = 2
/** Half of what an answer may be off to be right. */
const levelWithin = 0.025
const ratePerSecond = 1000
const usual = { ratePerSecond, connections: 16, repeats: 1, warmed: true } as const

const delayed = (delayUs: number): Scenario => ({
  ...usual,
  title: `every reply ${delayUs} µs later`,
  faults: { delayUs },
  seconds: 2,
})
const injectedDelayMs = 1
const rise: Truth = {
  what: `${injectedDelayMs} ms at the server: rise of p50 as read by`,
  nominal: injectedDelayMs,
  rounds: 20,
  async read(subject, bench) {
    const plain = await attempt(subject, delayed(0), bench)
    const late = await attempt(subject, delayed(1000 * injectedDelayMs), bench)
    const served = ({ log }: Attempt): number => percentileOf(serviceTimes(log), 50)
    return reading([plain, late], readOf(late, 50) - readOf(plain, 50), served(late) - served(plain))
  },
}

const freezeSeconds = 5
const freeze: Truth = {
  what: `${freezeMs} ms freeze: p99 as read by`,
  nominal: frozenPercentileMs(99, freezeSeconds * ratePerSecond),
  rounds: 10,
  async read(subject, bench) {
    const scenario: Scenario = {
      ...usual,
      title: `a server that stands still for ${freezeMs} ms`,
      faults: { freezeAfter: freezeAfterRequests, freezeUs: 1000 * freezeMs },
      seconds: freezeSeconds,
    }
    const run = await attempt(subject, scenario, bench)
    return reading([run], readOf(run, 99), percentileOf(responseTimes(run.log, ratePerSecond), 99))
  },
}

/** µs; throws what kept a tool from an answer. */
function readOf(run: Attempt, percentile: number): number {
  if (run.failure !== undefined) throw new Error(run.failure)
  return latencyPercentile(run, percentile)
}

function reading(runs: readonly Attempt[], readUs: number, truthUs: number): Reading {
  return { read: readUs / 1000, truth: truthUs / 1000, step: stepOf(runs) / 1000 }
}

/** A coarse clock that happens to hit the truth still does not know it. */
function distance({ read, truth, step }: Reading): number {
  return Math.max(Math.abs(read - truth), step)
}

/**
 * Every tool at hand that takes a rate reads the same two truths, which the server of known truth logs in every run: what
 * the server did by itself is nobody's error. Those that were the closest meet ours again in rounds of their own, in which
 * ours has to be as close.
 */
export async function checkOthers(): Promise<Answer[]> {
  const folder = await mkdtemp(join(tmpdir(), 'meshbench-others-'))
  try {
    const { loadgen } = await imageBundles(folder)
    const subjects: Subject[] = []
    for (const subject of listSubjects(loadgen.path))
      if (subject.takesRate && (subject.program === undefined || (await findProgram(subject.program))))
        subjects.push(subject)
    if (subjects.length === 1) return []
    const runId = `truth-${process.pid}`
    const bench = { folder, runId, program: await buildServer(folder, runId) }
    return await withAwakeCores(
      async () => [...(await compare(subjects, rise, bench)), ...(await compare(subjects, freeze, bench))],
      { runId },
    )
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

async function compare(subjects: readonly Subject[], truth: Truth, bench: Bench): Promise<Answer[]> {
  const first = new Map<Subject, Reading>()
  for (const subject of subjects) {
    try {
      first.set(subject, await truth.read(subject, bench))
    } catch (error) {
      // What fails in somebody else's tool is said and does not end the check of ours.
      if (subject.name === ours) throw error
      console.error(`${subject.name}: ${messageOf(error)}`)
    }
  }
  const own = subjects.find(({ name }) => name === ours) as Subject
  const closest = [...first]
    .filter(([subject, { read }]) => subject !== own && Number.isFinite(read))
    .sort(([, a], [, b]) => distance(a) - distance(b))
    .slice(0, finalists)
    .map(([subject]) => subject)
  const further = new Map(closest.map((subject) => [subject, [] as number[]]))
  for (let round = 0; round < truth.rounds; round++) {
    const off = new Map<Subject, number>()
    const order = [own, ...closest]
    for (const subject of round % 2 === 0 ? order : order.reverse())
      off.set(subject, distance(await truth.read(subject, bench)))
    for (const subject of closest)
      further.get(subject)?.push((off.get(own) ?? Number.NaN) - (off.get(subject) ?? Number.NaN))
  }
  return [
    ...[...first].map(([{ name }, { read, truth: expected, step }]): Answer => ({
      check: 'others',
      what: `${truth.what} ${name}${step > 0.001 ? ` (steps of ${step} ms)` : ''}`,
      unit: 'ms',
      expected,
      measured: read,
      rule: 'context',
    })),
    ...[...further].map(([{ name }, values]): Answer => ({
      check: 'others',
      what: `by how much more ${ours} is off than ${name}, upper end of 95 %, ${truth.rounds} rounds`,
      unit: 'ms',
      expected: truth.nominal * levelWithin,
      measured: boundsOf(located(values), 0.95).high,
      rule: 'atMost',
    })),
  ]
}
