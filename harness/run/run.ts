/** Executes a plan: environments up, rounds of trials, one journal line each, everything down again. */
import { isInterrupted, isRepeated, nextAttempt, settledTrials } from '../model/attempts.js'
import { createEnvironment, describeFailure } from './environment.js'
import { defined } from '../model/defined.js'
import { UserError, exitCodes } from '../model/errors.js'
import { childScope, openScope, type OpenScope } from '../process/scope.js'
import { createStateDir } from '../process/state.js'
import { rm } from 'node:fs/promises'
import type { Display } from './display.js'
import { createRunningMedians } from './running-medians.js'
import { missingPrograms } from '../load/choice.js'
import { readRoom, unmetRoom } from '../process/host-room.js'
import type { RunJournal } from './journal.js'
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
import { changedPrograms } from '../model/journal.js'
import { carriedPath } from '../model/paths.js'
import { roundsOf } from '../model/plan.js'
import { environmentRequests, trialMs, visitsOf, type Visit } from '../plan/plan.js'
import { runTrial, type TrialProgress } from './trial.js'
import { watchStandstill, type Clocks, type Standstill } from '../process/standstill.js'
import { remedyOf, topReason } from '../analyze/trust/reasons.js'
import { nextRate } from '../analyze/cells/knees.js'
import { settingsOf } from '../model/variants.js'

export interface RunOptions {
  readonly plan: Plan
  readonly runId: string
  readonly platform: Platform
  readonly meshes: Readonly<Record<string, Mesh>>
  /** Holds the header already, and on resume everything that was measured before. */
  readonly journal: RunJournal
  readonly display: Display
  readonly signal: AbortSignal
  /** Decides after a round whether more would tell more; see harness/analyze/precision.ts. */
  readonly precisionReached: (entries: readonly JournalEntry[]) => boolean
  /** Default: those of the system. */
  readonly clocks?: Clocks
  /** Where evidence of failures is kept. */
  readonly evidenceDir?: string
  /** Folder of the run's keys and configs; default: it is made. It goes with the run. */
  readonly stateDir?: string
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
      const unmet = (await meshes[name]?.check(request, platform)) ?? []
      if (unmet.length === 0) leavesArms = true
      ofMeshes.push(...unmet)
    }
  }
  const programs = await missingPrograms(plan)
  const room = unmetRoom(plan, platform, readRoom())
  return {
    platform: distinct([...ofPlatform.flat(), ...programs, ...room]),
    meshes: distinct(ofMeshes),
    leavesArms,
  }
}

const distinct = (unmet: readonly Unmet[]) => [
  ...new Map(unmet.map((need) => [JSON.stringify(need), need])).values(),
]

/**
 * Runs what the plan has left to run. Rejects only for what is no result: a journal that cannot be written, or a bug.
 */
export async function executePlan(options: RunOptions): Promise<RunOutcome> {
  const { runId, signal, display, journal, evidenceDir } = options
  const { stateDir = await createStateDir(runId) } = options
  const scope = openScope({ runId, stateDir, signal, ...defined({ evidenceDir }) })
  scope.defer('remove keys and configs', () => rm(stateDir, { recursive: true, force: true }))
  const standstill = watchStandstill(options.clocks)
  scope.defer('stop the watch', () => standstill.stop())
  let end: Omit<RunOutcome, 'cleanupProblems'>
  try {
    end = await measureEnvironments({ ...options, scope, standstill })
  } catch (error) {
    await scope.close()
    throw error
  }
  display.clear()
  const cleanupProblems = await scope.close()
  for (const problem of cleanupProblems) journal.note(`could not clean up: ${problem}`)
  journal.append({ type: 'end', at: now(), ...end })
  return { ...end, cleanupProblems }
}

interface Session extends RunOptions {
  readonly scope: OpenScope
  readonly standstill: Standstill
}

/** Why measuring in an environment ended: for this stay when it is `done`, otherwise for good. */
type StayEnd =
  | { readonly why: 'done' | 'precise' | 'budget' | 'interrupted' }
  | { readonly why: 'failed'; readonly message: string }
type Stay = StayEnd & { readonly measuredMs: number }

async function measureEnvironments(session: Session): Promise<Omit<RunOutcome, 'cleanupProblems'>> {
  const { plan, signal } = session
  /** Environments that are not visited again. */
  const ended = new Map<string, StayEnd>()
  /** Time spent measuring in each, over all stays. */
  const spentMs = new Map<string, number>()
  const visits = visitsOf(plan)
  for (const [index, visit] of visits.entries()) {
    const { id } = visit.request
    const todo = trialsLeft(session, visit)
    if (ended.has(id) || todo.length === 0) continue
    if (signal.aborted) break
    const before = spentMs.get(id) ?? 0
    const budgetMs = plan.config.rounds.budgetMinutes * 60_000 - before
    const stay = await measureEnvironment(session, visit.request, todo, budgetMs)
    spentMs.set(id, before + stay.measuredMs)
    const next = visits.slice(index + 1).find(({ request }) => request.id === id)?.trials[0]
    const leftMs = budgetMs - stay.measuredMs
    const end = stay.why === 'done' ? next && endBefore(next.round, session, visit.request, leftMs) : stay
    if (end) ended.set(id, end)
  }
  if (signal.aborted) return { outcome: 'interrupted' }
  const ends = [...ended.values()]
  const failures = ends.filter((end) => end.why === 'failed')
  if (failures.length > 0)
    return { outcome: 'failed', message: failures.map(({ message }) => message).join('\n') }
  if (ends.some(({ why }) => why === 'precise')) return { outcome: 'precise' }
  return { outcome: ends.some(({ why }) => why === 'budget') ? 'budget' : 'complete' }
}

async function measureEnvironment(
  session: Session,
  request: EnvironmentRequest,
  todo: readonly TrialSpec[],
  budgetMs: number,
): Promise<Stay> {
  const { platform, meshes, display, journal, signal } = session
  const scope = childScope(session.scope, `take ${request.id} down`)
  try {
    const environment = await createEnvironment({ request, platform, meshes, scope, progress: display })
    const { facts, components, proofs, failures, builds, unbilled } = environment
    refuseOtherPrograms(journal.entries, environment)
    journal.append({
      ...{ type: 'environment', environment: request.id, at: now() },
      ...{ facts, components, proofs, failures, builds },
    })
    display.clear()
    if (unbilled.length > 0) {
      const problem = `not on the bill, since their usage cannot be read: ${unbilled.join(', ')}`
      journal.note(problem)
      display.line(`! ${problem}`)
    }
    for (const [arm, failure] of Object.entries(failures))
      display.line(`! ${arm} is left out: ${failure.message}`)
    const begin = session.standstill.nowMs()
    const end = await measureRounds(session, environment, request, todo, budgetMs)
    return { ...end, measuredMs: session.standstill.nowMs() - begin }
  } catch (error) {
    if (signal.aborted) return { why: 'interrupted', measuredMs: 0 }
    if (error instanceof OtherPrograms) throw error
    if (error instanceof UserError && error.exitCode === exitCodes.runFailed) throw error
    const failure = describeFailure('environment-failed', error)
    const message = `${request.id}: ${failure.message}`
    journal.note(`${message}\n${failure.detail ?? ''}`.trim())
    return { why: 'failed', message, measuredMs: 0 }
  } finally {
    for (const problem of await scope.close()) {
      journal.note(`could not clean up: ${problem}`)
      display.line(`! could not clean up: ${problem}`)
    }
  }
}

class OtherPrograms extends UserError {}

/** A run measures one build of each program: one that goes on must find those that it began with. */
function refuseOtherPrograms(entries: readonly JournalEntry[], environment: Environment): void {
  const before = entries.findLast(
    (entry) => entry.type === 'environment' && entry.environment === environment.id,
  )
  const changed = before?.type === 'environment' ? changedPrograms(before, environment) : []
  if (changed.length > 0)
    throw new OtherPrograms(
      `other programs are installed than this run was begun with: ${changed.join('; ')}`,
      { hint: 'a run measures one build; put it back, or start a new run' },
    )
}

async function measureRounds(
  session: Session,
  environment: Environment,
  request: EnvironmentRequest,
  todo: readonly TrialSpec[],
  budgetMs: number,
): Promise<StayEnd> {
  const { plan, display, journal, signal } = session
  const cells = new Map(plan.cells.map((cell) => [cell.id, cell]))
  const clock = createClock(todo, cells, session.platform.times, session.standstill)
  const tellFailures = createTeller(display, environment)
  const medians = createRunningMedians()
  const spoiled: Trial[] = []
  let lastRound = todo[0]?.round ?? 0
  for (const [position, spec] of todo.entries()) {
    if (signal.aborted) return { why: 'interrupted' }
    if (spec.round !== lastRound) {
      lastRound = spec.round
      const end = endBefore(spec.round, session, request, budgetMs - clock.elapsedMs())
      if (end) return end
    }
    const what = findTrial(spec, cells, request)
    const cell = planTrial(what.cell, journal)
    if (!cell) {
      clock.skip(what.cell)
      continue
    }
    const top = topReason(spoiled)
    const counted = {
      medians: medians.rows(),
      ...defined({ invalid: top && { count: spoiled.length, reason: top.text } }),
      done: position,
      total: todo.length,
      round: spec.round + 1,
      rounds: roundsOf(plan),
    }
    const show = (progress: Partial<TrialProgress>) =>
      display.status({ ...counted, arm: what.arm.id, ...progress, leftMs: clock.leftMs(position) })
    show({})
    const trials = await measureTrial(session, environment, { ...what, cell }, show)
    for (const trial of trials) journal.append(trial)
    // Probes of a search are sent at rates of their own: a median over them would be of nothing.
    if (!what.cell.search) medians.add(what.arm, what.cell.loadLabel, trials)
    clock.done(what.cell)
    tellFailures(what.arm, trials)
    spoiled.push(...trials.filter(({ state }) => state === 'invalid'))
    const last = trials.at(-1)
    const isLost = request.arms.every(({ id }) => environment.health(id) !== undefined)
    if (last?.state === 'failed' && !isInterrupted(last) && isLost)
      return { why: 'failed', message: `no arm of ${request.id} is left alive: ${last.error?.message ?? ''}` }
  }
  return { why: 'done' }
}

/** Why this round of an environment does not begin, nor any after it; undefined: it does. */
function endBefore(
  round: number,
  { plan, journal, precisionReached }: Session,
  { arms }: EnvironmentRequest,
  leftMs: number,
): StayEnd | undefined {
  const ids = new Set(arms.map(({ id }) => id))
  const own = new Set(plan.cells.filter(({ arm }) => ids.has(arm)).map(({ id }) => id))
  const hopeless = allInvalid(journal.trials.filter(({ cell }) => own.has(cell)))
  if (hopeless !== undefined) return { why: 'failed', message: hopeless }
  if (round < plan.config.rounds.min) return undefined
  if (precisionReached(journal.entries)) return { why: 'precise' }
  return leftMs < 0 ? { why: 'budget' } : undefined
}

/** Rounds that must all be wholly invalid before a run gives up: one may have met a passing disturbance. */
const spoiledRounds = 2

/** Why going on is no use: the first rounds have no valid trial, each for a reason of the host or the load. */
function allInvalid(trials: readonly Trial[]): string | undefined {
  const rounds = new Set(trials.map(({ round }) => round))
  if (rounds.size !== spoiledRounds || trials.some(({ state }) => state !== 'invalid')) return undefined
  const top = topReason(trials)
  if (!top) return undefined
  const remedy = remedyOf(top.text)
  return `none of the ${trials.length} trials of the first ${spoiledRounds} rounds is valid; ${top.count} times: ${top.text}${remedy === undefined ? '' : `. What to do: ${remedy}`}`
}

interface PlannedTrial {
  readonly spec: TrialSpec
  readonly cell: Cell
  readonly arm: Arm
  readonly path: Path
}

function findTrial(
  spec: TrialSpec,
  cells: ReadonlyMap<string, Cell>,
  { arms, paths }: EnvironmentRequest,
): PlannedTrial {
  const cell = cells.get(spec.cell)
  const arm = arms.find(({ id }) => id === cell?.arm)
  const path = paths.find(({ name }) => name === arm?.path)
  if (!cell || !arm || !path) throw new Error(`the plan names an unknown cell: ${spec.cell}`)
  return { spec, cell, arm, path: carriedPath(arm, path) }
}

/** Tells of failed trials, but once only of what fails every trial that follows in the same words, as a dead hop does. */
function createTeller(display: Display, { failures }: Environment) {
  const told = new Set<string>()
  return (arm: Arm, trials: readonly Trial[]) => {
    for (const trial of trials) {
      if (trial.state !== 'failed' || isInterrupted(trial)) continue
      display.clear()
      const message = trial.error?.message ?? 'failed'
      if (told.has(`${arm.id} ${message}`) || failures[arm.id]) continue
      told.add(`${arm.id} ${message}`)
      const again = trial === trials.at(-1) ? '' : ' (once more)'
      display.line(`! round ${trial.round + 1}, ${arm.id}: ${message}${again}`)
    }
  }
}

/** The cell with the rate that its search asks for next; undefined when the search is over. */
function planTrial(cell: Cell, journal: RunJournal): Cell | undefined {
  if (!cell.search) return cell
  const trials = journal.trials.filter((trial) => trial.cell === cell.id)
  const ratePerSecond = nextRate(cell, trials)
  return ratePerSecond === undefined ? undefined : { ...cell, load: { ...cell.load, ratePerSecond } }
}

/** One trial, and once more when it was invalid or its generator died: both are kept. */
async function measureTrial(
  session: Session,
  environment: Environment,
  what: PlannedTrial,
  onProgress: (progress: TrialProgress) => void,
): Promise<readonly Trial[]> {
  const { config } = session.plan
  const trials: Trial[] = []
  let again = true
  for (let attempt = nextAttempt(what.spec.index, session.journal.trials); again; attempt++) {
    const trial = await runTrial({
      ...what,
      environment,
      attempt,
      seed: config.seed + what.spec.round,
      limits: config.validity,
      maxStreamsPerConnection: maxStreams(settingsOf(config, what.arm)),
      signal: session.signal,
      standstill: session.standstill,
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
function trialsLeft({ plan, journal }: Session, { trials }: Visit): readonly TrialSpec[] {
  const done = settledTrials(journal.trials)
  // A search that is over leaves the rest of its trials out: there may be nothing left to bring an environment up for.
  const found = new Set(plan.cells.filter((cell) => !planTrial(cell, journal)).map(({ id }) => id))
  return trials.filter(({ index, cell }) => !done.has(index) && !found.has(cell))
}

/** Time left, from the plan's expectation and from how the trials so far compared with it. */
function createClock(
  todo: readonly TrialSpec[],
  cells: ReadonlyMap<string, Cell>,
  times: PlatformTimes,
  standstill: Standstill,
) {
  const nowMs = () => standstill.nowMs()
  const begin = nowMs()
  const expected = todo.map(({ cell }) => trialMs(cells.get(cell)?.load, times))
  let total = expected.reduce((sum, ms) => sum + ms, 0)
  let expectedDone = 0
  return {
    elapsedMs: () => nowMs() - begin,
    done: (cell: Cell) => void (expectedDone += trialMs(cell.load, times)),
    skip: (cell: Cell) => void (total -= trialMs(cell.load, times)),
    leftMs(position: number) {
      // The first trials say little of the pace.
      const pace = position < 3 ? 1 : (nowMs() - begin) / Math.max(1, expectedDone)
      return (total - expectedDone) * pace
    },
  }
}

function now(): string {
  return new Date().toISOString()
}
