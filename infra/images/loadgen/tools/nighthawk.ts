/** nighthawk: Envoy's own load generator, read through its JSON. */
import { type Tool, type ToolReport, addedBy, errorsOf, wholeSeconds } from './tool.js'

/**
 * api/client/output.proto of envoyproxy/nighthawk as proto3 JSON writes it: 64-bit counts are text, and durations are
 * seconds with an `s`.
 */
interface NighthawkJson {
  readonly results?: readonly {
    readonly name?: string
    readonly statistics?: readonly {
      readonly id?: string
      readonly count?: string
      readonly percentiles?: readonly { readonly count?: string; readonly duration?: string }[]
    }[]
    readonly counters?: readonly { readonly name?: string; readonly value?: string }[]
    readonly execution_duration?: string
  }[]
}

export function parseNighthawk(output: string): ToolReport {
  const json = JSON.parse(output.slice(output.indexOf('{'))) as NighthawkJson
  // Its workers one by one, and all of them together.
  const all = json.results?.find(({ name }) => name === 'global')
  if (!all) throw new Error('nighthawk wrote no global result')
  const counters = new Map((all.counters ?? []).map(({ name = '', value }) => [name, Number(value ?? 0)]))
  const counter = (name: string) => counters.get(`benchmark.${name}`) ?? 0
  const good = all.statistics?.find(({ id }) => id === 'benchmark_http_client.latency_2xx')
  const percentiles = good?.percentiles ?? []
  const opened = counters.get('upstream_cx_total')
  return {
    ok: counter('http_2xx'),
    errors: errorsOf({
      '4xx': counter('http_4xx'),
      '5xx': counter('http_5xx'),
      other: counter('http_1xx') + counter('http_3xx') + counter('http_xxx'),
      reset: counter('stream_resets'),
      connect: counter('pool_connection_failure'),
    }),
    latency: addedBy(
      percentiles.map(({ count = '0', duration = '0s' }) => [secondsOf(duration) * 1e6, Number(count)]),
    ),
    ...(opened === undefined ? {} : { connectionsOpened: opened }),
    ...(all.execution_duration === undefined ? {} : { windowMs: secondsOf(all.execution_duration) * 1000 }),
  }
}

function secondsOf(duration: string): number {
  const match = /^(\d+(?:\.\d+)?)s$/.exec(duration)
  if (!match) throw new Error(`nighthawk wrote a duration that is none: ${duration}`)
  return Number(match[1])
}

export const nighthawk: Tool = {
  program: 'nighthawk_client',
  charges: 'sent',
  neverFresh: true,
  limits: [
    'nighthawk: latency is charged from when a request was sent; what waited for a connection shows in its blocking time, which is not read',
    'nighthawk: latencies are known at the steps of its percentile spectrum, and of successful requests alone',
    'nighthawk: requests in flight at the end are not counted, and lengths of bodies are not checked',
  ],
  argv: ({ spec, url, authority, seconds }) => [
    ...['--output-format', 'json', '--concurrency', String(spec.workers)],
    // Of each of its workers.
    ...['--connections', String(Math.max(1, Math.floor(spec.connections / spec.workers)))],
    ...['--duration', wholeSeconds(seconds)],
    ...['--timeout', wholeSeconds(spec.timeoutMs / 1000)],
    ...['--rps', String(Math.max(1, Math.round((spec.ratePerSecond ?? 1_000_000) / spec.workers)))],
    ...(spec.protocol === 'h2' ? ['--protocol', 'http2'] : []),
    ...(authority === undefined ? [] : ['--request-header', `Host: ${authority}`]),
    // It would end at the first error; errors are for the harness to judge.
    '--no-default-failure-predicates',
    url,
  ],
  parse: (output) => parseNighthawk(output),
}
