/** Executes a plan: environments up, rounds of trials, one journal line each, everything down again. */
import { isInterrupted, isRepeated, nextAttempt, settledTrials } from '../model/attempts.js'
import { createEnvironment, describeFailure } from './environment.js'
import { UserError, exitCodes } from '../model/errors.js'
import { childScope, openScope, type OpenScope } from '../process/scope.js'
import { createStateDir } from '../process/state.js'
import { rm } from 'node:fs/promises'
import type { Display } from './display.js'
import { missingPrograms } from '../load/choice.js'
import type { JournalWriter } from './journal.js'
import type {
  Arm,
  Cell,
  Environment,
  EnvironmentRequest,
  JournalEntry,
  Mesh,
  Path,
  Plan,
  Platform,
  PlatformTimes,
  Trial,
  TrialSpec,
  Unmet,
} from '../model.js'
import { environmentRequests, trialMs, visitsOf, type Visit } from '../plan/plan.js'
import { runTrial } from './trial.js'
import { nextRate } from '../analyze/knees.js'
import { settingsOf } from '../model/variants.js'

/** Decides after a round whether more would tell more; see harness/analyze/precision.ts. */
export type PrecisionReached = (entries: readonly JournalEntry[]) => boolean

export interface RunOptions {
  readonly plan: Plan
  readonly runId: string
  readonly platform: Platform
  readonly meshes: Readonly<Record<string, Mesh>>
  readonly journal: JournalWriter
  /** Entries that the journal holds already: the header, and on resume everything measured before. */
  readonly entries: readonly JournalEntry[]
  readonly display: Display
  readonly signal: AbortSignal
  readonly precisionReached: PrecisionReached
  /** Where evidence of failures is kept. */
  readonly evidenceDir?: string
}

export interface RunOutcome {
  readonly outcome: Extract<JournalEntry, { type: 'end' }>['outcome']
  readonly message?: string
  /** What could not be taken down. */
  readonly cleanupProblems: readonly string[]
}

/** What a run of this plan lacks, told before anything is created. */
export interface HostCheck {
  /** Needs of the platform: without them nothing runs. */
  readonly platform: readonly Unmet[]
  /** Needs of meshes: without them only that mesh's arms are left out. Meshes that share a program lack the same. */
  readonly meshes: readonly Unmet[]
  /** True when an arm is left that is more than a baseline. */
  readonly leavesArms: boolean
}

export async function checkHost(
  plan: Plan,
  platform: Platform,
  meshes: Readonly<Record<string, Mesh>>,
): Promise<HostCheck> {
  const requests = environmentRequests(plan)
  const ofPlatform = await Promise.all(requests.map((request) => platform.check(request)))
  const ofMeshes: Unmet[] = []
  let leavesArms = false
  for (const request of requests) {
    const subjects = request.arms.filter(({ role }) => role === 'subject')
    for (const name of new Set(subjects.map(({ mesh }) => mesh))) {
      const unmet = (await meshes[name]?.check(request)) ?? []
      if (unmet.length === 0) leavesArms = true
      ofMeshes.push(...unmet)
    }
  }
  const programs = await missingPrograms(plan)
  return { platform: distinct([...ofPlatform.flat(), ...programs]), meshes: distinct(ofMeshes), leavesArms }
}

function distinct(unmet: readonly Unmet[]): readonly Unmet[] {
  return [...new Map(unmet.map((one) => [JSON.stringify(one), one])).values()]
}

/**
 * Runs what the plan has left to run. Rejects only for what is no result: a journal that cannot be written, or a bug.
 */
export async function executePlan(options: RunOptions): Promise<RunOutcome> {
  const { runId, signal, display, journal } = options
  const entries = [...options.entries]
  const append = (entry: JournalEntry) => {
    journal.append(entry)
    entries.push(entry)
  }
  const stateDir = await createStateDir(runId)
  const { evidenceDir } = options
  const scope = openScope({ runId, stateDir, signal, ...(evidenceDir === undefined ? {} : { evidenceDir }) })
  scope.defer('remove keys and configs', () => rm(stateDir, { recursive: true, force: true }))
  let end: Omit<RunOutcome, 'cleanupProblems'>
  try {
    end = await measureEnvironments({ ...options, entries, append, scope })
  } catch (error) {
    await scope.close()
    throw error
  }
  display.clear()
  const cleanupProblems = await scope.close()
  for (const problem of cleanupProblems)
    append({ type: 'note', at: now(), text: `could not clean up: ${problem}` })
  append({
    type: 'end',
    at: now(),
    outcome: end.outcome,
    ...(end.message === undefined ? {} : { message: end.message }),
  })
  return { ...end, cleanupProblems }
}

interface Session extends RunOptions {
  readonly entries: JournalEntry[]
  readonly append: (entry: JournalEntry) => void
  readonly scope: OpenScope
}

async function measureEnvironments(session: Session): Promise<Omit<RunOutcome, 'cleanupProblems'>> {
  const { plan, signal } = session
  const state: Progressed = { precise: false, budget: false, ended: new Set(), elapsedMs: new Map() }
  const failures: string[] = []
  for (const visit of visitsOf(plan)) {
    const { request } = visit
    if (state.ended.has(request.id)) continue
    const todo = trialsLeft(session, visit)
    if (todo.length === 0) continue
    if (signal.aborted) break
    const failure = await measureEnvironment(session, request, todo, state)
    if (failure === undefined) continue
    failures.push(failure)
    state.ended.add(request.id)
  }
  if (signal.aborted) return { outcome: 'interrupted' }
  if (failures.length > 0) return { outcome: 'failed', message: failures.join('\n') }
  if (state.precise) return { outcome: 'precise' }
  return { outcome: state.budget ? 'budget' : 'complete' }
}

/** How far a run has come, over all stays in its environments. */
interface Progressed {
  /** Some environment was left because more rounds would tell no more. */
  precise: boolean
  /** Some environment was left because its time was over. */
  budget: boolean
  /** Environments that are not visited again. */
  readonly ended: Set<string>
  /** Time spent measuring in each. */
  readonly elapsedMs: Map<string, number>
}

/** Returns why the environment could not be measured to its end, if so. */
async function measureEnvironment(
  session: Session,
  request: EnvironmentRequest,
  todo: readonly TrialSpec[],
  state: Progressed,
): Promise<string | undefined> {
  const { platform, meshes, display, append, signal } = session
  const scope = childScope(session.scope, `take ${request.id} down`)
  try {
    const environment = await createEnvironment({ request, platform, meshes, scope, progress: display })
    append({
      type: 'environment',
      environment: request.id,
      at: now(),
      facts: environment.facts,
      components: environment.components,
      proofs: environment.proofs,
      failures: environment.failures,
    })
    display.clear()
    for (const [arm, failure] of Object.entries(environment.failures)) {
      display.line(`! ${arm} is left out: ${failure.message}`)
    }
    return await measureRounds(session, environment, request, todo, state)
  } catch (error) {
    if (signal.aborted) return undefined
    if (error instanceof UserError && error.exitCode === exitCodes.runFailed) throw error
    const failure = describeFailure('environment-failed', error)
    append({
      type: 'note',
      at: now(),
      text: `${request.id}: ${failure.message}\n${failure.detail ?? ''}`.trim(),
    })
    return `${request.id}: ${failure.message}`
  } finally {
    const problems = await scope.close()
    for (const problem of problems)
      append({ type: 'note', at: now(), text: `could not clean up: ${problem}` })
  }
}

async function measureRounds(
  session: Session,
  environment: Environment,
  request: EnvironmentRequest,
  todo: readonly TrialSpec[],
  state: Progressed,
): Promise<string | undefined> {
  const { plan, display, append, entries, signal } = session
  const cells = new Map(plan.cells.map((cell) => [cell.id, cell]))
  const clock = createClock(todo, cells, session.platform.times)
  const { min, budgetMinutes } = plan.config.rounds
  const spentBefore = state.elapsedMs.get(request.id) ?? 0
  let lastRound = todo[0]?.round ?? 0
  const announced = new Set<string>()
  for (const [position, spec] of todo.entries()) {
    if (signal.aborted) return undefined
    const cell = cells.get(spec.cell)
    const arm = request.arms.find(({ id }) => id === cell?.arm)
    const path = request.paths.find(({ name }) => name === arm?.path)
    if (!cell || !arm || !path) throw new Error(`the plan names an unknown cell: ${spec.cell}`)
    if (spec.round !== lastRound) {
      lastRound = spec.round
      if (spec.round >= min && session.precisionReached(entries)) {
        state.precise = true
        state.ended.add(request.id)
        return undefined
      }
      if (spec.round >= min && spentBefore + clock.elapsedMs() > budgetMinutes * 60_000) {
        state.budget = true
        state.ended.add(request.id)
        return undefined
      }
    }
    const planned = planTrial(cell, entries)
    if (!planned) {
      clock.skip(cell)
      continue
    }
    const total = todo.length
    const status = { done: position, total, round: spec.round + 1, rounds: roundsOf(plan), arm: arm.id }
    display.status({ ...status, leftMs: clock.leftMs(position) })
    const trials = await measureTrial(session, environment, { spec, cell: planned, arm, path }, (progress) =>
      display.status({ ...status, ...progress, leftMs: clock.leftMs(position) }),
    )
    for (const trial of trials) append(trial)
    clock.done(cell)
    state.elapsedMs.set(request.id, spentBefore + clock.elapsedMs())
    for (const trial of trials.filter((one) => one.state === 'failed' && !isInterrupted(one))) {
      const again = trial === trials.at(-1) ? '' : ' (once more)'
      display.clear()
      const message = trial.error?.message ?? 'failed'
      // A dead hop fails every trial that follows in the same words: once is enough.
      if (announced.has(`${arm.id} ${message}`) || environment.failures[arm.id]) continue
      announced.add(`${arm.id} ${message}`)
      display.line(`! round ${spec.round + 1}, ${arm.id}: ${message}${again}`)
    }
    const last = trials.at(-1)
    if (last?.state === 'failed' && !isInterrupted(last)) {
      if (request.arms.every(({ id }) => environment.health(id) !== undefined)) {
        return `no arm of ${request.id} is left alive: ${last.error?.message ?? ''}`
      }
    }
  }
  return undefined
}

/** The cell with the rate that its search asks for next; undefined when the search is over. */
function planTrial(cell: Cell, entries: readonly JournalEntry[]): Cell | undefined {
  if (!cell.search) return cell
  const trials = trialsOf(entries).filter((trial) => trial.cell === cell.id)
  const ratePerSecond = nextRate(cell, trials)
  return ratePerSecond === undefined ? undefined : { ...cell, load: { ...cell.load, ratePerSecond } }
}

/** One trial, and once more when it was invalid or its generator died: both are kept. */
async function measureTrial(
  session: Session,
  environment: Environment,
  what: { spec: TrialSpec; cell: Cell; arm: Arm; path: Path },
  onProgress: Parameters<typeof runTrial>[0]['onProgress'],
): Promise<readonly Trial[]> {
  const { config } = session.plan
  const trials: Trial[] = []
  let again = true
  for (let attempt = nextAttempt(what.spec.index, trialsOf(session.entries)); again; attempt++) {
    const trial = await runTrial({
      ...what,
      environment,
      attempt,
      seed: config.seed + what.spec.round,
      limits: config.validity,
      maxStreamsPerConnection: maxStreams(settingsOf(config, what.arm)),
      signal: session.signal,
      onProgress,
    })
    trials.push(trial)
    again = isRepeated(trial) && !session.signal.aborted
  }
  return trials
}

/** A tunnel that does not multiplex opens a connection for each of the client's. */
function maxStreams(settings: Readonly<Record<string, unknown>>): number {
  const tunnel = settings.tunnel as
    { pool?: { maxStreamsPerConnection?: unknown; multiplex?: unknown } } | undefined
  const { maxStreamsPerConnection: value, multiplex } = tunnel?.pool ?? {}
  if (multiplex === false) return 1
  return typeof value === 'number' ? value : 100
}

/** Planned trials of a stay without those that the journal has to their last attempt. */
function trialsLeft({ plan, entries }: Session, { trials }: Visit): readonly TrialSpec[] {
  const done = settledTrials(trialsOf(entries))
  // A search that is over leaves the rest of its trials out: there may be nothing left to bring an environment up for.
  const found = new Set(plan.cells.filter((cell) => !planTrial(cell, entries)).map(({ id }) => id))
  return trials.filter(({ index, cell }) => !done.has(index) && !found.has(cell))
}

function trialsOf(entries: readonly JournalEntry[]): readonly Trial[] {
  return entries.filter((entry) => entry.type === 'trial')
}

function roundsOf(plan: Plan): number {
  return 1 + Math.max(0, ...plan.order.map(({ round }) => round))
}

/** Time left, from the plan's expectation and from how the trials so far compared with it. */
function createClock(todo: readonly TrialSpec[], cells: ReadonlyMap<string, Cell>, times: PlatformTimes) {
  const begin = performance.now()
  const expected = todo.map(({ cell }) => trialMs(cells.get(cell)?.load, times))
  let total = expected.reduce((sum, ms) => sum + ms, 0)
  let expectedDone = 0
  return {
    elapsedMs: () => performance.now() - begin,
    done: (cell: Cell) => void (expectedDone += trialMs(cell.load, times)),
    skip: (cell: Cell) => void (total -= trialMs(cell.load, times)),
    leftMs(position: number) {
      // The first trials say little of the pace.
      const pace = position < 3 ? 1 : (performance.now() - begin) / Math.max(1, expectedDone)
      return (total - expectedDone) * pace
    },
  }
}

function now(): string {
  return new Date().toISOString()
}
