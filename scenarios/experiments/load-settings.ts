/** Settings that several experiments take, each with its bounds: what an experiment gives is the defaults. */
import { z } from 'zod'
import { requestKindSchema } from '../../harness/protocol/spec.js'

const requestKind = requestKindSchema.unwrap().shape

export const count = z.int().positive()
/** Requests a second, over all connections. */
export const rate = z.number().positive().max(1_000_000)
/** Held open by the generator, in all. */
export const connections = count.max(10_000)
/** Length of each reply's body, which the application holds in memory. */
export const payloadBytes = z
  .int()
  .min(0)
  .max(64 * 2 ** 20)
/** Kinds of request that a load is mixed of, as recorded traffic has them. */
const mix = z
  .array(
    z
      .strictObject({
        share: requestKind.share,
        requestBytes: requestKind.requestBytes.default(0),
        payloadBytes: requestKind.payloadBytes,
      })
      .readonly(),
  )
  .min(1)
  .max(64)
  .readonly()
/** Between generator and application, hops included; `tcp` passes L4 hops alone. */
export const protocol = z.enum(['http1', 'h2', 'grpc', 'tcp'])
export const rounds = count.max(1000)
/** Each step has more of something than the one before it. */
export const steps = (most: number) =>
  z
    .array(count.max(most))
    .min(3)
    .max(8)
    .refine((all) => all.every((n, index) => index === 0 || n > (all[index - 1] ?? 0)), {
      message: 'each step must have more than the one before it',
    })

export interface WindowDefaults {
  readonly warmupMs: number
  readonly durationMs: number
  readonly timeoutMs?: number
}

/** When a trial's window begins, when it ends, and how long a request may take. */
export const windowSettings = ({ warmupMs, durationMs, timeoutMs = 5000 }: WindowDefaults) => ({
  /** Load before the window, which nothing is read of. */
  warmupMs: z.int().min(0).max(600_000).default(warmupMs),
  /** Length of the window. */
  durationMs: z.int().min(100).max(3_600_000).default(durationMs),
  /** A request that takes longer has failed. */
  timeoutMs: count.max(600_000).default(timeoutMs),
})

/** What an open loop sends, but for its rate. */
export const openLoopSettings = (window: WindowDefaults) => ({
  connections: connections.default(16),
  payloadBytes: payloadBytes.default(1024),
  /** Kinds of request instead of the single one whose reply has `payloadBytes`; not of `tcp`. */
  mix: mix.exactOptional(),
  protocol: protocol.default('http1'),
  /** Evenly spaced, or at random as many independent users ask. */
  arrival: z.enum(['uniform', 'poisson']).default('uniform'),
  ...windowSettings(window),
  /** Threads of the generator. */
  workers: count.max(64).default(1),
})
