/** What a load engine writes to its standard output, one JSON line each; see infra/images/README.md for who answers what. */
import { z } from 'zod'
import { loadResultSchema } from './result.js'

const amount = z.number().min(0)

export const phaseSchema = z.enum(['warmup', 'window'])
export type Phase = z.infer<typeof phaseSchema>

export const edgeSchema = z.enum(['start', 'end'])

/** Why a generator gave up: `tool` is the program of others that it ran, `protocol` what the harness said or did not. */
export const generatorFaultSchema = z.enum(['connect', 'internal', 'protocol', 'spec', 'tool'])
export type GeneratorFault = z.infer<typeof generatorFaultSchema>

export const loadEventSchema = z.discriminatedUnion('event', [
  z.object({ event: z.literal('connected'), connections: amount }),
  z.object({
    event: z.literal('progress'),
    phase: phaseSchema,
    elapsedMs: amount,
    sent: amount,
    ok: amount,
    /** Of the phase so far; absent before the first reply. */
    p99Us: amount.exactOptional(),
  }),
  z.object({ event: z.literal('edge'), edge: edgeSchema }),
  z.object({ event: z.literal('result'), result: loadResultSchema }),
  z.object({ event: z.literal('error'), kind: generatorFaultSchema, message: z.string() }),
])
export type LoadEvent = Readonly<z.infer<typeof loadEventSchema>>
