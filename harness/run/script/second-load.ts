/** A second load beside a trial's own: its generator stands ready before the window, and starts when its action is due. */
import { loadCommand, parseEvent } from '../../load/generator.js'
import { copyId } from '../../model/plan.js'
import type { Action, Arm, Environment, LoadResult, TrialEvent } from '../../model.js'

/** Of a trial: what its script acts on. */
export interface Stage {
  readonly environment: Environment
  readonly arm: Arm
  readonly seed: number
  /** The run is interrupted. */
  readonly signal: AbortSignal
}

type LoadAction = Extract<Action, { readonly load: unknown }>

export interface SecondLoad {
  /** Starts its window when it is ready, and resolves when all of it is sent and answered, or it never will be. */
  run(onStart: () => void): Promise<void>
  /**
   * Lets it end, and resolves with what became of it. Rejects when the generator does. A process that ends takes a core for
   * a while, so that it lives on until the trial's own window is over.
   */
  finish(): Promise<NonNullable<TrialEvent['load']>>
  /** Ends it, whatever it does. */
  stop(): Promise<void>
}

/** A promise, and what resolves it. */
function gate(): { readonly passed: Promise<void>; open(): void } {
  let open = () => {}
  const passed = new Promise<void>((resolve) => (open = resolve))
  return { passed, open: () => open() }
}

/** Its counters are not read, so that its edges wait for nobody but the script. */
export function startSecondLoad(action: LoadAction, stage: Stage): SecondLoad {
  const { environment, arm, seed } = stage
  const along = action.along === undefined ? arm.id : copyId(arm.id, action.along)
  const endpoint = environment.raised[along]?.endpoint
  if (!endpoint) throw new Error(`${along} has no endpoint`)
  const running = environment.exec(along, loadCommand(action.load, endpoint, seed + 1))
  const [due, answered, over] = [gate(), gate(), gate()]
  let onStart = () => {}
  const result = follow().finally(() => answered.open())
  // Whoever runs it is told of it; nobody may ever do so.
  result.catch(() => {})

  async function follow(): Promise<LoadResult> {
    for await (const line of running.lines) {
      const event = parseEvent(line)
      if (event.event === 'error') throw new Error(event.message)
      if (event.event === 'result') return event.result
      if (event.event !== 'edge') continue
      if (event.edge === 'start') {
        await due.passed
        onStart()
      } else {
        answered.open()
        await over.passed
      }
      running.write('go\n')
    }
    const { tail } = await running.exited
    throw new Error(`the second generator ended before its result: ${tail.slice(-300)}`)
  }

  return {
    async run(tellStart) {
      onStart = tellStart
      due.open()
      await answered.passed
    },
    async finish() {
      over.open()
      const { sent, ok, warmupSent, connectionsOpened, generatorCpuUs } = await result
      return { sent, ok, allSent: warmupSent + sent, connectionsOpened, generatorCpuUs }
    },
    async stop() {
      due.open()
      over.open()
      running.kill('SIGKILL')
      await running.exited
    },
  }
}
