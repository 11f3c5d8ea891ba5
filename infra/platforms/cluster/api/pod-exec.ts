/** Runs commands in a pod, and ends them there: ending `kubectl exec` alone leaves the command running in its pod. */
import { PassThrough } from 'node:stream'
import { createInterface } from 'node:readline'
import { messageOf } from '../../../../harness/model/errors.js'
import type { Command, Running } from '../../../../harness/model.js'
import { killAllScript } from '../../kit/remote-scripts.js'
import type { Kubectl } from './kubectl.js'

export interface PodTarget {
  readonly namespace: string
  readonly pod: string
  readonly container: string
}

/** Arguments of `kubectl exec`, which cannot set environment variables. */
export function execArguments(target: PodTarget, command: Pick<Command, 'argv' | 'env'>): readonly string[] {
  const { namespace, pod, container } = target
  if (Object.keys(command.env ?? {}).length > 0)
    throw new Error('a command in a pod takes no environment variables')
  return ['exec', '-i', '-n', namespace, pod, '-c', container, '--', ...command.argv]
}

/**
 * Runs a command in the pod that `resolve` finds. Returns at once; a pod that does not become ready shows as `exited`
 * with code 125.
 */
export function runInPod(kubectl: Kubectl, resolve: () => Promise<PodTarget>, command: Command): Running {
  const output = new PassThrough()
  const pending: string[] = []
  let running: Running | undefined
  let target: PodTarget | undefined
  let wanted: 'SIGTERM' | 'SIGKILL' | undefined
  let ended = false
  /** Ends everything in the pod, so that nothing new may be run there before it is through. */
  let killing: Promise<void> = Promise.resolve()

  const endAll = async (where: PodTarget, signal: 'SIGTERM' | 'SIGKILL') => {
    const argv = execArguments(where, { argv: killAllScript(signal) })
    // The pod holds nothing but its idle process and what was run in it. It may be gone already.
    await kubectl.run(argv, { timeoutMs: 10_000 }).catch(() => {})
  }
  const kill = (signal: 'SIGTERM' | 'SIGKILL' = 'SIGTERM') => {
    if (ended) return
    wanted = signal
    if (!running || !target) return
    killing = endAll(target, signal)
    void killing.then(() => running?.kill('SIGKILL'))
  }

  async function work(): ReturnType<() => Running['exited']> {
    target = await resolve()
    if (wanted) return { code: null, signal: wanted, tail: 'ended before it was started' }
    const { input } = command
    running = kubectl.start(execArguments(target, command), input === undefined ? {} : { input })
    for (const text of pending) running.write(text)
    for await (const line of running.lines) output.write(`${line}\n`)
    const end = await running.exited
    ended = true
    await killing
    // Where the way to it broke off, the command goes on beside what is run there next.
    if (end.code !== 0 && wanted === undefined) await endAll(target, 'SIGKILL')
    return wanted ? { ...end, signal: end.signal ?? wanted } : end
  }
  const exited = work()
    .catch((error: unknown) => ({ code: 125, signal: null, tail: messageOf(error) }))
    .finally(() => output.end())

  return {
    lines: createInterface({ input: output, crlfDelay: Infinity }),
    write: (text) => (running ? running.write(text) : void pending.push(text)),
    kill,
    exited,
  }
}
