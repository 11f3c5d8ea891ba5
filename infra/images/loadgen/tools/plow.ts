/** plow: read through the JSON of its summary, which has seven percentiles and the slowest in µs. */
import { type Tool, type ToolReport, countFates, secondsArgument, stepsOf } from './tool.js'

/** https://github.com/six-ddc/plow, print.go: with `--seconds` times are texts of seconds; `Error` is there when there were some. */
interface PlowJson {
  readonly Summary?: {
    readonly Count: number
    readonly Counts: Readonly<Record<string, number>>
    readonly RPS: number
  }
  readonly Error?: Readonly<Record<string, number>>
  readonly Statistics?: { readonly Latency: { readonly Max: string } }
  readonly Percentiles?: Readonly<Record<string, string>>
}

/** A status for each of its classes: of those above 299 the only one that is meant to be answered with is 304. */
const statusOf: Readonly<Record<string, number>> = { '2xx': 200, '3xx': 304, '4xx': 400, '5xx': 500 }

export function parsePlow(output: string): ToolReport {
  const {
    Summary,
    Error: failures = {},
    Statistics,
    Percentiles,
  } = JSON.parse(output.slice(output.indexOf('{'))) as PlowJson
  if (!Summary || !Statistics || !Percentiles) throw new Error('plow wrote no summary')
  const known = Object.entries(Percentiles).map(([name, seconds]): [number, number] => [
    Number(name.slice(1)) / 100,
    Number(seconds) * 1e6,
  ])
  return {
    ...countFates(
      Object.entries(Summary.Counts).map(([statuses, count]) => [statusOf[statuses] ?? 100, count]),
      Object.entries(failures),
    ),
    latency: stepsOf([...known, [1, Number(Statistics.Latency.Max) * 1e6]], Summary.Count),
    // Its own elapsed time is cut to tenths of a second.
    ...(Summary.RPS > 0 ? { windowMs: (Summary.Count / Summary.RPS) * 1000 } : {}),
  }
}

export const plow: Tool = {
  program: 'plow',
  charges: 'sent',
  limits: [
    'plow: its rate is a bucket that all connections take from; there is no due time and no send lag',
    'plow: only seven percentiles, estimated, and the slowest are known; values between take the next higher one',
    'plow: requests in flight at the end are not counted, and lengths of bodies are not checked',
  ],
  argv: ({ spec, url, authority, seconds, fresh }) => [
    ...['-c', String(spec.connections), '-d', secondsArgument(seconds), '--timeout', `${spec.timeoutMs}ms`],
    // No page of its own to watch, and nothing printed but the end.
    ...['--listen', '', '--summary', '--json', '--seconds'],
    // It takes whole requests for a unit of time.
    ...(spec.ratePerSecond === undefined ? [] : ['--rate', `${Math.round(spec.ratePerSecond * 100)}/100s`]),
    ...(fresh ? ['-H', 'Connection: close'] : []),
    ...(authority === undefined ? [] : ['--host', authority]),
    url,
  ],
  parse: (output) => parsePlow(output),
}
