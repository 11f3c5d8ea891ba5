/** Runs one trial: generator up, counters at the window's edges, proof of path, verdict on its validity. */
import { setTimeout as sleep } from 'node:timers/promises'
import { awaitDeath, causeOf } from './attribution.js'
import { loadCommand, parseEvent } from '../load/generator.js'
import { defined } from '../model/defined.js'
import { copiesFor, copyId } from '../model/plan.js'
import type {
  Arm,
  Cell,
  Component,
  Edge,
  Endpoint,
  Environment,
  HopCounter,
  LoadResult,
  Path,
  ProofCheck,
  Running,
  Trial,
  TrialError,
  TrialEvent,
  TrialSpec,
  ValidityLimits,
} from '../model.js'
import { judgeTrial } from './proof.js'
import type { Standstill } from '../process/standstill.js'
import { copyIds, fold } from './script/copies.js'
import { endedBy, readyScript, type ReadyScript } from './script/play.js'
import { billWindow, halfRead, onePerProcess } from './usage.js'
import { judgeProbe, judgeValidity } from './validity.js'

/** How a trial is going, for the progress display. */
export interface TrialProgress {
  readonly ratePerSecond: number
  readonly p99Us?: number
}

export interface TrialOptions {
  readonly environment: Environment
  readonly spec: TrialSpec
  readonly cell: Cell
  readonly arm: Arm
  readonly path: Path
  readonly attempt: number
  readonly seed: number
  readonly limits: ValidityLimits
  readonly maxStreamsPerConnection: number
  readonly signal: AbortSignal
  readonly standstill: Pick<Standstill, 'totalMs' | 'nowMs'>
  readonly onProgress: (progress: TrialProgress) => void
}

/** Time beyond warm-up and window after which a generator that does not end is given up. */
const graceMs = 20_000
/** How often the arm's processes are looked at while the generator runs. */
const healthIntervalMs = 200

/** Never rejects for what happens to the arm or the generator: that is a failed trial, with the reason. */
export async function runTrial(options: TrialOptions): Promise<Trial> {
  const startedAt = new Date()
  const begin = performance.now()
  const finish = (rest: Partial<Trial> & Pick<Trial, 'state'>): Trial => ({
    type: 'trial',
    index: options.spec.index,
    round: options.spec.round,
    cell: options.cell.id,
    attempt: options.attempt,
    ...defined({ ratePerSecond: options.cell.search && options.cell.load.ratePerSecond }),
    startedAt: startedAt.toISOString(),
    elapsedMs: Math.round(performance.now() - begin),
    proof: [],
    reasons: [],
    warnings: [],
    ...rest,
  })
  const { environment, arm, cell, standstill } = options
  const { script = [] } = cell
  const stoodMs = standstill.totalMs()
  // What the script ends is meant to end; before and after its trial the arm has to be whole.
  const ended = endedBy(script, environment, arm)
  const copies = copyIds(cell, options.path)
  const healthOf = (except?: ReadonlySet<string>) =>
    [arm.id, ...copies].map((id) => environment.health(id, except)).find((failure) => failure !== undefined)
  const look = () => healthOf(ended)
  environment.beginTrial()
  const patience = { withinMs: environment.deathNoticedMs, signal: options.signal }
  const dead = healthOf()
  if (dead) return finish({ state: 'failed', error: dead })

  const before = await environment.read({ counters: true, usage: false })
  const outcome = await driveLoad(options, look)
  if ('error' in outcome)
    return finish({ state: 'failed', error: await causeOf(outcome.error, look, patience) })
  const after = await environment.read({ counters: true, usage: false })

  const { result, start, end, events } = outcome
  const billed = onePerProcess(environment.components, arm.id)
  const usage = billWindow(billed, start, end, result, events)
  const proof = proofOf(options, copies, { before, after }, outcome)
  // Of a search and of a script, requests that failed are findings.
  const mayFail = cell.search !== undefined || script.length > 0
  const { warnings, reasons: spoilt } = mayFail
    ? judgeProbe(result, usage, options.limits)
    : judgeValidity(cell.load, result, usage, options.limits)
  const isCharged = ({ name, arm: of, category }: Component) =>
    !ended.has(name) && (of === undefined ? category !== 'platform' : of === arm.id || copies.includes(of))
  const unread = halfRead(billed.filter(isCharged), start, end)
  const reasons = [...stoodStill(standstill.totalMs() - stoodMs), ...unread.map(unreadReason), ...spoilt]
  // A request that failed may have got as far as any hop: counters then prove nothing about the path.
  const allAnswered = [result, ...secondLoadsOf(events)].every(({ sent, ok }) => sent === ok)
  const countable = ended.size === 0 && (!mayFail || allAnswered)
  const refused = countable ? proof.filter(({ ok }) => !ok) : []
  // A hop that dies late in its trial shows first by what cannot be counted.
  if (refused.length > 0 || Object.keys(before.counters).some((name) => !(name in after.counters))) {
    const death = await awaitDeath(look, patience)
    if (death) return finish({ state: 'failed', error: death })
  }
  const moved = (counter: HopCounter) =>
    movedOf(counter, arm, environment.components, before.counters, after.counters)
  const tlsHandshakes = moved('tlsHandshakesClient')
  const tlsResumptions = moved('tlsResumptionsClient')
  const measured = {
    load: result,
    usage,
    ...defined({ events: script.length === 0 ? undefined : events, tlsHandshakes, tlsResumptions }),
    proof,
    reasons,
    warnings,
  }
  const error = failureOf(reasons.length === 0 ? refused : [], events)
  if (error) return finish({ ...measured, state: 'failed', error })
  return finish({ ...measured, state: reasons.length > 0 ? 'invalid' : 'ok' })
}

/** Edges of a window that were read late hold what nobody asked for. */
function stoodStill(ms: number): readonly string[] {
  return ms > 0
    ? [`Meshbench stood still for ${(ms / 1000).toFixed(1)} s (stopped, asleep, or its clock was set)`]
    : []
}

const unreadReason = (name: string) => `the usage of ${name} could be read at one edge of the window alone`

/** What every hop of the arm carried, its copies in use counted in, against what all generators of the trial sent. */
function proofOf(
  options: TrialOptions,
  copies: readonly string[],
  { before, after }: { readonly before: Edge; readonly after: Edge },
  { result, events }: Exclude<Outcome, { readonly error: TrialError }>,
): readonly ProofCheck[] {
  const { environment, arm, path, cell, maxStreamsPerConnection } = options
  const second = secondLoadsOf(events)
  const sumOf = (key: 'allSent' | 'connectionsOpened') => second.reduce((sum, load) => sum + load[key], 0)
  const folded = fold(environment.components, [before.counters, after.counters], copies)
  return judgeTrial({
    ...{ arm, path, maxStreamsPerConnection },
    load: cell.load,
    carriers: targetsOf(options).length,
    traffic: {
      requests: result.warmupSent + result.sent + sumOf('allSent'),
      uncounted: result.uncounted ?? 0,
      connections: result.connectionsOpened + sumOf('connectionsOpened'),
    },
    components: folded.components,
    before: folded.edges[0] ?? {},
    after: folded.edges[1] ?? {},
  })
}

const secondLoadsOf = (events: readonly TrialEvent[]) => events.flatMap(({ load }) => load ?? [])

/** Why a trial that was measured to its end failed all the same: its path is not proved, or its script was not carried out. */
function failureOf(refused: readonly ProofCheck[], events: readonly TrialEvent[]): TrialError | undefined {
  const [first] = refused
  if (first) {
    const message = `${first.name}: expected ${first.expected}, saw ${first.actual}`
    return { kind: 'proof-failed', message }
  }
  const undone = events.find(({ kind, problem }) => problem !== undefined && kind !== 'await')
  return undone && { kind: 'script-failed', message: `${undone.action}: ${undone.problem}` }
}

/** By how much a counter of the arm's hops moved between two readings, summed; undefined where no hop has it. */
function movedOf(
  counter: HopCounter,
  arm: Arm,
  components: readonly Component[],
  before: Edge['counters'],
  after: Edge['counters'],
): number | undefined {
  const moved = components
    .filter((component) => component.arm === arm.id && component.hop !== undefined)
    .flatMap(({ name }) => {
      const last = after[name]?.[counter]
      return last === undefined ? [] : [last - (before[name]?.[counter] ?? 0)]
    })
  return moved.length === 0 ? undefined : moved.reduce((sum, count) => sum + Math.max(0, count), 0)
}

type Outcome =
  | {
      readonly result: LoadResult
      readonly start: Edge
      readonly end: Edge
      readonly events: readonly TrialEvent[]
    }
  | { readonly error: TrialError }

type Look = () => TrialError | undefined

async function driveLoad(options: TrialOptions, look: Look): Promise<Outcome> {
  const { environment, arm, cell, seed, signal } = options
  const [endpoint, ...further] = targetsOf(options)
  if (!endpoint) return { error: { kind: 'not-ready', message: `${arm.id} has no endpoint` } }
  const script = readyScript(cell.script ?? [], { environment, arm, seed, signal })
  const running = environment.exec(arm.id, loadCommand(cell.load, endpoint, seed, further))

  let stopped: TrialError | undefined
  const stop = (error: TrialError) => {
    stopped ??= error
    running.kill('SIGKILL')
  }
  const watch = watchArm(options, running, look, stop)
  const onAbort = () => stop({ kind: 'interrupted', message: 'interrupted' })
  signal.addEventListener('abort', onAbort, { once: true })
  if (signal.aborted) onAbort()
  try {
    return await followEvents(options, { running, look, stopped: () => stopped, ended: watch.signal, script })
  } finally {
    watch.abort()
    signal.removeEventListener('abort', onAbort)
    running.kill('SIGKILL')
    await running.exited
    await script.close()
  }
}

/** Where each workload is reached, the arm's own first; one alone where all share what carries them. */
function targetsOf({ environment, arm, cell, path }: TrialOptions): readonly Endpoint[] {
  const copies = copiesFor(cell, path).filter((which) => which !== 'spare')
  const ids = [...(cell.units ? [] : [arm.id]), ...copies.map((which) => copyId(arm.id, which))]
  return ids.flatMap((id) => environment.raised[id]?.endpoint ?? [])
}

/** Reads the generator's events to the end, taking the counters at the edges. */
async function followEvents(
  options: TrialOptions,
  {
    running,
    look,
    stopped,
    ended,
    script,
  }: {
    running: Running
    look: Look
    stopped: Look
    /** Aborted when the generator is no more. */
    ended: AbortSignal
    script: ReadyScript
  },
): Promise<Outcome> {
  const { environment, onProgress } = options
  let played: Promise<readonly TrialEvent[]> = Promise.resolve([])
  let over = () => {}
  const isOver = new Promise<void>((resolve) => (over = resolve))
  ended.addEventListener('abort', over, { once: true })
  const edges: { start?: Edge; end?: Edge } = {}
  let result: LoadResult | undefined
  let failure: TrialError | undefined
  try {
    for await (const line of running.lines) {
      const event = parseEvent(line)
      switch (event.event) {
        case 'edge':
          // The window ends when its load has, and not before its script.
          if (event.edge === 'end') {
            over()
            await played
          }
          edges[event.edge] = await environment.read({ counters: false, usage: true })
          running.write('go\n')
          if (event.edge === 'start') played = script.play(ended, isOver)
          break
        case 'progress':
          onProgress({
            ratePerSecond: event.elapsedMs > 0 ? (event.sent / event.elapsedMs) * 1000 : 0,
            ...defined({ p99Us: event.p99Us }),
          })
          break
        case 'result':
          result = event.result
          break
        case 'error':
          failure = { kind: event.kind, message: event.message }
          break
        default:
          break
      }
    }
  } catch (error) {
    failure = { kind: 'generator-output', message: error instanceof Error ? error.message : String(error) }
    running.kill('SIGKILL')
  }
  const end = await running.exited
  const stop = stopped()
  if (stop) return { error: stop }
  // A hop that dies takes the generator's requests with it, whatever was made of the rest.
  const dead = look()
  if (dead) return { error: dead }
  if (failure) return { error: { ...failure, detail: end.tail } }
  if (!result || !edges.start || !edges.end) {
    const how = end.signal ? `was ended by ${end.signal}` : `exited with code ${end.code ?? 'unknown'}`
    return {
      error: { kind: 'generator-died', message: `the generator ${how} before its result`, detail: end.tail },
    }
  }
  return { result, start: edges.start, end: edges.end, events: await played }
}

/** Stops the generator when the arm dies under it, or when it takes far too long. */
function watchArm(
  options: TrialOptions,
  running: Running,
  look: Look,
  stop: (error: TrialError) => void,
): AbortController {
  const { cell, standstill } = options
  const { warmupMs, durationMs, timeoutMs } = cell.load
  const limitMs = warmupMs + durationMs + timeoutMs + graceMs
  const ended = new AbortController()
  void running.exited.then(() => ended.abort())
  void (async () => {
    const deadline = standstill.nowMs() + limitMs
    while (!ended.signal.aborted) {
      const dead = look()
      if (dead) return stop(dead)
      if (standstill.nowMs() > deadline)
        return stop({ kind: 'generator-stuck', message: `the generator did not end within ${limitMs} ms` })
      await sleep(healthIntervalMs, undefined, { signal: ended.signal }).catch(() => undefined)
    }
  })()
  return ended
}
