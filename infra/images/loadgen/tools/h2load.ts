/** h2load (nghttp2): its log file has one line for each reply, in µs. */
import { kindOfStatus } from '../wires/wire.js'
import { type Tool, type ToolReport, addError } from './tool.js'
import type { ErrorKind } from '../../../../harness/protocol/result.js'

const logFile = 'requests.log'

/** Lines of start (µs since 1970), status, µs until the end of the reply; a status of -1 is a request that failed. */
export function parseH2loadLog(log: string, output: string): ToolReport {
  const errors: Partial<Record<ErrorKind, number>> = {}
  const latency: [number, number][] = []
  for (const line of log.split('\n')) {
    const [, status, us] = line.split('\t')
    if (us === undefined) continue
    const kind = Number(status) < 0 ? 'reset' : kindOfStatus(Number(status))
    if (kind === undefined) latency.push([Number(us), 1])
    else addError(errors, kind, 1)
  }
  const timeouts = /(\d+) timeout$/m.exec(output)?.[1]
  addError(errors, 'timeout', Number(timeouts ?? 0))
  const took = /^finished in ([\d.]+)(s|ms),/m.exec(output)
  const bodyBytes = /\((\d+)\) data$/m.exec(output)?.[1]
  return {
    ok: latency.length,
    errors,
    latency,
    ...(took ? { windowMs: Number(took[1]) * (took[2] === 's' ? 1000 : 1) } : {}),
    ...(bodyBytes === undefined ? {} : { bodyBytes: Number(bodyBytes) }),
  }
}

export const h2load: Tool = {
  program: 'h2load',
  charges: 'sent',
  limits: [
    'h2load: no due time and no send lag; a rate is dealt to the connections, each with a timer of its own',
    'h2load: requests in flight at the end are not counted, so the server sees some more',
    'h2load: lengths of bodies are not checked',
  ],
  argv: ({ spec, url, authority, seconds, folder, fresh }) => [
    ...['-D', String(Math.max(1, Math.round(seconds))), '-c', String(spec.connections), '-m', '1'],
    ...['-t', String(Math.min(spec.workers, spec.connections)), '--log-file', `${folder}/${logFile}`],
    ...(spec.protocol === 'http1' ? ['--h1'] : ['-p', 'h2c']),
    ...(spec.ratePerSecond === undefined ? [] : ['--rps', String(spec.ratePerSecond / spec.connections)]),
    // Over HTTP/1.1, too: a field called host would stand beside the one that h2load makes of the URL.
    ...(authority === undefined ? [] : ['-H', `:authority: ${authority}`]),
    ...(fresh ? ['-H', 'connection: close'] : []),
    url,
  ],
  parse: (output, _run, files) => parseH2loadLog(files(logFile), output),
}
