/** Runs kubectl and helm against one cluster, and explains what they say when they fail. */
import { setTimeout as sleep } from 'node:timers/promises'
import { CommandError, UserError } from '../../../../harness/model/errors.js'
import { run, start, type StartOptions } from '../../../../harness/process/exec.js'
import type { Command, Running } from '../../../../harness/model.js'
import type { AccessOptions } from '../../../../harness/model/cluster-access.js'
import type { Manifest } from '../render/manifests.js'
import { defined } from '../../../../harness/model/defined.js'

const applyAttempts = 4
const retryMs = 2_000

export interface KubectlOptions {
  readonly path: string
  readonly helmPath?: string
  /** Absent: whatever kubectl and helm find themselves, several files of `KUBECONFIG` included. */
  readonly kubeconfig?: string
  readonly context?: string
  readonly runId: string
  readonly signal: AbortSignal
}

export class Kubectl {
  readonly #options: KubectlOptions

  constructor(options: KubectlOptions) {
    this.#options = options
  }

  /** Standard output of `kubectl <args>`. Throws `CommandError`. */
  async run(args: readonly string[], options: AccessOptions = {}): Promise<string> {
    return this.#run([this.#options.path, ...this.#flags('context'), ...args], options)
  }

  /**
   * What it printed, also where it failed in part, as over kinds of which some may not be listed. Throws `CommandError` where it
   * was ended.
   */
  async output(args: readonly string[], options: AccessOptions = {}): Promise<string> {
    return this.#run([this.#options.path, ...this.#flags('context'), ...args], options, true)
  }

  async helm(args: readonly string[], options: AccessOptions = {}): Promise<string> {
    const { helmPath } = this.#options
    if (helmPath === undefined) {
      throw new UserError('this mesh is installed with helm, which was not found', {
        hint: 'put helm on the PATH, or fetch it with `meshbench pull`',
      })
    }
    return this.#run([helmPath, ...this.#flags('kube-context'), ...args], options)
  }

  start(
    args: readonly string[],
    command: Omit<Command, 'argv'> = {},
    { pastAbort }: Pick<AccessOptions, 'pastAbort'> = {},
  ): Running {
    const argv = [this.#options.path, ...this.#flags('context'), ...args]
    return start({ ...command, argv }, this.#bounds(pastAbort))
  }

  async json<T>(args: readonly string[], options: AccessOptions = {}): Promise<T> {
    return JSON.parse(await this.run([...args, '-o', 'json'], options)) as T
  }

  /**
   * Applies objects in one go, in their order. Tries again when the API server was too busy to answer, as it is while
   * a cluster comes up on few CPUs; applying twice does no harm.
   */
  async apply(manifests: readonly Manifest[]): Promise<void> {
    // Validation here would fetch the whole schema for each call; the server validates what it is given.
    const args = ['apply', '--validate=false', '-f', '-']
    for (let attempt = 1; ; attempt++) {
      try {
        await this.run(args, { input: renderList(manifests) })
        return
      } catch (error) {
        if (attempt === applyAttempts || !isTransient(error)) throw error
        await sleep(attempt * retryMs, undefined, { signal: this.#options.signal })
      }
    }
  }

  #flags(contextFlag: string): string[] {
    const { kubeconfig, context } = this.#options
    return [
      ...(kubeconfig === undefined ? [] : ['--kubeconfig', kubeconfig]),
      ...(context === undefined ? [] : [`--${contextFlag}`, context]),
    ]
  }

  #bounds(pastAbort = false): StartOptions {
    const { runId, signal } = this.#options
    return { runId, ...(pastAbort ? {} : { signal }) }
  }

  async #run(
    argv: readonly string[],
    { input, timeoutMs, pastAbort, signal }: AccessOptions,
    allowFailure = false,
  ): Promise<string> {
    const bounds = this.#bounds(pastAbort)
    const signals = [bounds.signal, signal].filter((abortSignal) => abortSignal !== undefined)
    const { stdout } = await run(argv, {
      ...bounds,
      ...(signals.length === 0 ? {} : { signal: AbortSignal.any(signals) }),
      ...defined({ input, timeoutMs }),
      allowFailure,
    })
    return stdout
  }
}

/** Failures of the way to the API server, not answers of it. */
export function isTransient(error: unknown): boolean {
  return (
    error instanceof CommandError &&
    /TLS handshake timeout|connection refused|connection reset|i\/o timeout|request timed out|EOF|Client\.Timeout|no end after/i.test(
      `${error.message} ${error.tail}`,
    )
  )
}

/** One JSON document that holds all objects: `kubectl apply` keeps their order. */
export function renderList(manifests: readonly Manifest[]): string {
  return JSON.stringify({ apiVersion: 'v1', kind: 'List', items: manifests }, null, 2)
}

/** The cause as kubectl and helm name it; what follows is advice. */
const causes = /^(?:Unable to connect to the server|The connection to the server|error|Error\b)/i

/** What a command said of its failure, in one line: the cause if there is one, else the end. */
export function reasonOf(error: unknown): string {
  if (!(error instanceof CommandError)) return error instanceof Error ? error.message : String(error)
  const lines = error.tail.trim().split('\n')
  const cause = lines.findLastIndex((line) => causes.test(line))
  // Up to the empty line before the advice.
  const end = lines.findIndex((line, index) => index > cause && line.trim() === '')
  const said = cause < 0 ? lines.slice(-3) : lines.slice(cause, end < 0 ? cause + 3 : end)
  return said.join(' ').trim() || error.message
}
