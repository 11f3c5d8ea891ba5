/** hey: its CSV has one line for each reply, in steps of 100 µs. */
import { kindOfStatus } from '../wires/wire.js'
import { type Tool, type ToolReport, addError, secondsArgument } from './tool.js'
import type { ErrorKind } from '../../../../harness/protocol/result.js'

const header = 'response-time,DNS+dialup,DNS,Request-write,Response-delay,Response-read,status-code,offset'

export function parseHeyCsv(output: string): ToolReport {
  const lines = output.split('\n')
  const start = lines.indexOf(header)
  if (start < 0) throw new Error('hey printed no CSV of the columns that are known')
  const errors: Partial<Record<ErrorKind, number>> = {}
  const latency: [number, number][] = []
  for (const line of lines.slice(start + 1)) {
    const columns = line.split(',')
    if (columns.length !== 8) continue
    const kind = kindOfStatus(Number(columns[6]))
    if (kind === undefined) latency.push([Number(columns[0]) * 1e6, 1])
    else addError(errors, kind, 1)
  }
  return { ok: latency.length, errors, latency }
}

export const hey: Tool = {
  program: 'hey',
  charges: 'sent',
  limits: [
    'hey: times in steps of 100 µs, and at most one million of them',
    'hey: its rate is a pause after each reply of each connection; there is no due time and no send lag',
    'hey: replies that fail without a status are not in its CSV, and lengths of bodies are not checked',
  ],
  argv: ({ spec, url, authority, seconds, fresh }) => [
    ...['-z', secondsArgument(seconds), '-c', String(spec.connections), '-o', 'csv', '-disable-redirects'],
    ...['-t', String(Math.max(1, Math.round(spec.timeoutMs / 1000)))],
    ...(spec.ratePerSecond === undefined ? [] : ['-q', String(spec.ratePerSecond / spec.connections)]),
    ...(authority === undefined ? [] : ['-host', authority]),
    ...(fresh ? ['-disable-keepalive'] : []),
    url,
  ],
  parse: (output) => parseHeyCsv(output),
}
