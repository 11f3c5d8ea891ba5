/** Keeps the host's cores from sleeping, for answers that are smaller than what it costs to wake one. */
import { availableParallelism } from 'node:os'
import { start } from './exec.js'

/**
 * Measures beside a spinner of the lowest priority on each core. On a virtual machine a core that sleeps is dear to wake,
 * and whoever wakes it pays, in CPU and in latency: between 10 and 50 µs a request that come and go with what else
 * happens, beside which 50 µs cannot be read to 5 %. An injected delay even hides it: the server that waits for its own
 * timer is awake when it replies.
 */
export async function withAwakeCores<Result>(
  measure: () => Promise<Result>,
  options: { readonly runId?: string } = {},
): Promise<Result> {
  const spinners = Array.from({ length: availableParallelism() }, () =>
    start({ argv: [process.execPath, '-e', spin, String(process.pid)] }, options),
  )
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

/**
 * It ends with whoever started it. Where Linux groups processes by session, a priority counts only within the session, and this one has its own: the
 * group's priority is what lets others go first (`sched(7)`, autogroup). A kernel without groups has no such file.
 */
const spin = `
require('node:os').setPriority(19)
try { require('node:fs').writeFileSync('/proc/self/autogroup', '19') } catch {}
const starter = Number(process.argv[1])
while (process.ppid === starter) for (let turn = 0; turn < 1e8; turn++);
`
