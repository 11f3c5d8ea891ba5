/** How the bench drives load and reads what it cost: wrk for requests, the scheduler's own counters for CPU. */
import { execFile } from 'node:child_process'
import { readFileSync, readdirSync } from 'node:fs'
import { promisify } from 'node:util'
import type { ListenerAddress } from '../shared/image.js'

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
