/** wrk 4: its Lua hook hands over the whole histogram, which its text does not show. */
import { type Tool, type ToolReport, errorsOf, secondsArgument } from './tool.js'

/** https://github.com/wg/wrk/blob/master/SCRIPTING: `done` gets summary and latency; `latency(i)` is a value and its count. */
const script = `
done = function(summary, latency, requests)
  local e = summary.errors
  io.write(string.format('{"requests":%d,"durationUs":%d,"connect":%d,"read":%d,"write":%d,"status":%d,"timeout":%d,"buckets":[',
    summary.requests, summary.duration, e.connect, e.read, e.write, e.status, e.timeout))
  for i = 1, #latency do
    local us, count = latency(i)
    if i > 1 then io.write(',') end
    io.write(string.format('[%d,%d]', us, count))
  end
  io.write(']}\\n')
end
`

interface Summary {
  readonly requests: number
  readonly durationUs: number
  readonly connect: number
  readonly read: number
  readonly write: number
  readonly status: number
  readonly timeout: number
  readonly buckets: readonly (readonly [number, number])[]
}

export function parseWrkSummary(output: string): ToolReport {
  const line = output.split('\n').find((text) => text.startsWith('{"requests":'))
  if (line === undefined) throw new Error('wrk printed no summary')
  const { requests, durationUs, connect, read, write, status, timeout, buckets } = JSON.parse(line) as Summary
  return {
    ok: requests - status,
    errors: errorsOf({ connect, reset: read + write, other: status, timeout }),
    latency: buckets,
    windowMs: durationUs / 1000,
  }
}

export const wrk: Tool = {
  program: 'wrk',
  charges: 'sent',
  limits: [
    'wrk: closed loop, so there is no response time and no send lag',
    'wrk: statuses of 400 and above are not told apart, and lengths of bodies are not checked',
    'wrk: requests in flight at the end are not counted, so the server sees some more',
    'wrk: values above twice the mean interval are joined by made-up ones (its own correction of coordinated omission)',
  ],
  files: { 'summary.lua': script },
  argv: ({ spec, url, authority, seconds, folder, fresh }) => [
    ...['-t', String(Math.min(spec.workers, spec.connections)), '-c', String(spec.connections)],
    ...['-d', secondsArgument(seconds), '--timeout', secondsArgument(spec.timeoutMs / 1000)],
    ...(authority === undefined ? [] : ['-H', `Host: ${authority}`]),
    ...(fresh ? ['-H', 'Connection: close'] : []),
    ...['-s', `${folder}/summary.lua`, url],
  ],
  // Before it starts it opens a connection of its own, to see whether somebody listens.
  parse: (output, { spec }) => ({ ...parseWrkSummary(output), connectionsOpened: spec.connections + 1 }),
}
