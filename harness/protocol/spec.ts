/** What a trial asks of a load engine. */
import { z } from 'zod'
import { engineNames, loadModels, protocols } from './engines.js'

const positive = z.number().positive()
const bytes = z.int().min(0)

/** One of several kinds of request that a load is mixed of. */
export const requestKindSchema = z
  .object({
    /** How many of the load's requests are of this kind, in proportion to the shares of the others. */
    share: positive.max(1e9),
    /** Bytes of the request's body; of none it is asked with GET. */
    requestBytes: bytes.max(16 * 2 ** 20),
    /** Bytes of the reply's body. */
    payloadBytes: bytes.max(64 * 2 ** 20),
  })
  .readonly()
export interface RequestKind extends z.infer<typeof requestKindSchema> {}

/** Load that one trial drives. */
export const loadSpecSchema = z
  .object({
    engine: z.enum(engineNames),
    model: z.enum(loadModels),
    protocol: z.enum(protocols),
    /** Open loop only. */
    ratePerSecond: positive.max(1_000_000).exactOptional(),
    arrival: z.enum(['uniform', 'poisson']).exactOptional(),
    connections: z.int().min(1).max(20_000),
    warmupMs: z.number().min(0).max(3_600_000),
    durationMs: positive.max(3_600_000),
    /** Bytes of the reply's body; of a mix their mean. */
    payloadBytes: bytes.max(1024 ** 4),
    /** Kinds of request instead of a single one, spread evenly over the load in a seeded order; absent: one without a body. */
    mix: z.array(requestKindSchema).min(1).max(64).readonly().exactOptional(),
    /** After this a request counts as a `timeout` error. */
    timeoutMs: positive.max(600_000),
    /** Processes or threads that share the load; their histograms are merged. */
    workers: z.int().min(1).max(64).exactOptional(),
    /** Workloads that share rate and connections evenly, each with what is its own; absent: one. Open loop only. */
    workloads: z.int().min(1).max(64).exactOptional(),
    /** What became of the window's requests is told by workload in slices this long. Open loop only. */
    sliceMs: z.int().min(5).max(60_000).exactOptional(),
    /** Fields of every request beyond the usual ones: lower-case name → value. Raw TCP has none. */
    headers: z
      .record(z.string().regex(/^[!#$%&'*+.^_`|~0-9a-z-]+$/), z.string().regex(/^[\t\x20-\x7e]*$/))
      .readonly()
      .exactOptional(),
  })
  .readonly()
  .meta({ id: 'LoadSpec' })
export interface LoadSpec extends z.infer<typeof loadSpecSchema> {}
