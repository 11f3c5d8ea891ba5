/** What a trial does to its environment while its load runs, and the record of it: actions with due times, events with times. */
import { z } from 'zod'
import { loadSpecSchema } from '../protocol/spec.js'
import { amount, count, list, name, object, text } from './shape.js'

/** A hop of the arm's path by its name, or the application behind it; `spare`: of a copy that carries nothing of the arm's. */
const targetSchema = z.union([
  object({ hop: name, of: z.literal('spare').exactOptional() }),
  z.literal('application'),
])
export type ActionTarget = z.infer<typeof targetSchema>

const changeSchema = z.union([
  object({ do: z.enum(['start', 'stop', 'kill', 'pause', 'resume']) }),
  object({ do: z.literal('scale'), to: count }),
])
/** What a platform does to one component, as far as it can. */
export type Change = z.infer<typeof changeSchema>

/** ms from the start of the window. */
const due = { atMs: amount }
const actionSchema = z.union([
  object({ ...due, target: targetSchema, change: changeSchema }),
  /**
   * A second load beside the trial's own: along the same hops, or along a spare copy of them. It stands ready, warmed up,
   * before the window begins.
   */
  object({ ...due, load: loadSpecSchema, along: z.literal('spare').exactOptional() }),
  /** Waits until the target is well again. */
  object({ ...due, target: targetSchema, awaitWithinMs: amount }),
])
export type Action = z.infer<typeof actionSchema>

/** Actions in the order in which they are due; one begins when it is due and the one before it has ended. */
export const scriptSchema = list(actionSchema)
export type Script = z.infer<typeof scriptSchema>

/** An action as it was carried out. Times are of the monotonic clock, from the start of the window. */
export const trialEventSchema = object({
  /** `kill client-tunnel`, `await client-tunnel`, `load 1000/s`. */
  action: text,
  kind: z.enum(['change', 'load', 'await']),
  dueMs: amount,
  startedMs: amount,
  endedMs: amount,
  /** Of a load: what became of it. */
  load: object({
    sent: amount,
    ok: amount,
    /** Sent and opened in its warm-up, too. */
    allSent: amount,
    connectionsOpened: amount,
    generatorCpuUs: amount,
  }).exactOptional(),
  /** Why it could not be done; absent: it was. */
  problem: text.exactOptional(),
})
export interface TrialEvent extends z.infer<typeof trialEventSchema> {}
