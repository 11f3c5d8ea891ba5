/** Delays or aborts an exact share of the requests. */
import { z } from 'zod'
import { whole } from '../../../kit/process/config.js'
import { Delays } from '../../../kit/process/delays.js'
import { nowUs } from '../../../kit/process/precise-timer.js'
import { defineFilter } from '../../exchange/filter.js'
import { everyShare } from '../traffic/share.js'

const percentSchema = z.number().gt(0).max(100).default(100)

export const fault = defineFilter({
  schema: z
    .strictObject({
      delay: z.strictObject({ ms: z.number().min(0).max(60_000), percent: percentSchema }).optional(),
      abort: z.strictObject({ status: whole(400, 599), percent: percentSchema }).optional(),
    })
    .describe('Injected delays and aborts, in exact shares'),
  create: ({ delay, abort }, { registry }) => {
    const injected = registry.counters('meshbench_faults_injected_total', 'Injected faults.', {
      kind: ['delay', 'abort'],
    })
    const isDelayed = everyShare(delay?.percent ?? 0)
    const isAborted = everyShare(abort?.percent ?? 0)
    const abortReply = abort && { status: abort.status, reason: 'fault-abort', body: 'fault filter abort\n' }
    const waiting = delay && new Delays()
    const delayUs = (delay?.ms ?? 0) * 1000
    return {
      request() {
        const reply = abortReply !== undefined && isAborted() ? abortReply : undefined
        if (reply !== undefined) injected.abort.add()
        if (waiting === undefined || !isDelayed()) return reply
        injected.delay.add()
        return new Promise((resolve) => {
          waiting.at(nowUs() + delayUs, () => {
            resolve(reply)
          })
        })
      },
      close() {
        waiting?.close()
      },
    }
  },
})
