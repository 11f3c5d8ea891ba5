/** Stops the whole process now and then, as a garbage collector that stops the world does. */
import { z } from 'zod'
import { defineFilter } from '../../exchange/filter.js'

export const pause = defineFilter({
  schema: z
    .strictObject({
      everyMs: z
        .number()
        .min(1)
        .max(3_600_000)
        .describe('from the start of one pause to the start of the next'),
      pauseMs: z.number().min(0).max(60_000),
      burnsCpu: z
        .boolean()
        .default(false)
        .describe('use the CPU meanwhile, as a collector does, instead of sleeping'),
    })
    .describe('Stop-the-world pauses'),
  create: ({ everyMs, pauseMs, burnsCpu }, { registry }) => {
    const pauses = registry.counter('meshbench_pauses_total', 'Injected pauses.').labels()
    const paused = registry.counter('meshbench_pause_seconds_total', 'Length of injected pauses.').labels()
    const cell = new Int32Array(new SharedArrayBuffer(4))
    const timer = setInterval(() => {
      const before = performance.now()
      if (burnsCpu) while (performance.now() - before < pauseMs);
      else Atomics.wait(cell, 0, 0, pauseMs)
      pauses.add()
      paused.add((performance.now() - before) / 1000)
    }, everyMs)
    return {
      close() {
        clearInterval(timer)
      },
    }
  },
})
