/** Settings that several experiments take, each with its bounds: what an experiment gives is the defaults. */
import { z } from 'zod'

export const count = z.int().positive()
export const rate = z.number().positive().max(1_000_000)
export const connections = count.max(10_000)
/** Of one reply, which the application holds in memory. */
export const payloadBytes = z
  .int()
  .min(0)
  .max(64 * 2 ** 20)
export const protocol = z.enum(['http1', 'h2', 'grpc', 'tcp'])
export const rounds = count.max(1000)

export interface WindowDefaults {
  readonly warmupMs: number
  readonly durationMs: number
  readonly timeoutMs?: number
}

/** When a trial's window begins, when it ends, and how long a request may take. */
export const windowSettings = ({ warmupMs, durationMs, timeoutMs = 5000 }: WindowDefaults) => ({
  warmupMs: z.int().min(0).max(600_000).default(warmupMs),
  durationMs: z.int().min(100).max(3_600_000).default(durationMs),
  timeoutMs: count.max(600_000).default(timeoutMs),
})

/** What an open loop sends, but for its rate. */
export const openLoopSettings = (window: WindowDefaults) => ({
  connections: connections.default(16),
  payloadBytes: payloadBytes.default(1024),
  protocol: protocol.default('http1'),
  arrival: z.enum(['uniform', 'poisson']).default('uniform'),
  ...windowSettings(window),
  workers: count.max(64).default(1),
})
