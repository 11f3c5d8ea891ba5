/** autocannon with a rate, by its own percentiles: known here to be tested, and no engine of a run. */
import { createRequire } from 'node:module'
import { countFates, stepsOf } from '../../infra/images/loadgen/tools/tool.js'
import type { Subject } from './subject.js'

interface AutocannonJson {
  readonly duration: number
  readonly errors: number
  readonly timeouts: number
  readonly resets: number
  readonly statusCodeStats: Readonly<Record<string, { readonly count: number }>>
  readonly latency: Readonly<Record<string, number>>
}

/** Its names of percentiles are `p97_5`. */
export function parseAutocannon(output: string) {
  const json = JSON.parse(output.slice(output.indexOf('{'))) as AutocannonJson
  const fates = countFates(
    Object.entries(json.statusCodeStats).map(([status, { count }]) => [Number(status), count]),
    [
      // Time-outs are among its errors.
      ['reset', json.errors - json.timeouts + json.resets],
      ['timeout', json.timeouts],
    ],
  )
  const answered = Object.values(json.statusCodeStats).reduce((sum, { count }) => sum + count, 0)
  const known = Object.entries(json.latency).flatMap(([name, ms]): [number, number][] => {
    if (name === 'max') return [[1, ms * 1000]]
    const percent = /^p([\d_]+)$/.exec(name)?.[1]?.replace('_', '.')
    return percent === undefined ? [] : [[Number(percent) / 100, ms * 1000]]
  })
  return { ...fates, latency: stepsOf(known, answered), windowMs: json.duration * 1000 }
}

const program = createRequire(import.meta.url).resolve('autocannon')

export const autocannon: Subject = {
  name: 'autocannon',
  program: process.execPath,
  takesRate: true,
  notes: [
    'autocannon: each second’s share of its rate is sent as a burst, and its times are whole milliseconds',
    'autocannon: with a rate it adds made-up times, 1 ms apart, below every time of more than 1 ms (its histogram’s correction): its p50 of 5 ms is 3 ms',
    'autocannon: a reset that comes along with the body’s last bytes is the end of the stream to Node, which it counts as no error',
    'autocannon: a new connection is read with the parser of the one before, so that it stands still behind a body that broke off',
  ],
  canBeFresh: false,
  versionArguments: [program, '--version'],
  command: ({ host, port, ratePerSecond, connections, seconds, payloadBytes }) => [
    ...[
      process.execPath,
      program,
      '--json',
      '--no-progress',
      '-c',
      String(connections),
      '-d',
      String(seconds),
    ],
    ...(ratePerSecond === undefined ? [] : ['-R', String(ratePerSecond)]),
    `http://${host.includes(':') ? `[${host}]` : host}:${port}/echo?size=${payloadBytes}`,
  ],
  read: (output) => parseAutocannon(output),
}
