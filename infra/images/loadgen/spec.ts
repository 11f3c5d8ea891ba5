/** What the harness asks of the generator: one load, one target, one seed; checked before anything is sent. */
import { z } from 'zod'
import { loadSpecSchema } from '../../../harness/protocol/spec.js'
import { hostSchema, portSchema } from '../kit/process/config.js'

const load = loadSpecSchema.unwrap().shape

export const specSchema = z.strictObject({
  ...load,
  engine: load.engine.optional(),
  model: load.model.optional(),
  protocol: load.protocol.default('http1'),
  arrival: load.arrival.unwrap().default('uniform'),
  workers: load.workers.unwrap().default(1),
  headers: load.headers.unwrap().default({}),
  mix: load.mix.unwrap().optional(),
  workloads: load.workloads.unwrap().default(1),
  sliceMs: load.sliceMs.unwrap().optional(),
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
  furtherTargets: z
    .array(z.object({ host: hostSchema, port: portSchema.min(1) }))
    .readonly()
    .default([])
    .describe('of the workloads after the first, where they are reached otherwise'),
})

export type Spec = z.output<typeof specSchema>
export type Target = Spec['target']

/** Value of the `host` header and of `:authority`. */
export function authorityOf({ host, port, authority }: Target): string {
  return authority ?? `${host.includes(':') ? `[${host}]` : host}:${port}`
}
