/** Carries a trial's script out while its load runs, and writes down when each of its actions began and ended. */
import { setTimeout as sleep } from 'node:timers/promises'
import { defined } from '../../model/defined.js'
import { messageOf } from '../../model/errors.js'
import { copyId } from '../../model/plan.js'
import type {
  Action,
  ActionTarget,
  Arm,
  Change,
  Component,
  Environment,
  Script,
  TrialEvent,
} from '../../model.js'
import { startSecondLoad, type SecondLoad, type Stage } from './second-load.js'

/** How often it is looked whether an awaited component is well. */
const lookIntervalMs = 10

/** A script whose second loads stand ready. */
export interface ReadyScript {
  /**
   * Resolves with one event for each action, in order, when the last has ended and `over` has: the trial's own load is sent and
   * answered, or never will be. What cannot be done is an event with its problem, and what is due after `ended` is left out:
   * nothing is thrown.
   */
  play(ended: AbortSignal, over: Promise<unknown>): Promise<readonly TrialEvent[]>
  /** Ends its loads and brings back what it has ended or paused, whether or not it was played to its end. */
  close(): Promise<void>
}

/** Components that a script ends: their deaths are its doing and fail no trial. */
export function endedBy(script: Script, environment: Environment, arm: Arm): ReadonlySet<string> {
  return new Set(
    script.flatMap((action) =>
      'change' in action && !['pause', 'resume'].includes(action.change.do)
        ? (componentOf(environment, arm, action.target)?.name ?? [])
        : [],
    ),
  )
}

export function readyScript(script: Script, stage: Stage): ReadyScript {
  const loads = new Map<Action, SecondLoad | Error>()
  for (const action of script)
    if ('load' in action)
      loads.set(
        action,
        attempt(() => startSecondLoad(action, stage)),
      )
  /** Component → what was done to it last. */
  const changed = new Map<string, Change['do']>()
  let underWay: Promise<unknown> = Promise.resolve()

  async function carryOut(
    action: Action,
    signal: AbortSignal,
    onStart: () => void,
  ): Promise<SecondLoad | undefined> {
    const { environment, arm } = stage
    if ('load' in action) {
      const load = loads.get(action)
      if (!load || load instanceof Error) throw load ?? new Error('the load was not started')
      await load.run(onStart)
      return load
    }
    const component = componentOf(environment, arm, action.target)
    if (!component) throw new Error(`${arm.id} has no ${nameOf(action.target)}`)
    if ('change' in action) {
      changed.set(component.name, action.change.do)
      await environment.change(component.name, action.change)
    } else await awaitHealth(environment, component.name, action.awaitWithinMs, signal)
    return undefined
  }

  return {
    async play(signal, over) {
      const begin = performance.now()
      const sinceBegin = () => Math.round((performance.now() - begin) * 1000) / 1000
      const events: (TrialEvent & { readonly second?: SecondLoad })[] = []
      for (const action of script) {
        // A timer may fire up to 1 ms before its time.
        while (sinceBegin() < action.atMs && !signal.aborted)
          await sleep(Math.ceil(action.atMs - sinceBegin()), undefined, { signal }).catch(() => {})
        if (signal.aborted) break
        let startedMs = sinceBegin()
        const acting = carryOut(action, signal, () => (startedMs = sinceBegin())).then(
          (second) => ({ second, problem: undefined }),
          (error: unknown) => ({ second: undefined, problem: messageOf(error) }),
        )
        underWay = acting
        const done = await acting
        events.push({
          action: describe(action),
          kind: kindOf(action),
          dueMs: action.atMs,
          startedMs,
          endedMs: sinceBegin(),
          ...defined(done),
        })
      }
      if (events.some(({ second }) => second)) await over
      return Promise.all(
        events.map(async ({ second, ...event }) => ({ ...event, ...defined(await outcomeOf(second)) })),
      )
    },
    async close() {
      await Promise.all([...loads.values()].flatMap((load) => (load instanceof Error ? [] : [load.stop()])))
      // Whatever became of the trial, what is being done has its end before it is undone.
      if (!stage.signal.aborted) await underWay
      for (const [component, last] of changed) {
        const back = last === 'pause' ? 'resume' : last === 'kill' || last === 'stop' ? 'start' : undefined
        // What does not come back is told by its health when the next trial begins.
        if (back && !stage.signal.aborted)
          await stage.environment.change(component, { do: back }).catch(() => {})
      }
    },
  }
}

async function awaitHealth(
  environment: Environment,
  component: string,
  withinMs: number,
  signal: AbortSignal,
): Promise<void> {
  const deadline = performance.now() + withinMs
  while (environment.componentHealth(component)) {
    if (performance.now() > deadline) throw new Error(`${component} was not well within ${withinMs} ms`)
    await sleep(lookIntervalMs, undefined, { signal })
  }
}

async function outcomeOf(second: SecondLoad | undefined): Promise<Pick<TrialEvent, 'load' | 'problem'>> {
  if (!second) return {}
  try {
    return { load: await second.finish() }
  } catch (error) {
    return { problem: messageOf(error) }
  }
}

function attempt<T>(make: () => T): T | Error {
  try {
    return make()
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error))
  }
}

function componentOf(environment: Environment, arm: Arm, target: ActionTarget): Component | undefined {
  if (target === 'application') return environment.raised[arm.id]?.application
  const raised = environment.raised[target.of === undefined ? arm.id : copyId(arm.id, target.of)]
  return raised?.components.find((component) => component.hop === target.hop)
}

function kindOf(action: Action): TrialEvent['kind'] {
  return 'load' in action ? 'load' : 'change' in action ? 'change' : 'await'
}

function describe(action: Action): string {
  if ('load' in action)
    return `load ${action.load.ratePerSecond ?? 'as fast as it goes'}${action.along === undefined ? '' : ` along the ${action.along}`}`
  return `${'change' in action ? action.change.do : 'await'} ${nameOf(action.target)}`
}

function nameOf(target: ActionTarget): string {
  if (target === 'application') return target
  return target.of === undefined ? target.hop : `${target.hop} of the ${target.of}`
}
