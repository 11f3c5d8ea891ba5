/** fortio: the load tool of Istio's own benchmarks, read through its JSON. */
import { type Tool, type ToolReport, countFates, secondsArgument } from './tool.js'

/** https://github.com/fortio/fortio/blob/master/stats/stats.go and fhttp/httprunner.go. Times are in seconds, `ActualDuration` in ns. */
interface FortioJson {
  readonly ActualDuration?: number
  readonly RetCodes?: Readonly<Record<string, number>>
  readonly SocketCount?: number
  readonly DurationHistogram?: {
    readonly Data?: readonly { readonly Start: number; readonly End: number; readonly Count: number }[]
  }
}

const jsonFile = 'fortio.json'

export function parseFortio(text: string): ToolReport {
  const json = JSON.parse(text) as FortioJson
  const data = json.DurationHistogram?.Data
  if (!data || !json.RetCodes) throw new Error('fortio wrote no DurationHistogram or no RetCodes')
  return {
    // -1 is a socket error.
    ...countFates(
      Object.entries(json.RetCodes).flatMap(([code, count]) =>
        Number(code) < 0 ? [] : [[Number(code), count]],
      ),
      [['socket', json.RetCodes['-1'] ?? 0]],
    ),
    latency: data.map(({ Start, End, Count }) => [((Start + End) / 2) * 1e6, Count] as const),
    ...(json.ActualDuration === undefined ? {} : { windowMs: json.ActualDuration / 1e6 }),
    ...(json.SocketCount === undefined ? {} : { connectionsOpened: json.SocketCount }),
  }
}

export const fortio: Tool = {
  program: 'fortio',
  charges: 'sent',
  limits: [
    'fortio: latency is charged from when a request was sent; there is no due time and no send lag',
    'fortio: one request on each connection, sent ahead of the rest, is not counted',
    'fortio: its histogram has steps of 100 µs and more; the middle of a step stands for it',
    'fortio: latencies of failed requests are among the rest',
  ],
  argv: ({ spec, url, authority, seconds, folder, fresh }) => [
    ...['load', '-qps', String(spec.ratePerSecond ?? -1), '-c', String(spec.connections)],
    ...['-t', secondsArgument(seconds)],
    ...['-r', '0.0001', '-uniform', '-nocatchup', '-timeout', `${spec.timeoutMs}ms`, '-allow-initial-errors'],
    ...(spec.protocol === 'h2' ? ['-h2'] : []),
    ...(authority === undefined ? [] : ['-H', `Host: ${authority}`]),
    ...(fresh ? ['-keepalive=false'] : []),
    ...['-json', `${folder}/${jsonFile}`, url],
  ],
  parse: (_output, _run, files) => parseFortio(files(jsonFile)),
}
