/** hey: its CSV has one line for each reply, in steps of 100 µs. */
import { kindOfStatus } from '../wires/wire.js'
import { type Tool, type ToolReport, countReplies, secondsArgument, wholeSeconds } from './tool.js'

const header = 'response-time,DNS+dialup,DNS,Request-write,Response-delay,Response-read,status-code,offset'

export function parseHeyCsv(output: string): ToolReport {
  const lines = output.split('\n')
  const start = lines.indexOf(header)
  if (start < 0) throw new Error('hey printed no CSV of the columns that are known')
  const rows = lines.slice(start + 1).map((line) => line.split(','))
  return countReplies(
    rows
      .filter(({ length }) => length === 8)
      .map((columns) => [kindOfStatus(Number(columns[6])), Number(columns[0]) * 1e6]),
  )
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
    ...['-t', wholeSeconds(spec.timeoutMs / 1000)],
    ...(spec.ratePerSecond === undefined ? [] : ['-q', String(spec.ratePerSecond / spec.connections)]),
    ...(authority === undefined ? [] : ['-host', authority]),
    ...(fresh ? ['-disable-keepalive'] : []),
    url,
  ],
  parse: (output) => parseHeyCsv(output),
}
