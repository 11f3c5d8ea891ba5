/** Runs one trial: generator up, counters at the window's edges, proof of path, verdict on its validity. */
import { setTimeout as sleep } from 'node:timers/promises'
import { awaitDeath, causeOf } from './attribution.js'
import { loadCommand } from '../load/command.js'
import { parseEvent } from '../load/events.js'
import type {
  Arm,
  Cell,
  Component,
  Edge,
  Environment,
  HopCounter,
  LoadResult,
  Path,
  Running,
  Trial,
  TrialError,
  TrialSpec,
  ValidityLimits,
} from '../model.js'
import { judgeTrial } from './proof.js'
import { billWindow, onePerProcess } from './usage.js'
import { judgeProbe, judgeValidity } from './validity.js'
import { defined } from '../model/defined.js'

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
    ...(options.cell.search && options.cell.load.ratePerSecond !== undefined
      ? { ratePerSecond: options.cell.load.ratePerSecond }
      : {}),
    startedAt: startedAt.toISOString(),
    elapsedMs: Math.round(performance.now() - begin),
    proof: [],
    reasons: [],
    warnings: [],
    ...rest,
  })
  const { environment, arm, cell } = options
  const look = () => environment.health(arm.id)
  environment.beginTrial()
  const patience = { withinMs: environment.deathNoticedMs, signal: options.signal }
  const dead = look()
  if (dead) return finish({ state: 'failed', error: dead })

  const before = await environment.read({ counters: true, usage: false })
  const outcome = await driveLoad(options)
  if ('error' in outcome)
    return finish({ state: 'failed', error: await causeOf(outcome.error, look, patience) })
  const after = await environment.read({ counters: true, usage: false })

  const { result, start, end } = outcome
  const usage = billWindow(onePerProcess(environment.components, arm.id), start, end, result)
  const proof = judgeTrial({
    arm,
    path: options.path,
    load: cell.load,
    traffic: {
      requests: result.warmupSent + result.sent,
      uncounted: result.uncounted ?? 0,
      connections: result.connectionsOpened,
    },
    components: environment.components,
    before: before.counters,
    after: after.counters,
    maxStreamsPerConnection: options.maxStreamsPerConnection,
  })
  const { reasons, warnings } = cell.search
    ? judgeProbe(result, usage, options.limits)
    : judgeValidity(cell.load, result, usage, options.limits)
  // A request that failed may have got as far as any hop: counters then prove nothing about the path.
  const countable = !cell.search || result.sent === result.ok
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
    ...defined({ tlsHandshakes, tlsResumptions }),
    proof,
    reasons,
    warnings,
  }
  if (refused.length > 0 && reasons.length === 0) {
    const [first] = refused
    const message = `${first?.name}: expected ${first?.expected}, saw ${first?.actual}`
    return finish({ ...measured, state: 'failed', error: { kind: 'proof-failed', message } })
  }
  return finish({ ...measured, state: reasons.length > 0 ? 'invalid' : 'ok' })
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
  { readonly result: LoadResult; readonly start: Edge; readonly end: Edge } | { readonly error: TrialError }

async function driveLoad(options: TrialOptions): Promise<Outcome> {
  const { environment, arm, cell, seed, signal } = options
  const endpoint = environment.raised[arm.id]?.endpoint
  if (!endpoint) return { error: { kind: 'not-ready', message: `${arm.id} has no endpoint` } }
  const running = environment.exec(arm.id, loadCommand(cell.load, endpoint, seed))

  let stopped: TrialError | undefined
  const stop = (error: TrialError) => {
    stopped ??= error
    running.kill('SIGKILL')
  }
  const watch = watchArm(options, running, stop)
  const onAbort = () => stop({ kind: 'interrupted', message: 'interrupted' })
  signal.addEventListener('abort', onAbort, { once: true })
  if (signal.aborted) onAbort()
  try {
    return await followEvents(options, running, () => stopped)
  } finally {
    watch.abort()
    signal.removeEventListener('abort', onAbort)
    running.kill('SIGKILL')
    await running.exited
  }
}

/** Reads the generator's events to the end, taking the counters at the edges. */
async function followEvents(
  options: TrialOptions,
  running: Running,
  stopped: () => TrialError | undefined,
): Promise<Outcome> {
  const { environment, onProgress } = options
  const edges: { start?: Edge; end?: Edge } = {}
  let result: LoadResult | undefined
  let failure: TrialError | undefined
  try {
    for await (const line of running.lines) {
      const event = parseEvent(line)
      switch (event.event) {
        case 'edge':
          edges[event.edge] = await environment.read({ counters: false, usage: true })
          running.write('go\n')
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
  const dead = environment.health(options.arm.id)
  if (dead) return { error: dead }
  if (failure) return { error: { ...failure, detail: end.tail } }
  if (!result || !edges.start || !edges.end) {
    const how = end.signal ? `was ended by ${end.signal}` : `exited with code ${end.code ?? 'unknown'}`
    return {
      error: { kind: 'generator-died', message: `the generator ${how} before its result`, detail: end.tail },
    }
  }
  return { result, start: edges.start, end: edges.end }
}

/** Stops the generator when the arm dies under it, or when it takes far too long. */
function watchArm(
  options: TrialOptions,
  running: Running,
  stop: (error: TrialError) => void,
): AbortController {
  const { environment, arm, cell } = options
  const { warmupMs, durationMs, timeoutMs } = cell.load
  const limitMs = warmupMs + durationMs + timeoutMs + graceMs
  const ended = new AbortController()
  void running.exited.then(() => ended.abort())
  void (async () => {
    const deadline = performance.now() + limitMs
    while (!ended.signal.aborted) {
      const dead = environment.health(arm.id)
      if (dead) return stop(dead)
      if (performance.now() > deadline)
        return stop({ kind: 'generator-stuck', message: `the generator did not end within ${limitMs} ms` })
      await sleep(healthIntervalMs, undefined, { signal: ended.signal }).catch(() => undefined)
    }
  })()
  return ended
}
