/** oha: read through its JSON, which has percentiles but no histogram fine enough. */
import { type Tool, type ToolReport, countFates, secondsArgument, stepsOf } from './tool.js'

/** https://github.com/hatoo/oha: `latencyPercentiles` and `summary` are in seconds. */
interface OhaJson {
  readonly summary?: {
    readonly total: number
    readonly slowest: number
    readonly totalData: number
  }
  readonly latencyPercentiles?: Readonly<Record<string, number | null>>
  readonly statusCodeDistribution?: Readonly<Record<string, number>>
  readonly errorDistribution?: Readonly<Record<string, number>>
}

export function parseOha(output: string): ToolReport {
  const json = JSON.parse(output.slice(output.indexOf('{'))) as OhaJson
  const { summary, latencyPercentiles, statusCodeDistribution } = json
  if (!summary || !latencyPercentiles || !statusCodeDistribution) throw new Error('oha wrote no summary')
  const fates = countFates(
    Object.entries(statusCodeDistribution).map(([status, count]) => [Number(status), count]),
    // Requests that the end of the run cut off are no failures.
    Object.entries(json.errorDistribution ?? {}).filter(([text]) => !/deadline/.test(text)),
  )
  const known = Object.entries(latencyPercentiles).flatMap(([name, seconds]): [number, number][] =>
    seconds === null ? [] : [[Number(name.slice(1)) / 100, seconds * 1e6]],
  )
  return {
    ...fates,
    latency: stepsOf([...known, [1, summary.slowest * 1e6]], fates.ok),
    bodyBytes: summary.totalData,
    windowMs: summary.total * 1000,
  }
}

export const oha: Tool = {
  program: 'oha',
  charges: 'due',
  limits: [
    'oha: only its nine percentiles and the slowest are known; values between take the next higher one',
    'oha: no send lag, and lengths of bodies are not checked',
  ],
  argv: ({ spec, url, authority, seconds, fresh }) => [
    ...['--no-tui', '--output-format', 'json', '--redirect', '0'],
    ...['-z', secondsArgument(seconds), '-c', String(spec.connections), '-t', `${spec.timeoutMs}ms`],
    ...(spec.ratePerSecond === undefined ? [] : ['-q', String(spec.ratePerSecond), '--latency-correction']),
    ...(spec.protocol === 'h2' ? ['--http2'] : []),
    ...(fresh ? ['--disable-keepalive'] : []),
    ...(authority === undefined ? [] : ['--host', authority]),
    url,
  ],
  parse: (output) => parseOha(output),
}
