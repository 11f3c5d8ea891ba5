/** wrk2: wrk with a constant rate, charged from when a request was due. */
import { parseWrkSummary } from './wrk.js'
import { type Tool, type ToolReport, addedBy, errorsOf, secondsArgument } from './tool.js'

/** The spectrum of `--latency`: value in ms, share, count so far (https://github.com/giltene/wrk2#readme). */
function parseSpectrum(output: string): [number, number][] {
  const start = output.indexOf('Detailed Percentile spectrum')
  if (start < 0) throw new Error('wrk2 printed no percentile spectrum')
  const lines = output.slice(start).split('\n')
  const rows = lines.map((line) => /^\s*(\d+\.\d+)\s+\d\.\d+\s+(\d+)\s+(?:\d+\.\d+|inf)\s*$/.exec(line))
  return addedBy(rows.flatMap((row) => (row ? [[Number(row[1]) * 1000, Number(row[2])] as const] : [])))
}

export function parseWrk2(output: string): ToolReport {
  const latency = parseSpectrum(output)
  const requests = Number(/^\s*(\d+) requests in /m.exec(output)?.[1] ?? Number.NaN)
  if (Number.isNaN(requests)) return { ...parseWrkSummary(output), latency }
  const socket = /Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)/.exec(output)
  const status = Number(/Non-2xx or 3xx responses: (\d+)/.exec(output)?.[1] ?? 0)
  const [connect = 0, read = 0, write = 0, timeout = 0] = (socket?.slice(1) ?? []).map(Number)
  const errors = errorsOf({ connect, reset: read + write, timeout, other: status })
  return { ok: requests - status, errors, latency }
}

export const wrk2: Tool = {
  program: 'wrk2',
  charges: 'due',
  limits: [
    'wrk2: its timer is 1 ms coarse, so latencies below a few ms are mostly its own lag',
    'wrk2: no send lag, no service time; what was due and not sent is not told',
    'wrk2: latencies are known at the steps of its percentile spectrum, and its first seconds calibrate',
  ],
  argv: ({ spec, url, authority, seconds, fresh }) => [
    ...['-t', String(Math.min(spec.workers, spec.connections)), '-c', String(spec.connections)],
    ...['-d', secondsArgument(seconds), '-R', String(spec.ratePerSecond ?? 0), '--latency'],
    ...['--timeout', secondsArgument(spec.timeoutMs / 1000)],
    ...(authority === undefined ? [] : ['-H', `Host: ${authority}`]),
    ...(fresh ? ['-H', 'Connection: close'] : []),
    url,
  ],
  // As wrk: one connection more, to see whether somebody listens.
  parse: (output, { spec }) => ({ ...parseWrk2(output), connectionsOpened: spec.connections + 1 }),
}
