/** vegeta: its results have one line for each reply, in ns, when its own encoder has read them. */
import { kindOfStatus } from '../wires/wire.js'
import { type Tool, type ToolReport, countReplies, kindOfFailure, secondsArgument } from './tool.js'

/** Columns as `vegeta encode --to csv` writes them: Unix ns, status, latency ns, bytes out, bytes in, error, … */
export function parseVegetaCsv(output: string): ToolReport {
  const rows = output
    .split('\n')
    .map((line) => line.split(','))
    .filter(({ length }) => length > 2)
  if (rows.length === 0) throw new Error('vegeta encoded no results')
  return countReplies(
    rows.map(([, status, ns, , , failure = '']) => {
      const kind = kindOfStatus(Number(status))
      // A status may stand beside a failure: the body that broke off had a head.
      const hasFailed = Number(status) === 0 || (failure !== '' && kind === undefined)
      return [hasFailed ? kindOfFailure(failure) : kind, Number(ns) / 1000]
    }),
  )
}

export const vegeta: Tool = {
  program: 'vegeta',
  charges: 'due',
  countsAll: true,
  limits: [
    'vegeta: latency starts when a worker takes a request up, which is when it was due as long as one is free',
    'vegeta: no send lag, and lengths of bodies are not checked',
  ],
  wrap: ['sh', '-c', 'url=$1; shift; echo "GET $url" | vegeta "$@" | vegeta encode --to csv', 'vegeta'],
  argv: ({ spec, url, authority, seconds, fresh }) => [
    ...[url, 'attack', '-duration', secondsArgument(seconds), '-timeout', `${spec.timeoutMs}ms`],
    ...(spec.ratePerSecond === undefined
      ? ['-rate', '0', '-max-workers', String(spec.connections)]
      : // It takes whole requests for a unit of time.
        ['-rate', `${Math.round(spec.ratePerSecond * 100)}/100s`]),
    ...['-connections', String(spec.connections), '-max-connections', String(spec.connections)],
    ...['-max-body', '0', '-redirects', '-1'],
    ...(fresh ? ['-keepalive=false'] : []),
    ...(authority === undefined ? [] : ['-header', `Host: ${authority}`]),
  ],
  parse: (output) => parseVegetaCsv(output),
}
