/** How the bench drives load and reads what it cost: wrk for requests, the scheduler's own counters for CPU. */
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, readdirSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { imageBundle } from '../bundles.js'
import type { ListenerAddress } from '../kit/process/image.js'

const run = promisify(execFile)

/** CPU time of a process with all its threads, ns (first field of schedstat: time spent on the CPU). */
export function cpuNs(pid: number): number {
  return readdirSync(`/proc/${pid}/task`).reduce((sum, task) => {
    const [onCpu = '0'] = readFileSync(`/proc/${pid}/task/${task}/schedstat`, 'utf8').split(' ')
    return sum + Number(onCpu)
  }, 0)
}

/** Resident memory now, and the most it ever was. */
export function memoryBytes(pid: number): { readonly rss: number; readonly peak: number } {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8')
  const field = (name: string): number =>
    Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(status)?.[1] ?? NaN) * 1024
  return { rss: field('VmRSS'), peak: field('VmHWM') }
}

export interface LoadOutcome {
  readonly requests: number
  readonly requestsPerSecond: number
  /** Socket errors and answers other than 2xx and 3xx. */
  readonly errors: number
}

/** Drives HTTP/1.1 keep-alive requests as fast as they are answered. Throws when wrk is missing. */
export async function drive(
  target: ListenerAddress,
  connections: number,
  seconds: number,
): Promise<LoadOutcome> {
  const url = `http://${target.host}:${target.port}/`
  const { stdout } = await run('wrk', ['-t1', `-c${connections}`, `-d${seconds}s`, '--timeout', '10s', url])
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

const images = fileURLToPath(new URL('..', import.meta.url))

/**
 * Drives requests at a fixed rate, evenly spaced, whatever the answers do: this repository's open-loop engine. `atEdge`
 * is called when the window starts and when it ends, with nothing in flight, so that counters can be read.
 */
export async function driveAtRate(
  target: ListenerAddress,
  load: { readonly connections: number; readonly ratePerSecond: number; readonly seconds: number },
  atEdge: (edge: 'start' | 'end') => void,
): Promise<LoadOutcome> {
  const { path } = await imageBundle('loadgen', images, join(tmpdir(), 'meshbench-bundles'))
  const spec = {
    connections: load.connections,
    ratePerSecond: load.ratePerSecond,
    warmupMs: 500,
    durationMs: load.seconds * 1000,
    // What the application answers with, and the engine checks.
    payloadBytes: 1024,
    timeoutMs: 10_000,
    target: { host: target.host, port: target.port },
  }
  const child = spawn(process.execPath, [path, 'open-loop', '--spec', JSON.stringify(spec)], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  const ended = once(child, 'exit')
  type Event =
    | { readonly event: 'edge'; readonly edge: 'start' | 'end' }
    | {
        readonly event: 'result'
        readonly result: {
          readonly ok: number
          readonly sent: number
          readonly achievedRatePerSecond: number
        }
      }
    | { readonly event: 'error'; readonly message: string }
    | { readonly event: 'connected' | 'progress' }
  let outcome: LoadOutcome | undefined
  for await (const line of createInterface({ input: child.stdout })) {
    const message = JSON.parse(line) as Event
    if (message.event === 'edge') {
      atEdge(message.edge)
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

/** Downloads a body and throws it away. Returns bytes and seconds as curl counted them. */
export async function download(
  target: ListenerAddress,
  path: string,
): Promise<{ bytes: number; seconds: number }> {
  const { stdout } = await run('curl', [
    ...['-sS', '--fail', '-o', '/dev/null', '-w', '%{size_download} %{time_total}'],
    `http://${target.host}:${target.port}${path}`,
  ])
  const [bytes, seconds] = stdout.split(' ').map(Number)
  return { bytes: bytes ?? 0, seconds: seconds ?? NaN }
}
