/** Keeps the host's cores from sleeping, for answers that are smaller than what it costs to wake one. */
import { availableParallelism } from 'node:os'
import { start } from '../../process/exec.js'
import type { Running } from '../../model.js'

/**
 * Measures beside a spinner of the lowest priority on each core. On a virtual machine a core that sleeps is dear to wake,
 * and whoever wakes it pays, in CPU and in latency: between 10 and 50 µs a request that come and go with what else
 * happens, beside which 50 µs cannot be read to 5 %. An injected delay even hides it: the server that waits for its own
 * timer is awake when it replies.
 */
export async function withAwakeCores<Result>(measure: () => Promise<Result>): Promise<Result> {
  const spinners = startSpinners()
  const end = (): void => {
    for (const spinner of spinners) spinner.kill('SIGKILL')
  }
  // An interrupt leaves by process.exit: spinners must not outlive it.
  process.once('exit', end)
  try {
    return await measure()
  } finally {
    end()
    process.removeListener('exit', end)
    await Promise.all(spinners.map(({ exited }) => exited))
  }
}

function startSpinners(): readonly Running[] {
  const spin = "require('node:os').setPriority(19); for (;;);"
  return Array.from({ length: availableParallelism() }, () => start({ argv: [process.execPath, '-e', spin] }))
}
