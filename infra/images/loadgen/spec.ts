/** What the harness asks of the generator: one load, one target, one seed; checked before anything is sent. */
import { z } from 'zod'
import { hostSchema, portSchema } from '../kit/process/config.js'

const positive = z.number().positive()

export const specSchema = z
  .object({
    engine: z.string().optional(),
    model: z.enum(['open', 'closed']).optional(),
    protocol: z.enum(['http1', 'h2', 'grpc', 'tcp']).default('http1'),
    ratePerSecond: positive.max(1_000_000).optional(),
    arrival: z.enum(['uniform', 'poisson']).default('uniform'),
    connections: z.int().min(1).max(20_000),
    warmupMs: z.number().min(0).max(3_600_000),
    durationMs: positive.max(3_600_000),
    payloadBytes: z
      .int()
      .min(0)
      .max(1024 ** 4),
    timeoutMs: positive.max(600_000),
    workers: z.int().min(1).max(64).default(1),
    headers: z
      .record(z.string().regex(/^[!#$%&'*+.^_`|~0-9a-z-]+$/), z.string().regex(/^[\t\x20-\x7e]*$/))
      .default({})
      .describe('fields of every request beyond the usual ones; raw TCP has none'),
    seed: z.int().default(1),
    recording: z
      .boolean()
      .default(true)
      .describe('false: count but do not record times; shows what recording costs'),
    target: z.object({
      host: hostSchema,
      port: portSchema.min(1),
      authority: z.string().min(1).max(260).optional(),
    }),
  })
  .strict()

/** The harness's LoadSpec with a target and a seed. Times are in ms, payload and counts whole. */
export type Spec = z.output<typeof specSchema>
export type Target = Spec['target']

/** Value of the `host` header and of `:authority`. */
export function authorityOf({ host, port, authority }: Target): string {
  return authority ?? `${host.includes(':') ? `[${host}]` : host}:${port}`
}
