/** What a load engine reports of one measured window. */
import { z } from 'zod'
import { engineLacks, engineNames } from './engines.js'

const amount = z.number().min(0)

/** HDR histogram of microseconds, three significant digits, whole. */
export const histogramSchema = z
  .object({
    unit: z.literal('us'),
    encoding: z.literal('hdr-v2-deflate-base64'),
    data: z.string(),
    count: amount,
  })
  .readonly()
export interface Histogram extends z.infer<typeof histogramSchema> {}

export const errorKinds = ['connect', 'timeout', 'reset', '4xx', '5xx', 'mismatch', 'other'] as const
export type ErrorKind = (typeof errorKinds)[number]

const slicesOfWorkloadSchema = z
  .object({
    ok: z.array(amount).readonly(),
    failed: z.array(amount).readonly(),
    /** Response times, from due, of those that were answered; 0 where none was. */
    meanUs: z.array(amount).readonly(),
    maxUs: z.array(amount).readonly(),
  })
  .readonly()

/** Requests by when they were due, in slices of the window. */
export const slicesSchema = z
  .object({ ms: amount, workloads: z.array(slicesOfWorkloadSchema).readonly() })
  .readonly()
export interface Slices extends z.infer<typeof slicesSchema> {}

export const loadResultSchema = z
  .object({
    engine: z.enum(engineNames),
    /** Generators that shared the load; absent: one. */
    generators: amount.exactOptional(),
    /** Requests sent in the window; `sent = ok + sum(errors)`. */
    sent: amount,
    ok: amount,
    errors: z.partialRecord(z.enum(errorKinds), amount).readonly(),
    /** Due in the window but never sent. */
    unsent: amount,
    /** Length of the window as it was, from the first due instant to the last reply. */
    windowMs: amount,
    /**
     * Requests answered `ok`, for each second of the time that sending them took: an open loop's counts from the first
     * due instant to the last sent request, a closed loop's to the last reply, both for as long as was asked at least.
     * Engines of others have their own clock.
     */
    achievedRatePerSecond: amount,
    /** Connections opened from the start of warm-up to the end of the window. */
    connectionsOpened: amount,
    /** Requests sent before the window, so that hop counters can be reconciled to the request. */
    warmupSent: amount,
    /** Most requests that may have reached the server beyond those that are counted; absent: none. */
    uncounted: amount.exactOptional(),
    /** Bytes of reply bodies received in the window. */
    bodyBytes: amount,
    /** Response time, from due; absent for engines that know no due time. */
    response: histogramSchema.exactOptional(),
    /** Service time, from sent. */
    service: histogramSchema.exactOptional(),
    /** Sent − due; absent for closed loop. */
    sendLag: histogramSchema.exactOptional(),
    /** The generator's own CPU in the window. */
    generatorCpuUs: amount,
    /** Time to connect, for engines that open connections in the window. */
    connect: histogramSchema.exactOptional(),
    /** From when a connection was begun to the first byte of the reply on it, for the same engines. */
    firstByte: histogramSchema.exactOptional(),
    /** Absent where none were asked for. */
    slices: slicesSchema.exactOptional(),
    /** Figures that this engine does not know: `unsent` is then 0 for want of anything better, the others are absent. */
    unknown: z.array(z.enum(engineLacks)).readonly().exactOptional(),
    /** What this engine cannot give, in words for the report. */
    limits: z.array(z.string()).readonly().exactOptional(),
  })
  .superRefine(({ sent, ok, errors }, context) => {
    // Every request has one fate: a generator that loses one cannot be believed.
    const failed = Object.values(errors).reduce((sum, count) => sum + count, 0)
    if (sent !== ok + failed)
      context.addIssue({ code: 'custom', message: `sent ${sent} is not ok ${ok} + errors ${failed}` })
  })
  .readonly()
export interface LoadResult extends z.infer<typeof loadResultSchema> {}
