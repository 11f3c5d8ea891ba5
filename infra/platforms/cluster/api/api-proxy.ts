/**
 * A way to the API server that costs no process for each request: `kubectl proxy` on a Unix socket that only its owner
 * can open. It brings whatever credentials the kubeconfig asks for.
 */
import { Agent, request as sendRequest, type IncomingMessage } from 'node:http'
import { createInterface } from 'node:readline'
import { text } from 'node:stream/consumers'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Running, Scope } from '../../../../harness/model.js'
import { socketPath } from '../../kit/socket-path.js'
import type { Kubectl } from './kubectl.js'

const timeoutMs = 10_000
const startTimeoutMs = 15_000

export class ApiProxy {
  readonly #socketPath: string
  readonly #running: Running
  readonly #agent = new Agent({ keepAlive: true })

  constructor(socketPath: string, running: Running) {
    this.#socketPath = socketPath
    this.#running = running
  }

  /** Body of a GET; rejects unless the status is 200. */
  async get(path: string): Promise<string> {
    return this.#textOf(path, await this.#open('GET', path, this.#agent))
  }

  /** Merges a change into an object; rejects unless the status is 200. */
  async patch(path: string, change: object): Promise<void> {
    const body = JSON.stringify(change)
    await this.#textOf(path, await this.#open('PATCH', path, this.#agent, timeoutMs, body))
  }

  /** Deletes an object or a collection; rejects unless the status is 200 (done) or 202 (begun). */
  async delete(path: string): Promise<void> {
    await this.#textOf(path, await this.#open('DELETE', path, this.#agent))
  }

  async #textOf(path: string, response: IncomingMessage): Promise<string> {
    const body = await text(response)
    if (response.statusCode === 200 || response.statusCode === 202) return body
    throw new ApiError(path, response.statusCode ?? 0, body.slice(0, 500))
  }

  async json<T>(path: string): Promise<T> {
    return JSON.parse(await this.get(path)) as T
  }

  /** Lines of a response that does not end by itself, such as a watch. `stop` ends it. */
  async stream(path: string): Promise<{ lines: AsyncIterable<string>; stop: () => void }> {
    const response = await this.#open('GET', path, false, 0)
    if (response.statusCode !== 200) {
      response.destroy()
      throw new ApiError(path, response.statusCode ?? 0, '')
    }
    return { lines: createInterface({ input: response }), stop: () => response.destroy() }
  }

  close(): void {
    this.#agent.destroy()
    this.#running.kill('SIGKILL')
  }

  #open(
    method: 'GET' | 'PATCH' | 'DELETE',
    path: string,
    agent: Agent | false,
    limitMs = timeoutMs,
    body?: string,
  ): Promise<IncomingMessage> {
    const headers = body === undefined ? {} : { 'content-type': 'application/merge-patch+json' }
    return new Promise((resolve, reject) => {
      const request = sendRequest(
        { socketPath: this.#socketPath, method, path, agent, timeout: limitMs, headers },
        resolve,
      )
      request.once('timeout', () =>
        request.destroy(new Error(`${method} ${path} took more than ${limitMs} ms`)),
      )
      request.once('error', reject)
      request.end(body)
    })
  }
}

/** The API server, or what lies behind its proxy, answered with another status than 200. */
export class ApiError extends Error {
  readonly status: number

  constructor(path: string, status: number, body: string) {
    super(`${path} answered ${status} ${body}`.trim())
    this.name = 'ApiError'
    this.status = status
  }
}

/**
 * Closed with the scope, and not before: what an interrupted run takes down goes through it, too. Rejects when it does not
 * answer in time, with the end of its output.
 */
export async function startApiProxy(
  kubectl: Pick<Kubectl, 'start'>,
  scope: Pick<Scope, 'stateDir' | 'signal' | 'defer'>,
): Promise<ApiProxy> {
  const path = socketPath(scope, `api${counter++}.sock`)
  const running = kubectl.start(['proxy', `--unix-socket=${path}`], {}, { pastAbort: true })
  let ended = false
  void running.exited.then(() => (ended = true))
  void drain(running)
  const proxy = new ApiProxy(path, running)
  scope.defer('close the way to the API server', () => proxy.close())
  const deadline = Date.now() + startTimeoutMs
  for (;;) {
    const problem = await proxy.get('/version').then(
      () => undefined,
      (error: unknown) => error as Error,
    )
    if (problem === undefined) return proxy
    scope.signal.throwIfAborted()
    if (ended || Date.now() > deadline) {
      proxy.close()
      const { tail } = await running.exited
      throw new Error(`the API server cannot be reached: ${problem.message} ${tail}`.trim())
    }
    await sleep(50)
  }
}

let counter = 0

/** An output that nobody reads would fill its pipe. */
async function drain(running: Running): Promise<void> {
  for await (const _ of running.lines);
}

/** From a node: an API server that was built from source may call itself 0.0.0. */
export async function readKubernetesVersion(proxy: ApiProxy): Promise<string> {
  const { items } = await proxy.json<{ items: { status: { nodeInfo: { kubeletVersion: string } } }[] }>(
    '/api/v1/nodes?limit=1',
  )
  return (items[0]?.status.nodeInfo.kubeletVersion ?? 'unknown').replace(/^v/, '')
}
