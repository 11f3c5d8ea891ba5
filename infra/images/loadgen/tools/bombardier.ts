/** bombardier: read through its JSON, which has five percentiles and the slowest in µs. */
import { type Tool, type ToolReport, countFates, secondsArgument, stepsOf } from './tool.js'

interface BombardierJson {
  readonly result?: {
    readonly timeTakenSeconds: number
    readonly req2xx: number
    readonly req3xx: number
    readonly req4xx: number
    readonly req5xx: number
    readonly errors?: readonly { readonly description: string; readonly count: number }[]
    readonly latency?: { readonly max: number; readonly percentiles?: Readonly<Record<string, number>> }
  }
}

export function parseBombardier(output: string): ToolReport {
  const { result } = JSON.parse(output.slice(output.indexOf('{'))) as BombardierJson
  const { latency, errors = [] } = result ?? {}
  if (!result || !latency?.percentiles) throw new Error('bombardier wrote no latencies')
  const answered = result.req2xx + result.req3xx + result.req4xx + result.req5xx
  return {
    ...countFates(
      // Of the statuses above 299 the only one that is meant to be answered with is 304.
      [
        [200, result.req2xx],
        [304, result.req3xx],
        [400, result.req4xx],
        [500, result.req5xx],
      ],
      errors.map(({ description, count }) => [description, count]),
    ),
    latency: stepsOf(
      [
        ...Object.entries(latency.percentiles).map(([percent, us]) => [Number(percent) / 100, us] as const),
        [1, latency.max],
      ],
      answered,
    ),
    windowMs: result.timeTakenSeconds * 1000,
  }
}

export const bombardier: Tool = {
  program: 'bombardier',
  charges: 'sent',
  limits: [
    'bombardier: its rate is a bucket that all connections take from; there is no due time and no send lag',
    'bombardier: only five percentiles and the slowest are known; values between take the next higher one',
  ],
  argv: ({ spec, url, authority, seconds, fresh }) => [
    ...['-c', String(spec.connections), '-d', secondsArgument(seconds), '-t', `${spec.timeoutMs}ms`],
    ...['-o', 'json', '-p', 'r', '-l'],
    // It takes whole requests per second.
    ...(spec.ratePerSecond === undefined ? [] : ['-r', String(Math.round(spec.ratePerSecond))]),
    ...(fresh ? ['-H', 'Connection: close'] : []),
    ...(authority === undefined ? [] : ['-H', `Host: ${authority}`]),
    url,
  ],
  parse: (output) => parseBombardier(output),
}
