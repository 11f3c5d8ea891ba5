/** Delays or aborts an exact share of the requests. */
import { z } from 'zod'
import { PreciseTimer, nowUs } from '../../../kit/process/precise-timer.js'
import { defineFilter } from '../../exchange/filter.js'
import { everyShare } from '../traffic/share.js'

const percentSchema = z.number().gt(0).max(100).default(100)

export const fault = defineFilter({
  schema: z
    .strictObject({
      delay: z.strictObject({ ms: z.number().min(0).max(60_000), percent: percentSchema }).optional(),
      abort: z.strictObject({ status: z.int().min(400).max(599), percent: percentSchema }).optional(),
    })
    .describe('Injected delays and aborts, in exact shares'),
  create: ({ delay, abort }, { registry }) => {
    const injected = registry.counter('meshbench_faults_injected_total', 'Injected faults.', ['kind'])
    const delays = injected.labels('delay')
    const aborts = injected.labels('abort')
    const isDelayed = everyShare(delay?.percent ?? 0)
    const isAborted = everyShare(abort?.percent ?? 0)
    const abortReply = abort && { status: abort.status, reason: 'fault-abort', body: 'fault filter abort\n' }
    const queue = delay === undefined ? undefined : new DelayQueue(delay.ms * 1000)
    return {
      request() {
        const reply = abortReply !== undefined && isAborted() ? abortReply : undefined
        if (reply !== undefined) aborts.add()
        if (queue === undefined || !isDelayed()) return reply
        delays.add()
        return new Promise((resolve) => {
          queue.add(() => {
            resolve(reply)
          })
        })
      },
      close() {
        queue?.close()
      },
    }
  },
})

/** Waits the same time for everybody, so that first come is first served and one timer is enough. */
class DelayQueue {
  readonly #delayUs: number
  readonly #timer: PreciseTimer
  #entries: { readonly dueUs: number; readonly run: () => void }[] = []
  #closing = false

  constructor(delayUs: number) {
    this.#delayUs = delayUs
    this.#timer = new PreciseTimer((now) => {
      this.#fire(now)
    })
  }

  add(run: () => void): void {
    const entry = { dueUs: nowUs() + this.#delayUs, run }
    this.#entries.push(entry)
    if (this.#entries.length === 1) this.#timer.set(entry.dueUs)
  }

  /** After the last that waits. */
  close(): void {
    this.#closing = true
    if (this.#entries.length === 0) this.#timer.close()
  }

  #fire(now: number): void {
    const due = this.#entries.filter(({ dueUs }) => dueUs <= now)
    this.#entries = this.#entries.slice(due.length)
    const [next] = this.#entries
    if (next !== undefined) this.#timer.set(next.dueUs)
    else if (this.#closing) this.#timer.close()
    for (const { run } of due) run()
  }
}
