/** ab (Apache): its CSV has one hundred percentiles in µs; HTTP/1.0 with keep-alive, in one thread. */
import { type Tool, type ToolReport, errorsOf, stepsOf, wholeSeconds } from './tool.js'

const csvFile = 'percentiles.csv'

export function parseAb(csv: string, output: string): ToolReport {
  const count = (name: string) => Number(new RegExp(`${name}:\\s+([\\d.]+)`).exec(output)?.[1] ?? 0)
  const complete = count('Complete requests')
  if (complete === 0) throw new Error('ab completed nothing')
  const part = (name: string) => count(`\\(.*${name}`)
  const failed = count('Failed requests')
  const [connect, length] = [part('Connect'), part('Length')]
  const reset = Math.max(0, failed - connect - length)
  const statuses = count('Non-2xx responses')
  const known = csv
    .split('\n')
    .map((line) => line.split(',').map(Number))
    .flatMap(([percent, ms]): [number, number][] =>
      ms !== undefined && percent !== undefined && percent > 0 ? [[percent / 100, ms * 1000]] : [],
    )
  return {
    // What broke off counts as completed, too, and what has another status as neither.
    ok: Math.max(0, complete - failed - statuses),
    errors: errorsOf({ connect, mismatch: length, reset, other: statuses }),
    latency: stepsOf(known, complete),
    bodyBytes: count('HTML transferred'),
    windowMs: count('Time taken for tests') * 1000,
  }
}

export const ab: Tool = {
  program: 'ab',
  charges: 'sent',
  limits: [
    'ab: closed loop, so there is no response time and no send lag',
    'ab: speaks HTTP/1.0, and statuses that are no success are not told apart',
    'ab: only whole percentiles and the longest are known; values between take the next higher one',
  ],
  argv: ({ spec, url, authority, seconds, folder, fresh }) => [
    // The number, after the time: it keeps a slot for each request that it may send.
    ...['-q', '-t', wholeSeconds(seconds), '-n', '2000000', '-c', String(spec.connections)],
    ...['-s', wholeSeconds(spec.timeoutMs / 1000), '-r', '-l'],
    ...(fresh ? [] : ['-k']),
    ...(authority === undefined ? [] : ['-H', `Host: ${authority}`]),
    ...['-e', `${folder}/${csvFile}`, url],
  ],
  parse: (output, _run, files) => parseAb(files(csvFile), output),
}
