/** Burns a known amount of CPU per request, so that what a harness measures can be checked against the truth. */
import { z } from 'zod'
import { defineFilter } from '../../exchange/filter.js'

export const burn = defineFilter({
  schema: z
    .strictObject({
      cpuUs: z.number().min(0).max(1_000_000).describe('CPU time in user space per request, in µs'),
    })
    .describe('CPU burn per request, for known-answer tests'),
  create: ({ cpuUs }, { registry }) => {
    const burned = registry.counter('meshbench_burn_seconds_total', 'CPU time burned on purpose.').labels()
    return {
      request() {
        burned.add(burnCpu(cpuUs) / 1e6)
        return undefined
      },
    }
  },
})

/** A gap between two readings of the clock above this means that the process did not run in between. */
const preemptedMs = 0.02

/**
 * Spins until this thread has used `cpuUs` of CPU and returns what it used. Wall time that passed while the process
 * was not running (it was preempted: the clock jumps) is not counted, which keeps the dose right on a busy host. The
 * clock is read without a system call, so the burn is user time.
 */
function burnCpu(cpuUs: number): number {
  let usedMs = 0
  let before = performance.now()
  const wantedMs = cpuUs / 1000
  while (usedMs < wantedMs) {
    const now = performance.now()
    const passed = now - before
    before = now
    usedMs += passed > preemptedMs ? 0 : passed
  }
  return usedMs * 1000
}
