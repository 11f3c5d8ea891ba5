/** h2load (nghttp2): its log file has one line for each reply, in µs. */
import { kindOfStatus } from '../wires/wire.js'
import { type Tool, type ToolReport, countReplies, errorsOf, wholeSeconds } from './tool.js'

const logFile = 'requests.log'

/** Lines of start (µs since 1970), status, µs until the end of the reply; a status of -1 is a request that failed. */
export function parseH2loadLog(log: string, output: string): ToolReport {
  const rows = log.split('\n').map((line) => line.split('\t'))
  const replies = countReplies(
    rows
      .filter(({ length }) => length > 2)
      .map(([, status, us]) => [Number(status) < 0 ? 'reset' : kindOfStatus(Number(status)), Number(us)]),
  )
  const timeout = Number(/(\d+) timeout$/m.exec(output)?.[1] ?? 0)
  const took = /^finished in ([\d.]+)(s|ms),/m.exec(output)
  const bodyBytes = /\((\d+)\) data$/m.exec(output)?.[1]
  return {
    ...replies,
    errors: errorsOf({ ...replies.errors, timeout }),
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
    ...['-D', wholeSeconds(seconds), '-c', String(spec.connections), '-m', '1'],
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
