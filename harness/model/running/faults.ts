/** Why a trial failed. */
import { z } from 'zod'
import { generatorFaultSchema } from '../../protocol/events.js'
import { object, text } from '../shape.js'

/** A generator whose faults are nobody's else: the trial is worth another attempt. */
export const generatorLossSchema = z.enum(['generator-died', 'generator-output', 'generator-stuck'])

export const trialErrorKindSchema = z.enum([
  ...generatorLossSchema.options,
  ...generatorFaultSchema.options,
  'hop-died',
  'node-died',
  'engine-lost',
  'not-ready',
  'mesh-unavailable',
  'environment-failed',
  'proof-failed',
  'script-failed',
  'interrupted',
])
export type TrialErrorKind = z.infer<typeof trialErrorKindSchema>

export const trialErrorSchema = object({
  kind: trialErrorKindSchema,
  message: text,
  /** The end of the output, or other evidence. */
  detail: text.exactOptional(),
})
export interface TrialError extends z.infer<typeof trialErrorSchema> {}
