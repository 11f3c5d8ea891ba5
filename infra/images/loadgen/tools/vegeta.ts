/** vegeta: its results have one line for each reply, in ns, when its own encoder has read them. */
import { kindOfStatus } from '../wires/wire.js'
import { type Tool, type ToolReport, addError, secondsArgument } from './tool.js'
import type { ErrorKind } from '../../../../harness/protocol/result.js'

/** Columns as `vegeta encode --to csv` writes them: Unix ns, status, latency ns, bytes out, bytes in, error, … */
export function parseVegetaCsv(output: string): ToolReport {
  const errors: Partial<Record<ErrorKind, number>> = {}
  const latency: [number, number][] = []
  for (const line of output.split('\n')) {
    const [, status, ns, , , failure = ''] = line.split(',')
    if (ns === undefined) continue
    const kind = kindOfStatus(Number(status))
    // A status may stand beside a failure: the body that broke off had a head.
    if (Number(status) === 0 || (failure !== '' && kind === undefined))
      addError(
        errors,
        /dial|refused/.test(failure) ? 'connect' : /time/i.test(failure) ? 'timeout' : 'reset',
        1,
      )
    else if (kind === undefined) latency.push([Number(ns) / 1000, 1])
    else addError(errors, kind, 1)
  }
  if (latency.length === 0 && Object.keys(errors).length === 0) throw new Error('vegeta encoded no results')
  return { ok: latency.length, errors, latency }
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
