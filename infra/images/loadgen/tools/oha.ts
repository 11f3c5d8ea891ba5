/** oha: read through its JSON, which has percentiles but no histogram fine enough. */
import { type Tool, type ToolReport, addError, kindOfCode, secondsArgument } from './tool.js'
import type { ErrorKind } from '../../../../harness/protocol/result.js'

/** https://github.com/hatoo/oha: `latencyPercentiles` and `summary` are in seconds. */
interface OhaJson {
  readonly summary?: {
    readonly total: number
    readonly slowest: number
    readonly fastest: number
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
  const errors: Partial<Record<ErrorKind, number>> = {}
  let ok = 0
  for (const [status, count] of Object.entries(statusCodeDistribution)) {
    const kind = kindOfCode(Number(status))
    if (kind === undefined) ok += count
    else addError(errors, kind, count)
  }
  for (const [text, count] of Object.entries(json.errorDistribution ?? {})) {
    // Requests that the end of the run cut off are no failures.
    if (/deadline/.test(text)) continue
    addError(
      errors,
      /refused|connect(?!ion closed before)/i.test(text)
        ? 'connect'
        : /time/i.test(text)
          ? 'timeout'
          : 'reset',
      count,
    )
  }
  return {
    ok,
    errors,
    latency: spread(latencyPercentiles, summary.slowest, ok),
    bodyBytes: summary.totalData,
    windowMs: summary.total * 1000,
  }
}

/** Gives every step between two known percentiles the upper one's value: never better than it was. */
function spread(
  percentiles: Readonly<Record<string, number | null>>,
  slowest: number,
  count: number,
): [number, number][] {
  const known = Object.entries(percentiles)
    .flatMap(([name, seconds]) =>
      seconds === null ? [] : [{ share: Number(name.slice(1)) / 100, us: seconds * 1e6 }],
    )
    .sort((a, b) => a.share - b.share)
  const steps = [...known, { share: 1, us: slowest * 1e6 }]
  let before = 0
  return steps.flatMap(({ share, us }) => {
    const upTo = Math.round(share * count)
    const step: [number, number][] = upTo > before ? [[us, upTo - before]] : []
    before = Math.max(before, upTo)
    return step
  })
}

export const oha: Tool = {
  program: 'oha',
  charges: 'due',
  leavesUncounted: true,
  limits: [
    'oha: only its nine percentiles and the slowest are known; values between take the next higher one',
    'oha: no send lag, and lengths of bodies are not checked',
  ],
  argv: ({ spec, url, authority, seconds }) => [
    ...['--no-tui', '--output-format', 'json', '--redirect', '0'],
    ...['-z', secondsArgument(seconds), '-c', String(spec.connections), '-t', `${spec.timeoutMs}ms`],
    ...(spec.ratePerSecond === undefined ? [] : ['-q', String(spec.ratePerSecond), '--latency-correction']),
    ...(spec.protocol === 'h2' ? ['--http2'] : []),
    ...(authority === undefined ? [] : ['--host', authority]),
    url,
  ],
  parse: (output) => parseOha(output),
}
