/** What drives load in the bench: wrk and h2load as fast as answers come, and evenly spaced requests at a low rate. */
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import type { LoadEvent } from '../../../../harness/protocol/events.js'
import { imageBundle } from '../../bundles.js'
import type { ListenerAddress } from '../../kit/net/address.js'

const run = promisify(execFile)

export interface LoadOutcome {
  /** Answered between the edges. */
  readonly requests: number
  readonly requestsPerSecond: number
  /** Socket errors and answers other than 2xx and 3xx. */
  readonly errors: number
}

/** Called when the window starts and when it ends, so that counters can be read; the load waits for it. */
export type AtEdge = (edge: 'start' | 'end') => void | Promise<void>

/** Sends to `target` for `seconds` and tells where the window's edges are. */
export type Driver = (target: ListenerAddress, seconds: number, atEdge: AtEdge) => Promise<LoadOutcome>

/** HTTP/1.1 keep-alive requests as fast as they are answered. */
export function wrk(connections: number): Driver {
  return async ({ host, port }, seconds, atEdge) => {
    const url = `http://${host}:${port}/`
    await atEdge('start')
    const { stdout } = await run('wrk', ['-t1', `-c${connections}`, `-d${seconds}s`, '--timeout', '10s', url])
    await atEdge('end')
    const number = (pattern: RegExp): number => Number(pattern.exec(stdout)?.[1] ?? 0)
    const socketErrors = /Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)/.exec(stdout)
    return {
      requests: number(/(\d+) requests in/),
      requestsPerSecond: number(/Requests\/sec:\s+([\d.]+)/),
      errors:
        number(/Non-2xx or 3xx responses: (\d+)/) +
        (socketErrors?.slice(1) ?? []).reduce((sum, n) => sum + Number(n), 0),
    }
  }
}

export interface H2Load {
  readonly connections: number
  /** Requests that a connection has open at once. */
  readonly streams: number
  /** Over all connections; absent: as fast as they are answered. */
  readonly ratePerSecond?: number
  /** A gRPC request is sent when there is one. */
  readonly bodyFile?: string
}

/** Connections stand, and every process is warm, before the window starts; it ends before they close. */
const marginSeconds = 0.5

/**
 * HTTP/2 with prior knowledge by h2load. Its requests are spread evenly over its run, of which the window is the middle:
 * that many of them are charged.
 */
export function h2load({ connections, streams, ratePerSecond, bodyFile }: H2Load): Driver {
  return async ({ host, port }, seconds, atEdge) => {
    const duration = seconds + 2 * marginSeconds
    const options = [`-c${connections}`, `-m${streams}`, '-t1', `-D${duration}`]
    if (ratePerSecond !== undefined) options.push(`--rps=${ratePerSecond / connections}`)
    if (bodyFile !== undefined)
      options.push('-d', bodyFile, '-H', 'content-type: application/grpc', '-H', 'te: trailers')
    const running = run('h2load', [...options, `http://${host}:${port}/echo`])
    await sleep(marginSeconds * 1000)
    await atEdge('start')
    const startedAt = performance.now()
    await sleep(seconds * 1000)
    const window = (performance.now() - startedAt) / 1000
    await atEdge('end')
    const { stdout } = await running
    const [, done = NaN, failed = NaN] = (
      /requests: \d+ total, \d+ started, (\d+) done, \d+ succeeded, (\d+) failed/.exec(stdout) ?? []
    ).map(Number)
    const perSecond = done / duration
    return { requests: perSecond * window, requestsPerSecond: perSecond, errors: failed }
  }
}

const images = fileURLToPath(new URL('../..', import.meta.url))

export interface OpenLoop {
  readonly connections: number
  readonly ratePerSecond: number
  readonly protocol: 'http1' | 'h2' | 'grpc'
  /** What the application answers with, and the engine checks. */
  readonly payloadBytes: number
}

/** Requests at a fixed rate, evenly spaced, whatever the answers do: this repository's open-loop engine. */
export function openLoop(load: OpenLoop): Driver {
  return async (target, seconds, atEdge) => {
    const { path } = await imageBundle('loadgen', images, join(tmpdir(), 'meshbench-bundles'))
    const spec = {
      ...load,
      warmupMs: 500,
      durationMs: seconds * 1000,
      timeoutMs: 10_000,
      target,
    }
    const child = spawn(process.execPath, [path, 'open-loop', '--spec', JSON.stringify(spec)], {
      stdio: ['pipe', 'pipe', 'inherit'],
    })
    const ended = once(child, 'exit')
    let outcome: LoadOutcome | undefined
    for await (const line of createInterface({ input: child.stdout })) {
      const message = JSON.parse(line) as LoadEvent
      if (message.event === 'edge') {
        await atEdge(message.edge)
        child.stdin.write('go\n')
      } else if (message.event === 'result') {
        const { ok, sent, achievedRatePerSecond } = message.result
        outcome = { requests: ok, requestsPerSecond: achievedRatePerSecond, errors: sent - ok }
      } else if (message.event === 'error') throw new Error(`the generator: ${message.message}`)
    }
    await ended
    if (outcome === undefined) throw new Error('the generator ended without a result')
    return outcome
  }
}

/** One download of `/large`, its first so many bytes; a request stands for a GiB. */
export function transfer(bytes: number): Driver {
  return async (target, _seconds, atEdge) => {
    await atEdge('start')
    const { stdout } = await run('curl', [
      ...['-r', `0-${bytes - 1}`],
      ...['-sS', '--fail', '-o', '/dev/null', '-w', '%{size_download} %{time_total}'],
      `http://${target.host}:${target.port}/large`,
    ])
    await atEdge('end')
    const [size = 0, seconds = NaN] = stdout.split(' ').map(Number)
    const gib = size / 2 ** 30
    return { requests: gib, requestsPerSecond: gib / seconds, errors: size === bytes ? 0 : 1 }
  }
}
