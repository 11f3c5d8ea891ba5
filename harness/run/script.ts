/** Carries a trial's script out while its load runs, and writes down when each of its actions began and ended. */
import { setTimeout as sleep } from 'node:timers/promises'
import { loadCommand } from '../load/command.js'
import { parseEvent } from '../load/events.js'
import { defined } from '../model/defined.js'
import { messageOf } from '../model/errors.js'
import type {
  Action,
  ActionTarget,
  Arm,
  Component,
  Environment,
  LoadSpec,
  Script,
  TrialEvent,
} from '../model.js'

/** How often it is looked whether an awaited component is well. */
const lookIntervalMs = 10

/** Of a trial: what its script acts on. */
export interface Stage {
  readonly environment: Environment
  readonly arm: Arm
  readonly seed: number
  readonly signal: AbortSignal
}

/** Components that a script changes: their deaths are its doing and fail no trial. */
export function changedBy(script: Script, environment: Environment, arm: Arm): ReadonlySet<string> {
  return new Set(
    script.flatMap((action) =>
      'change' in action ? (componentOf(environment, arm, action.target)?.name ?? []) : [],
    ),
  )
}

/**
 * Resolves with one event for each action, in order, when the last has ended. What cannot be done is an event with its
 * problem, and what is due after `signal` is left out: nothing is thrown.
 */
export async function playScript(script: Script, stage: Stage): Promise<readonly TrialEvent[]> {
  const begin = performance.now()
  const sinceBegin = () => Math.round((performance.now() - begin) * 1000) / 1000
  const events: TrialEvent[] = []
  for (const action of script) {
    // A timer may fire up to 1 ms before its time.
    while (sinceBegin() < action.atMs && !stage.signal.aborted)
      await sleep(Math.ceil(action.atMs - sinceBegin()), undefined, { signal: stage.signal }).catch(() => {})
    if (stage.signal.aborted) break
    const startedMs = sinceBegin()
    const problem = await carryOut(action, stage).then(
      () => undefined,
      (error: unknown) => messageOf(error),
    )
    events.push({
      action: describe(action),
      kind: kindOf(action),
      dueMs: action.atMs,
      startedMs,
      endedMs: sinceBegin(),
      ...defined({ problem }),
    })
  }
  return events
}

async function carryOut(action: Action, stage: Stage): Promise<void> {
  const { environment, arm } = stage
  if ('load' in action) return addLoad(action.load, stage)
  const component = componentOf(environment, arm, action.target)
  if (!component) throw new Error(`${arm.id} has no ${nameOf(action.target)}`)
  if ('change' in action) return environment.change(component.name, action.change)
  const deadline = performance.now() + action.awaitWithinMs
  while (environment.componentHealth(component.name)) {
    if (performance.now() > deadline)
      throw new Error(`${component.name} was not well within ${action.awaitWithinMs} ms`)
    await sleep(lookIntervalMs, undefined, { signal: stage.signal })
  }
}

/** Runs another generator to its end; its counters are not read, so that its edges wait for nobody. */
async function addLoad(load: LoadSpec, stage: Stage): Promise<void> {
  const { environment, arm, seed, signal } = stage
  const endpoint = environment.raised[arm.id]?.endpoint
  if (!endpoint) throw new Error(`${arm.id} has no endpoint`)
  const running = environment.exec(arm.id, loadCommand(load, endpoint, seed + 1))
  const stop = () => running.kill('SIGKILL')
  signal.addEventListener('abort', stop, { once: true })
  try {
    for await (const line of running.lines) {
      const event = parseEvent(line)
      if (event.event === 'edge') running.write('go\n')
      if (event.event === 'error') throw new Error(event.message)
    }
  } finally {
    signal.removeEventListener('abort', stop)
    stop()
    await running.exited
  }
}

function componentOf(environment: Environment, arm: Arm, target: ActionTarget): Component | undefined {
  const raised = environment.raised[arm.id]
  return target === 'application'
    ? raised?.application
    : raised?.components.find((component) => component.hop === target.hop)
}

function kindOf(action: Action): TrialEvent['kind'] {
  return 'load' in action ? 'load' : 'change' in action ? 'change' : 'await'
}

function describe(action: Action): string {
  if ('load' in action) return `load ${action.load.ratePerSecond ?? 'as fast as it goes'}`
  return `${'change' in action ? action.change.do : 'await'} ${nameOf(action.target)}`
}

function nameOf(target: ActionTarget): string {
  return target === 'application' ? target : target.hop
}
