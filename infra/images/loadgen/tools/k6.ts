/** k6: a script of ours asks for a constant arrival rate, and its summary has the percentiles that we name. */
import { type Tool, type ToolReport, countFates, stepsOf, wholeSeconds } from './tool.js'

const summaryFile = 'summary.json'
const percentiles = ['p(10)', 'p(25)', 'p(50)', 'p(75)', 'p(90)', 'p(95)', 'p(99)', 'p(99.9)', 'max', 'count']

/** https://grafana.com/docs/k6: options, and `handleSummary`, which gets every metric whole. */
const script = `
import http from 'k6/http'
import { Counter } from 'k6/metrics'
const rate = Number(__ENV.RATE), vus = Number(__ENV.CONNECTIONS), duration = __ENV.SECONDS + 's'
export const options = {
  scenarios: {
    load: rate > 0
      ? { executor: 'constant-arrival-rate', rate: Math.round(rate * 100), timeUnit: '100s', duration, preAllocatedVUs: vus, maxVUs: vus, gracefulStop: '5s' }
      : { executor: 'constant-vus', vus, duration, gracefulStop: '5s' },
  },
  discardResponseBodies: true,
  summaryTrendStats: ${JSON.stringify(percentiles)},
}
const statuses = {}
for (const status of [0, 200, 204, 304, 400, 500]) statuses[status] = new Counter('status_' + status)
const params = { timeout: Number(__ENV.TIMEOUT_MS), headers: __ENV.AUTHORITY ? { Host: __ENV.AUTHORITY } : {}, redirects: 0 }
export default function () {
  const { status, error_code } = http.get(__ENV.URL, params)
  const known = status === 0 || (error_code > 0 && status < 400) ? 0 : statuses[status] ? status : status >= 500 ? 500 : 400
  statuses[known].add(1)
}
export function handleSummary(data) { return { [__ENV.SUMMARY]: JSON.stringify(data.metrics) } }
`

type Metrics = Readonly<Record<string, { readonly values?: Readonly<Record<string, number>> } | undefined>>

export function parseK6(text: string): ToolReport {
  const metrics = JSON.parse(text) as Metrics
  const durations = metrics.http_req_duration?.values
  if (!durations) throw new Error('k6 wrote no http_req_duration')
  const count = (status: number) => metrics[`status_${status}`]?.values?.count ?? 0
  const known = Object.entries(durations).flatMap(([name, ms]): [number, number][] => {
    if (name === 'max') return [[1, ms * 1000]]
    const percent = /^p\(([\d.]+)\)$/.exec(name)?.[1]
    return percent === undefined ? [] : [[Number(percent) / 100, ms * 1000]]
  })
  return {
    ...countFates(
      [200, 204, 304, 400, 500].map((status) => [status, count(status)]),
      [['broken off', count(0)]],
    ),
    latency: stepsOf(known, durations.count ?? metrics.http_reqs?.values?.count ?? 0),
    dropped: metrics.dropped_iterations?.values?.count ?? 0,
  }
}

export const k6: Tool = {
  program: 'k6',
  charges: 'sent',
  limits: [
    'k6: latency is charged from when a request was sent; iterations that were due while all connections were taken are dropped, and told as unsent',
    'k6: only the percentiles that are asked for are known; values between take the next higher one',
    'k6: no send lag; its duration leaves out connecting',
  ],
  files: { 'load.js': script },
  argv: ({ spec, url, authority, seconds, folder, fresh }) => [
    ...['run', '--quiet', '--no-usage-report', '--address', '', '--no-color'],
    ...(fresh ? ['--no-connection-reuse'] : []),
    ...Object.entries({
      URL: url,
      RATE: spec.ratePerSecond ?? 0,
      CONNECTIONS: spec.connections,
      SECONDS: wholeSeconds(seconds),
      TIMEOUT_MS: spec.timeoutMs,
      AUTHORITY: authority ?? '',
      SUMMARY: `${folder}/${summaryFile}`,
    }).flatMap(([name, value]) => ['-e', `${name}=${value}`]),
    `${folder}/load.js`,
  ],
  parse: (_output, _run, files) => parseK6(files(summaryFile)),
}
