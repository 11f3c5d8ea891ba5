/**
 * What does a new connection cost on each path? A connection for each request, to the first hop in plain TCP; whether the
 * hops behind it shake hands anew or pool what they encrypt is counted, and a variant of the tunnel's pool shows the other way.
 */
import { z } from 'zod'
import { loadLabel, type Experiment } from './experiment.js'

const count = z.int().positive()

const settings = z.strictObject({
  /** New connections a second. Every one takes a local port for a minute after it was closed (TIME_WAIT). */
  ratePerSecond: z.number().positive().max(10_000).default(200),
  /** At most so many at once. */
  connections: count.max(10_000).default(16),
  payloadBytes: z
    .int()
    .min(0)
    .max(64 * 2 ** 20)
    .default(1024),
  protocol: z.enum(['http1', 'h2', 'grpc', 'tcp']).default('http1'),
  arrival: z.enum(['uniform', 'poisson']).default('uniform'),
  warmupMs: z.int().min(0).max(600_000).default(300),
  durationMs: z.int().min(100).max(3_600_000).default(1000),
  timeoutMs: count.max(600_000).default(5000),
  workers: count.max(64).default(1),
  rounds: count.max(1000).default(6),
})
export type ConnectSettings = z.infer<typeof settings>

export const connect = {
  name: 'connect',
  question:
    'How long does a new connection take on each path, to connect and to the first byte, and what does it cost in CPU?',
  settings,
  loads: ({ rounds: _rounds, ...rest }) => {
    const load = { engine: 'connect', model: 'open' as const, ...rest }
    return [{ label: `new connections ${loadLabel(load)}`, load }]
  },
  rounds: ({ rounds }) => rounds,
  metrics: ['connect.time', 'connect.firstByte', 'cpu.per1000Requests'],
} satisfies Experiment<ConnectSettings>
